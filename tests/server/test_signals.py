"""Signals reach the connected devices of members, in order, and nobody else, ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

import pytest

from syncd import errors, limits
from syncd.membership import Action, Change, Members, Role, write_change
from syncd.model import AccountId, ConversationId, DeviceId, Kind, direct
from syncd.persons import Merged, Merging
from syncd.protocol.signalling import SignalKind
from syncd.server.notices import NoticeWriter
from syncd.server.signals import Signals
from syncd.storage import StorageError
from syncd.storage.memory import MemoryStorage
from syncd.wire.frames import Answers, Batch, Message, Send, Signal, Signalled
from tests.drafts import ALICE, BOB, CAROL, LAPTOP, PHONE, device_id
from tests.server.conftest import Running
from tests.server.peers import ANNE, BEN, Peer, Town, found_town, until

TABLET = device_id("tablet")
GROUP, OTHER_GROUP = ConversationId("friends"), ConversationId("family")


# ---------------------------------------------------------------- by itself


class Ear:
    """One end of a line that always has room."""

    def __init__(self) -> None:
        self.heard: list[tuple[ConversationId, bytes]] = []

    def signalled(self, signal: Signalled) -> None:
        self.heard.append((signal.conversation, signal.body))


class Room:
    """Who is connected: one device of Alice and of Carol each, two of Bob."""

    def __init__(self) -> None:
        self.ears = {
            ALICE: {PHONE: Ear()},
            BOB: {LAPTOP: Ear(), TABLET: Ear()},
            CAROL: {device_id("carol's"): Ear()},
        }

    def of(self, account: AccountId) -> Collection[tuple[DeviceId, Ear]]:
        return tuple(self.ears.get(account, {}).items())

    def heard(self) -> dict[DeviceId, list[tuple[ConversationId, bytes]]]:
        return {
            device: ear.heard
            for ears in self.ears.values()
            for device, ear in ears.items()
            if ear.heard
        }


class CountingStorage(MemoryStorage):
    """The reference backend; every look at members is written down, and one may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[ConversationId] = []
        self.failure: StorageError | None = None

    async def members(self, conversation: ConversationId) -> Members | None:
        self.looks.append(conversation)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return await super().members(conversation)


@asynccontextmanager
async def signalling() -> AsyncIterator[tuple[CountingStorage, Room, Signals]]:
    storage, room = CountingStorage(), Room()
    storage._groups = {GROUP: _members(ALICE, BOB), OTHER_GROUP: _members(BOB, CAROL)}
    signals = Signals(storage, room)
    running = asyncio.create_task(signals.run())
    try:
        yield storage, room, signals
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()


def _members(*accounts: AccountId) -> Members:
    return dict.fromkeys(accounts, Role.MEMBER)


