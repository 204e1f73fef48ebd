"""What befalls pretended lines: cuts at any byte, silence, stalls, delay, frames that come late."""

import asyncio

import pytest

from client_sim.history import Closed, Connect, Fault, Opened, Queued
from client_sim.house import Enrolled
from client_sim.pretend.dialled import PretendDialled
from client_sim.pretend.house import PretendHouse
from syncd.wire.frames import Batch, Heartbeat, Send, Welcome
from tests.client_sim.pretend.rooms import frames_of, hello, lived, passing, told
from tests.drafts import message


async def connected(house: PretendHouse, enrolled: Enrolled) -> PretendDialled:
    dialled = house.dialler("phone").dial()
    assert await dialled.connect()
    await dialled.send(hello(enrolled))
    await frames_of(dialled, Welcome)
    return dialled


async def over(dialled: PretendDialled) -> bool:
    """Read to the end; whether there was no close frame."""
    await frames_of(dialled, Connect)  # never comes
    return dialled.disconnected().code is None


@pytest.mark.parametrize("after", [0, 1, 30, 10_000])
def test_a_cut_ends_the_line_for_both(after: int) -> None:
    house = PretendHouse(2)

    async def play() -> bool:
        enrolled = await house.enrol("alice", "phone", "phone")
        dialled = await connected(house, enrolled)
        await house.cut("phone", after)
        bodies = (bytes(2_000),) * 6
        for number, body in enumerate(bodies, 1):
            await dialled.send(Send((message(number, body),)))
        ended = await over(dialled)
        await passing(1)
        return ended

    assert lived(house, play()) is True
    assert len(told(house.history, Closed)) == 1
    assert [each.kind for each in told(house.history, Fault)] == ["cut"]


def test_a_cut_without_a_line_waits_for_the_next_one() -> None:
    house = PretendHouse(2)

    async def play() -> bool:
        enrolled = await house.enrol("alice", "phone", "phone")
        await house.cut("phone")
        assert not told(house.history, Fault)
        dialled = house.dialler("phone").dial()
        assert await dialled.connect()
        await dialled.send(hello(enrolled))
        return await over(dialled)

    assert lived(house, play()) is True
    assert [each.kind for each in told(house.history, Fault)] == ["cut"]
    assert not told(house.history, Opened)


def test_a_line_may_be_cut_inside_any_frame() -> None:
    house = PretendHouse(2, weather={"frame_cut": 1.0})

    async def play() -> bool:
        enrolled = await house.enrol("alice", "phone", "phone")
        dialled = house.dialler("phone").dial()
        assert await dialled.connect()
        await dialled.send(hello(enrolled))
        return await over(dialled)

    assert lived(house, play()) is True


def test_of_a_silent_line_nobody_is_told_until_the_server_notices() -> None:
    house = PretendHouse(2)

    async def play() -> None:
        enrolled = await house.enrol("alice", "phone", "phone")
        dialled = await connected(house, enrolled)
        await house.unplug("phone")
        await dialled.send(Send((message(1),)))
        waiting = asyncio.ensure_future(dialled.receive())
        done, _ = await asyncio.wait([waiting], timeout=10)
        assert not done
        assert not told(house.history, Closed)
        await passing(80)
        waiting.cancel()

    lived(house, play())
    [closed] = told(house.history, Closed)
    assert closed.code == "slow_reader"


def test_after_the_network_is_back_a_new_line_works() -> None:
    house = PretendHouse(2)

    async def play() -> None:
        enrolled = await house.enrol("alice", "phone", "phone")
        await connected(house, enrolled)
        await house.unplug("phone")
        await house.plug("phone")
        await connected(house, enrolled)

    lived(house, play())
    assert len(told(house.history, Opened)) == 2


def test_a_device_that_reads_nothing_keeps_bytes_waiting_at_the_server() -> None:
    house = PretendHouse(2)

    async def play() -> list[int]:
        enrolled = await house.enrol("alice", "phone", "phone")
        dialled = await connected(house, enrolled)
        await house.stall("phone")
        for _ in range(3):
            await house.publish("alice", bytes(20_000))
        await passing(1)
        [queued, *_] = told(house.history, Queued)
        assert queued.bytes >= 20_000
        await house.unstall("phone")
        frames = await frames_of(dialled, Batch)
        return [frame.to for frame in frames if isinstance(frame, Batch)]

    assert lived(house, play())


def test_a_delay_is_felt_in_either_direction() -> None:
    async def play(house: PretendHouse, milliseconds: int) -> float:
        enrolled = await house.enrol("alice", "phone", "phone")
        await house.delay("phone", milliseconds)
        began = house.now()
        await connected(house, enrolled)
        return house.now() - began

    took = [
        lived(house, play(house, delay))
        for house, delay in ((PretendHouse(2), 0), (PretendHouse(2), 500))
    ]
    assert took[1] - took[0] == pytest.approx(1.5, abs=0.5), "to connect, and there and back"


def test_frames_of_an_abandoned_line_come_after_the_hello_of_the_next() -> None:
    house = PretendHouse(2, weather={"frame_late": 1.0})

    async def play() -> None:
        enrolled = await house.enrol("alice", "phone", "phone")
        first = house.dialler("phone").dial()
        assert await first.connect()
        await first.send(hello(enrolled, "a" * 16))
        assert await over(first)
        house.calm()
        await connected(house, enrolled)
        await passing(5)

    lived(house, play())
    opened = told(house.history, Opened)
    assert [each.session for each in opened] == [2, 1], "the late hello has the newer generation"
    assert [each.code for each in told(house.history, Closed)] == ["fenced"]


def test_heartbeats_pass() -> None:
    house = PretendHouse(2)

    async def play() -> None:
        dialled = await connected(house, await house.enrol("alice", "phone", "phone"))
        assert await frames_of(dialled, Heartbeat)

    lived(house, play())
