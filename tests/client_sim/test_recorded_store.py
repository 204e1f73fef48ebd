"""A recorded store: it does what the store does, and tells what became durable."""

from __future__ import annotations

from typing import Any

from client_sim.history import Applied, Record, Send, fingerprint
from client_sim.recorded_store import RecordedStore
from syncd import errors
from syncd.client import MemoryStore, Pending, PendingState
from syncd.client.store import Outgoing
from syncd.model import Accepted, ConversationId, Identity, Kind, Refused
from syncd.protocol import client_commands as commands
from syncd.protocol.client_events import Echo
from tests.protocol.client_plays import ALICE, EPOCH, INSTANCE, OTHER, OWN, at, entry, verdict

TALK = ConversationId("alice~bob")


class Kept:
    """A recorded store of a new device, and what it told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.store = RecordedStore(
            MemoryStore(keep_handed=True), OWN, ALICE, self.records.append, lambda: 2.5
        )

    async def begin(self, sent: int = 0) -> None:
        """Its first verdict."""
        await self.store.open()
        await self.store.call(lambda shelf: shelf.begin("ws://server", INSTANCE, "token"))
        first = commands.TakeVerdict(verdict(start=10, sent=sent), 0)
        await self.store.call(lambda shelf: shelf.take_verdict(first))

    async def write(self, *outgoing: Outgoing) -> Any:
        return await self.store.call(lambda shelf: shelf.enqueue(outgoing))

    async def answer(self, *outcomes: Accepted | Refused) -> None:
        command = commands.StoreAnswers(outcomes)
        await self.store.call(lambda shelf: shelf.store_answers(command))

    async def pending(self) -> list[Pending]:
        return await self.store.call(lambda shelf: shelf.pending())

    def told(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]


def text(body: bytes = b"hello", kind: int = Kind.MESSAGE, conversation: str = TALK) -> Outgoing:
    target = None if kind in (Kind.MESSAGE, Kind.SYSTEM) else Identity(OTHER, 1)
    return Outgoing(kind, ConversationId(conversation), target, body)


async def test_a_message_is_told_when_it_has_its_number() -> None:
    kept = Kept()
    await kept.store.open()
    await kept.store.call(lambda shelf: shelf.begin("ws://server", INSTANCE, "token"))
    await kept.write(text())
    assert kept.records == []
    taking = commands.TakeVerdict(verdict(start=10, sent=4), 0)
    await kept.store.call(lambda shelf: shelf.take_verdict(taking))
    await kept.write(text(b"again"))
    known = {"at": 2.5, "device": OWN, "to": ("alice", "bob"), "conversation": TALK, "size": 5}
    assert kept.told(Send) == [
        Send(message=f"{OWN}#5", body=fingerprint(b"hello"), **known),
        Send(message=f"{OWN}#6", body=fingerprint(b"again"), **known),
    ]
    assert kept.store.waiting == {5, 6}


async def test_whose_logs_must_hold_it_is_told_where_the_device_knows() -> None:
    kept = Kept()
    await kept.begin()
    await kept.write(
        text(),
        text(conversation="alice~alice"),
        text(kind=Kind.READ, body=b""),
        text(kind=Kind.DELETE, body=b""),
        text(conversation="team"),
    )
    logs = [each.to for each in kept.told(Send)]
    assert logs == [("alice", "bob"), ("alice",), ("alice",), ("alice",), ()]


async def test_every_move_of_the_place_is_told() -> None:
    kept = Kept()
    await kept.begin()
    batch = commands.StoreBatch(10, (entry(1), entry(2)), at(12), (), 0)
    await kept.store.call(lambda shelf: shelf.store_batch(batch))
    known = {"at": 2.5, "device": OWN, "epoch": EPOCH.hex()}
    assert kept.told(Applied) == [
        Applied(prev=10, to=10, **known),
        Applied(prev=10, to=12, **known),
    ]
    run = await kept.store.call(lambda shelf: shelf.read(0, 10))
    assert run is not None
    assert run.entries == (entry(1), entry(2))


async def test_an_answer_and_an_echo_end_the_waiting() -> None:
    kept = Kept()
    await kept.begin()
    await kept.write(text(), text(), text())
    await kept.answer(Accepted(1, 11, False))
    assert kept.store.waiting == {2, 3}
    echo = commands.StoreBatch(10, (entry(2, OWN),), at(11), (Echo(2, 11),), 0)
    await kept.store.call(lambda shelf: shelf.store_batch(echo))
    assert kept.store.waiting == {3}


async def test_what_is_sent_as_new_is_told_as_new() -> None:
    kept = Kept()
    await kept.begin()
    done = await kept.write(text())
    await kept.answer(Refused(1, errors.NOT_A_MEMBER))
    [refused] = await kept.pending()
    assert refused.state is PendingState.REFUSED
    await kept.store.call(lambda shelf: shelf.resend(done.tickets[0]))
    assert [each.message for each in kept.told(Send)] == [f"{OWN}#1", f"{OWN}#2"]
    assert kept.store.waiting == {2}
    assert not await kept.store.call(lambda shelf: shelf.forget(done.tickets[0]))
    assert await kept.store.call(lambda shelf: shelf.resend(done.tickets[0])) is None


async def test_what_a_restore_lost_waits_again_and_is_not_told_again() -> None:
    kept = Kept()
    await kept.begin()
    await kept.write(text())
    await kept.answer(Accepted(1, 11, False))
    restored = commands.TakeVerdict(verdict(start=10, sent=0), 0)
    await kept.store.call(lambda shelf: shelf.take_verdict(restored))
    assert kept.store.waiting == {1}
    assert len(kept.told(Send)) == 1
    assert await kept.store.call(lambda shelf: shelf.old()) == []
    await kept.store.call(lambda shelf: shelf.store_handed(commands.StoreHanded(10)))
    await kept.store.close()