async def delivered(signals: Signals) -> None:
    """Until nothing waits any more: turns of the loop, counted, and not a moment of time."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert not signals._waiting


def typing(conversation: ConversationId, body: bytes = b"") -> Signal:
    return Signal(conversation, SignalKind.TYPING, body)


async def test_every_device_of_the_members_hears_but_the_one_that_signals() -> None:
    async with signalling() as (_, room, signals):
        signals.send(typing(GROUP, b"x"), BOB, LAPTOP)
        await delivered(signals)
        assert room.heard() == {PHONE: [(GROUP, b"x")], TABLET: [(GROUP, b"x")]}


async def test_a_direct_conversation_needs_no_look_into_the_store() -> None:
    async with signalling() as (storage, room, signals):
        signals.send(typing(direct(ALICE, BOB)), ALICE, PHONE)
        signals.send(typing(direct(CAROL, CAROL)), CAROL, PHONE)
        await delivered(signals)
        assert set(room.heard()) == {LAPTOP, TABLET, device_id("carol's")}
        assert storage.looks == []


@pytest.mark.parametrize("conversation", [direct(ALICE, BOB), GROUP, ConversationId("nowhere")])
async def test_who_is_no_member_is_not_heard(conversation: ConversationId) -> None:
    async with signalling() as (_, room, signals):
        signals.send(typing(conversation), CAROL, device_id("carol's"))
        await delivered(signals)
        assert room.heard() == {}


async def test_a_burst_is_one_look_for_each_group_and_keeps_its_order() -> None:
    async with signalling() as (storage, room, signals):
        for number in range(10):
            signals.send(typing((GROUP, OTHER_GROUP)[number % 2], b"%d" % number), BOB, LAPTOP)
        await delivered(signals)
        assert storage.looks == [GROUP, OTHER_GROUP]
        assert room.heard()[PHONE] == [(GROUP, b"%d" % number) for number in range(0, 10, 2)]
        signals.send(typing(GROUP), BOB, LAPTOP)
        await delivered(signals)
        assert storage.looks == [GROUP, OTHER_GROUP, GROUP]


async def test_a_store_that_cannot_be_read_loses_what_it_was_asked_about_and_no_more() -> None:
    async with signalling() as (storage, room, signals):
        storage.failure = StorageError("no", definite=True, refusal=errors.BUSY)
        signals.send(typing(GROUP, b"lost"), BOB, LAPTOP)
        signals.send(typing(OTHER_GROUP, b"found"), BOB, LAPTOP)
        await delivered(signals)
        assert room.heard() == {
            TABLET: [(OTHER_GROUP, b"found")],
            device_id("carol's"): [(OTHER_GROUP, b"found")],
        }


async def test_a_large_group_lets_others_have_their_turn_in_between() -> None:
    async with signalling() as (_, room, signals):
        room.ears[ALICE] |= {DeviceId(f"{number:024x}"): Ear() for number in range(200)}
        signals.send(typing(GROUP), BOB, LAPTOP)
        heard, turns = 0, 0
        while heard < 202:
            await asyncio.sleep(0)
            turns += 1
            heard = sum(len(each) for each in room.heard().values())
        assert turns > 202 // 64


@pytest.mark.parametrize("removed", [ALICE, BOB])
async def test_who_is_removed_while_a_large_group_is_told_is_out_at_once(
    removed: AccountId,
) -> None:
    async with signalling() as (storage, room, signals):
        room.ears[ALICE] |= {DeviceId(f"{number:024x}"): Ear() for number in range(200)}
        signals.send(typing(GROUP), BOB, LAPTOP)
        await until(lambda: bool(room.heard()))
        told = len(room.heard())
        assert told < 200
        storage._groups[GROUP] = _members(*({ALICE, BOB} - {removed}))
        signals.send(typing(direct(CAROL, CAROL)), CAROL, PHONE)
        await until(lambda: device_id("carol's") in room.heard())
        # Bob's tablet comes last: it is still told where Alice was removed, and else nobody is.
        assert len(room.heard()) == told + 1 + (removed == ALICE)


async def test_an_alias_is_whom_it_was_merged_into() -> None:
    """Carol turned out to be Alice: she goes on in what was Carol's, and Carol's last word, that
    she is away, is still told."""
    async with signalling() as (storage, room, signals):
        for account in (ALICE, BOB, CAROL):
            await storage.create_account(account)
        [[carols, ear]] = room.of(CAROL)
        del room.ears[CAROL]
        storage._groups[OTHER_GROUP] = _members(ALICE, BOB)
        assert isinstance(await storage.people.merge(Merging(CAROL, ALICE, NoticeWriter())), Merged)
        talk = direct(BOB, CAROL)
        signals.send(typing(talk, b"from bob"), BOB, LAPTOP)
        signals.send(typing(talk, b"from alice"), ALICE, PHONE)
        for conversation in (talk, OTHER_GROUP):
            signals.send(Signal(conversation, SignalKind.AWAY, b"away"), CAROL, carols)
        await delivered(signals)
        away = [(talk, b"away"), (OTHER_GROUP, b"away")]
        assert room.ears[BOB][TABLET].heard == [
            (talk, b"from bob"),
            (talk, b"from alice"),
            *away,
        ]
        assert room.ears[ALICE][PHONE].heard == [(talk, b"from bob"), *away]
        assert not ear.heard


async def test_only_so_many_wait() -> None:
    room = Room()
    signals = Signals(MemoryStorage(), room)
    for number in range(limits.SIGNALS_WAITING_MAX + 3):
        signals.send(typing(direct(ALICE, BOB), b"%d" % number), ALICE, PHONE)
    assert len(signals._waiting) == limits.SIGNALS_WAITING_MAX
    await signals._round()
    assert room.heard()[LAPTOP][-1][1] == b"%d" % (limits.SIGNALS_WAITING_MAX - 1)


# ---------------------------------------------------------------- over sockets


@pytest.fixture
async def town(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Town]:
    made = await found_town(start, monkeypatch)
    yield made
    await made.close()


DIRECT = direct(ANNE, BEN)


async def change(peer: Peer, number: int, change: Change) -> None:
    """A change of the group, made and seen by the peer itself."""
    await peer.say(Send((Message(number, Kind.SYSTEM, GROUP, None, write_change(change)),)))
    accepted = False
    batch = None
    while not accepted or batch is None:
        frame = await peer.hear((Answers, Batch))
        if isinstance(frame, Answers):
            assert [each.number for each in frame.accepted] == [number]
            accepted = True
        else:
            batch = frame


async def test_a_signal_goes_to_the_others_and_is_in_no_log(town: Town) -> None:
    phone, witness, laptop = [await town.live(name) for name in ("phone", "witness", "laptop")]
    await phone.say(typing(DIRECT, b"..."))
    for peer in (witness, laptop):
        signalled = await peer.hear(Signalled)
        assert (signalled.conversation, signalled.account) == (DIRECT, ANNE)
        assert (signalled.kind, signalled.body) == (SignalKind.TYPING, b"...")
        assert signalled.device != ""
    await laptop.say(typing(DIRECT, b"back"))
    assert (await phone.hear(Signalled)).body == b"back"  # and its own was not heard before
    again = await town.socket()
    assert (await again.greet(town.tokens["witness"])).head == 0


async def test_signals_of_a_device_come_in_order(town: Town) -> None:
    phone, laptop = await town.live("phone"), await town.live("laptop")
    for number in range(limits.SIGNALS_BURST):
        await phone.say(typing(DIRECT, b"%d" % number))
    heard = [(await laptop.hear(Signalled)).body for _ in range(limits.SIGNALS_BURST)]
    assert heard == [b"%d" % number for number in range(limits.SIGNALS_BURST)]


@pytest.mark.parametrize("conversation", [GROUP, "no~conversation~at all", "two words"])
async def test_a_signal_to_nowhere_is_dropped_and_the_session_goes_on(
    town: Town, conversation: ConversationId
) -> None:
    phone, laptop = await town.live("phone"), await town.live("laptop")
    await phone.say(typing(conversation))
    await phone.say(typing(DIRECT, b"heard"))
    assert (await laptop.hear(Signalled)).body == b"heard"


async def test_a_signal_before_the_verdict_is_out_of_turn(town: Town) -> None:
    peer = await town.socket()
    await peer.say(typing(DIRECT))
    await peer.hears_goodbye(errors.OUT_OF_TURN)


async def test_whoever_was_here_and_goes_is_said_to_be_away(town: Town) -> None:
    phone, laptop = await town.live("phone"), await town.live("laptop")
    await phone.say(Signal(DIRECT, SignalKind.HERE, b""))
    assert (await laptop.hear(Signalled)).kind == SignalKind.HERE
    await phone.socket.close()
    assert (await laptop.hear(Signalled)).kind == SignalKind.AWAY


async def test_a_line_that_is_cut_says_away_as_well(town: Town) -> None:
    phone, laptop = await town.live("phone"), await town.live("laptop")
    await phone.say(Signal(DIRECT, SignalKind.HERE, b""))
    assert (await laptop.hear(Signalled)).kind == SignalKind.HERE
    phone.socket.transport.abort()
    assert (await laptop.hear(Signalled)).kind == SignalKind.AWAY


async def test_a_newer_socket_of_a_device_is_here_after_the_older_one_went(town: Town) -> None:
    first, laptop = await town.live("phone"), await town.live("laptop")
    await first.say(Signal(DIRECT, SignalKind.HERE, b"first"))
    second = await town.live("phone", number=2)
    await second.say(Signal(DIRECT, SignalKind.HERE, b"second"))
    heard = [await laptop.hear(Signalled) for _ in range(3)]
    assert [(each.kind, each.body) for each in heard] == [
        (SignalKind.HERE, b"first"),
        (SignalKind.AWAY, b""),
        (SignalKind.HERE, b"second"),
    ]


async def test_who_was_removed_from_a_group_hears_nothing_and_is_not_heard(town: Town) -> None:
    phone, laptop = await town.live("phone"), await town.live("laptop")
    await change(phone, 1, Change(Action.CREATE, (BEN,)))
    await laptop.hear(Batch)
    await phone.say(typing(GROUP, b"both"))
    assert (await laptop.hear(Signalled)).body == b"both"
    await change(phone, 2, Change(Action.REMOVE, (BEN,)))
    await laptop.hear(Batch)
    await phone.say(typing(GROUP, b"alone"))
    await laptop.say(typing(GROUP, b"gone"))
    await phone.say(typing(DIRECT, b"after"))
    assert (await laptop.hear(Signalled)).body == b"after"
    await laptop.say(typing(DIRECT, b"heard"))
    assert (await phone.hear(Signalled)).body == b"heard"


async def test_a_busy_line_is_spared_signals(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    phone, laptop = await town.live("phone"), await town.live("laptop")
    [receiver] = [each for _, each in town.backstage.live.of(BEN)]
    with monkeypatch.context() as patch:
        patch.setattr(receiver._transport, "get_write_buffer_size", lambda: 1, raising=False)
        receiver.signalled(Signalled(DIRECT, ANNE, DeviceId("d" * 24), 1, b"late"))
    await phone.say(typing(DIRECT, b"in time"))
    assert (await laptop.hear(Signalled)).body == b"in time"
