"""The client's end of a pretended line: connecting, frames, closing, its process's death."""

import asyncio

from client_sim.history import Closed, Fault, Opened
from client_sim.pretend.house import PretendHouse
from syncd import errors
from syncd.protocol.client_events import Disconnected
from syncd.wire.frames import Answers, Goodbye, Send, Welcome
from tests.client_sim.pretend.rooms import frames_of, hello, lived, told
from tests.drafts import message


def test_a_hello_is_answered_and_a_close_is_echoed() -> None:
    house = PretendHouse(1)

    async def play() -> Disconnected:
        enrolled = await house.enrol("alice", "phone", "phone")
        dialled = house.dialler("phone").dial()
        assert await dialled.connect()
        await dialled.send(hello(enrolled))
        [welcome] = await frames_of(dialled, Welcome)
        assert isinstance(welcome, Welcome)
        assert welcome.account == "alice"
        dialled.close(None)
        assert await dialled.receive() is None
        await dialled.closed()
        return dialled.disconnected()

    assert lived(house, play()) == Disconnected(1000, "")
    assert len(told(house.history, Opened)) == len(told(house.history, Closed)) == 1


def test_the_server_closes_with_its_reason() -> None:
    house = PretendHouse(1)

    async def play() -> Disconnected:
        enrolled = await house.enrol("alice", "phone", "phone")
        dialled = house.dialler("phone").dial()
        assert await dialled.connect()
        await dialled.send(hello(enrolled))
        await frames_of(dialled, Welcome)
        await dialled.send(hello(enrolled))
        frames = await frames_of(dialled, Goodbye)
        assert isinstance(frames[-1], Goodbye)
        assert await dialled.receive() is None
        return dialled.disconnected()

    refused = errors.OUT_OF_TURN
    assert lived(house, play()) == Disconnected(refused.code, refused.name)


def test_nobody_listens_where_no_server_runs_or_bad_luck_has_it() -> None:
    async def play(house: PretendHouse) -> str:
        await house.enrol("alice", "phone", "phone")
        if not house.weather:
            await house.kill_server()
        dialled = house.dialler("phone").dial()
        assert not await dialled.connect()
        assert dialled.disconnected().code is None
        return dialled.disconnected().reason

    for house in (PretendHouse(1), PretendHouse(1, weather={"connect_failed": 1.0})):
        assert "ConnectionRefused" in lived(house, play(house))


def test_without_a_network_connecting_takes_until_it_times_out() -> None:
    house = PretendHouse(1)

    async def play() -> float:
        await house.enrol("alice", "phone", "phone")
        await house.unplug("phone")
        began = house.now()
        dialled = house.dialler("phone").dial()
        assert not await dialled.connect()
        assert "Timeout" in dialled.disconnected().reason
        return house.now() - began

    assert lived(house, play()) > 9


def test_connecting_can_be_given_up() -> None:
    house = PretendHouse(1)

    async def play() -> str:
        await house.enrol("alice", "phone", "phone")
        dialled = house.dialler("phone").dial()
        connecting = asyncio.ensure_future(dialled.connect())
        await asyncio.sleep(0)
        dialled.close(None)
        assert not await connecting
        await dialled.closed()
        return dialled.disconnected().reason

    assert lived(house, play()) == "given up"


def test_a_dead_process_hears_nothing_and_says_nothing() -> None:
    house = PretendHouse(1)

    async def play() -> int:
        enrolled = await house.enrol("alice", "phone", "phone")
        dialled = house.dialler("phone").dial()
        assert await dialled.connect()
        await dialled.send(hello(enrolled))
        await frames_of(dialled, Welcome)
        waiting = asyncio.ensure_future(dialled.receive())
        await asyncio.sleep(0)
        await house.abandon("phone")
        await dialled.send(Send((message(1, b"from the dead"),)))
        dialled.close(None)
        done, _ = await asyncio.wait([waiting], timeout=100)
        waiting.cancel()
        return len(done)

    assert lived(house, play()) == 0
    assert len(told(house.history, Closed)) == 1, "the server noticed"


def test_a_frame_of_sends_may_arrive_twice() -> None:
    house = PretendHouse(1, weather={"retry_doubled": 1.0})

    async def play() -> list[bool]:
        enrolled = await house.enrol("alice", "phone", "phone")
        await house.enrol("bob", "laptop", "laptop")
        dialled = house.dialler("phone").dial()
        assert await dialled.connect()
        await dialled.send(hello(enrolled))
        await frames_of(dialled, Welcome)
        await dialled.send(Send((message(1, b"hello"),)))
        answers: list[bool] = []
        while len(answers) < 2:
            for frame in await frames_of(dialled, Answers):
                if isinstance(frame, Answers):
                    answers += [each.duplicate for each in frame.accepted]
        return answers

    assert lived(house, play()) == [False, True]
    assert [each.kind for each in told(house.history, Fault)] == ["retry_doubled"]
