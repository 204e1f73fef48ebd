"""The server's end of a line: what it tells of a session, and what ends one."""

from client_sim.history import Ack, Closed, Complaint, Opened
from client_sim.pretend.dialled import PretendDialled
from client_sim.pretend.house import PretendHouse
from syncd.wire import frames
from syncd.wire.frames import Batch, Goodbye, Signalled, Welcome
from tests.client_sim.pretend.rooms import frames_of, hello, lived, passing, told


async def connected(house: PretendHouse, account: str, name: str) -> tuple[PretendDialled, Welcome]:
    enrolled = await house.enrol(account, name, "phone")
    dialled = house.dialler(name).dial()
    assert await dialled.connect()
    await dialled.send(hello(enrolled))
    [welcome] = await frames_of(dialled, Welcome)
    assert isinstance(welcome, Welcome)
    return dialled, welcome


async def goodbye(dialled: PretendDialled) -> str:
    last = (await frames_of(dialled, Goodbye))[-1]
    assert isinstance(last, Goodbye)
    return last.name


def test_an_ack_is_told_when_it_counts() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        dialled, welcome = await connected(house, "alice", "phone")
        await house.publish("alice", b"hello")
        await frames_of(dialled, Batch)
        await dialled.send(frames.Ack(welcome.epoch, 1))
        await dialled.send(frames.Ack(b"another!", 1))  # type: ignore[arg-type]
        await dialled.send(frames.Ack(welcome.epoch, 7))
        assert await goodbye(dialled) == "ack_beyond_sent"
        assert await dialled.receive() is None
        await passing(1)

    lived(house, play())
    [opened] = told(house.history, Opened)
    [ack] = told(house.history, Ack)
    assert (ack.seq, ack.session, ack.by) == (1, opened.session, "server")
    assert [each.code for each in told(house.history, Closed)] == ["ack_beyond_sent"]


def test_a_revoked_device_is_told_and_closed() -> None:
    house = PretendHouse(1)

    async def play() -> str:
        dialled, _ = await connected(house, "alice", "phone")
        await house.revoke("phone")
        return await goodbye(dialled)

    assert lived(house, play()) == "device_revoked"


def test_whoever_says_no_hello_is_closed() -> None:
    house = PretendHouse(1)

    async def play() -> str:
        await house.enrol("alice", "phone", "phone")
        dialled = house.dialler("phone").dial()
        assert await dialled.connect()
        return await goodbye(dialled)

    assert lived(house, play()) == "hello_timeout"
    assert not told(house.history, Closed), "nobody knows whose it was"


def test_a_signal_reaches_the_other_devices_of_the_members() -> None:
    house = PretendHouse(1)

    async def play() -> Signalled:
        phone, _ = await connected(house, "alice", "phone")
        laptop, _ = await connected(house, "bob", "laptop")
        await phone.send(frames.Signal("alice~bob", 1, b""))  # type: ignore[arg-type]
        heard = (await frames_of(laptop, Signalled))[-1]
        assert isinstance(heard, Signalled)
        return heard

    assert lived(house, play()).account == "alice"


def test_an_alarm_is_a_complaint() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        enrolled = await house.enrol("alice", "phone", "phone")
        [log] = (await house.remains())[:1]
        place = frames.Position(bytes.fromhex(log.epoch), 5, bytes(8))  # type: ignore
        dialled = house.dialler("phone").dial()
        assert await dialled.connect()
        await dialled.send(frames.Hello(enrolled.token, "1" * 16, place, False, 65536))
        [reset] = await frames_of(dialled, frames.Reset)
        assert isinstance(reset, frames.Reset)
        assert reset.reason == "ahead"

    lived(house, play())
    [complaint] = told(house.history, Complaint)
    assert complaint.text.startswith("alarm: ahead: account alice")
