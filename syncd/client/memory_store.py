"""A store that ends with its process: the specification of a shelf, and what a swarm uses.

With a memory store the ack follows the application, so what it has not finished comes again in
the next run. What it has finished need not be kept: by itself a memory store forgets it, but for
the last 1,024 own messages that came back, which it would have to send again if the server lost
them. `keep_handed=True` keeps everything, as the durable store does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from syncd import errors
from syncd.client.exceptions import StoreMismatch
from syncd.client.runs import Runs
from syncd.client.store import (
    INSTANCES_MAX,
    Credentials,
    Enqueued,
    Kept,
    OldEntry,
    Outgoing,
    Pending,
    PendingState,
    Result,
    Run,
    Shelf,
    entry_of,
    is_again,
    joined,
    numbered,
    only_local,
    renumbered,
    retargeted,
)
from syncd.limits import REMEMBERED_MESSAGES
from syncd.model import DeviceId, Outcome, Refused, Seq
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.client_events import Marked
from syncd.protocol.outbox import message_of
from syncd.wire.frames import Entry, Message, Verdict


@dataclass(slots=True)
class _Item:
    """One message of the outbox."""

    ticket: int
    outgoing: Outgoing
    message: Message | None
    state: PendingState = PendingState.WAITING
    seq: Seq | None = None
    code: int | None = None
    put_back: bool = False
    """It waits once more, because a restore had lost it; another restore may undo that. Or it was
    refused then, perhaps because it came too early."""


class MemoryShelf:
    """See Shelf."""

    def __init__(self, keep_handed: bool = False) -> None:
        self._keep_handed = keep_handed
        self._kept = Kept()
        self._runs = Runs()
        self._own: dict[int, Entry] = {}
        self._old: dict[tuple[DeviceId, int], OldEntry] = {}
        self._refused_old: set[int] = set()  # these are never put back
        self._was_put_back_in_vain = False
        self._instances: deque[str] = deque(maxlen=INSTANCES_MAX)
        self._outbox: dict[int, _Item] = {}
        self._by_number: dict[int, _Item] = {}
        self._tickets = 0

    def begin(self, server: str, instance: str, token: str | None) -> tuple[events.Loaded, str]:
        kept = self._kept
        if kept.server not in ("", server):
            raise StoreMismatch(kept.server, server)
        kept.server, kept.token = server, token or kept.token
        if kept.token is None:
            raise ValueError("no token was given, and the store holds none")
        self._instances.append(instance)
        return kept.loaded(self._instances), kept.token

    def credentials(self) -> Credentials:
        return self._kept.credentials()

    def log_in(self, answer: Credentials) -> None:
        self._kept.log_in(answer)

    # -------------------------------------------------------- the verdict

    def take_verdict(self, command: commands.TakeVerdict) -> events.VerdictTaken:
        verdict, kept = command.verdict, self._kept
        ages = kept.take(verdict, command.handed) is not None
        self._take_out(verdict)
        if ages:
            self._make_old(command.handed)
            self._make_lost_echoes_old(verdict)
        else:
            self._drop_beyond(verdict)
        self._put_back(verdict)
        numbered = self._number_waiting()
        return events.VerdictTaken(
            self._waiting(), self._accepted(), numbered, kept.handed, kept.era, self._mark_old()
        )

    def _take_out(self, verdict: Verdict) -> None:
        """What was put back and is below `sent` needs no answer: it might read as refused. It was
        accepted again, or refused in an answer that was lost: the log will show which."""
        for item in list(self._by_number.values()):
            waits = item.put_back and item.state is PendingState.WAITING
            if not waits or _number(item) > verdict.sent:
                continue
            self._make_item_old(item, verdict)
            self._kept.look_for_old(verdict.head)

    def _drop_beyond(self, verdict: Verdict) -> None:
        """They come again; but own ones that the server has lost since are put back."""
        lost = [
            entry
            for entry in self._runs.drop_beyond(verdict.start)
            if entry.device == verdict.device and entry.number > verdict.sent
        ]
        for entry in lost:
            self._add_again(entry)

    def _make_old(self, handed: Seq) -> None:
        for entry in self._own.values():
            self._old[entry.device, entry.number] = OldEntry(entry, True, None)
        for seq, entry in self._runs:
            self._old[entry.device, entry.number] = OldEntry(entry, seq <= handed, None)
        self._own.clear()
        self._runs.clear()

    def _make_lost_echoes_old(self, verdict: Verdict) -> None:
        """Accepted messages whose echo may never come, because it may lie below the floor."""
        for item in list(self._by_number.values()):
            if item.state is PendingState.ACCEPTED and _number(item) <= verdict.sent:
                self._make_item_old(item, verdict)

    def _make_item_old(self, item: _Item, verdict: Verdict) -> None:
        assert item.message is not None
        self._remove(item)
        entry = entry_of(item.message, verdict.account, verdict.device)
        self._old.setdefault((entry.device, entry.number), OldEntry(entry, True, None))

    def _put_back(self, verdict: Verdict) -> None:
        for item in self._by_number.values():
            if item.state is PendingState.ACCEPTED and _number(item) > verdict.sent:
                item.state, item.seq, item.put_back = PendingState.WAITING, None, True
        for device, number in sorted(self._old):
            above = device == verdict.device and number > verdict.sent
            if above and number not in self._refused_old:
                self._add_again(self._old[device, number].entry)

    def _add_again(self, entry: Entry) -> None:
        message = message_of(entry)
        if message is not None and entry.number not in self._by_number:
            self._add(message).put_back = True
            self._kept.know(entry.number)

    def _number_waiting(self) -> tuple[tuple[int, int], ...]:
        unnumbered = [item for item in self._outbox.values() if item.message is None]
        for item, number in zip(unnumbered, self._kept.number(len(unnumbered)), strict=True):
            item.message = numbered(number, item.outgoing)
            self._by_number[number] = item
        return tuple((item.ticket, _number(item)) for item in unnumbered)

    def _waiting(self) -> tuple[Message, ...]:
        waiting = [
            item.message
            for item in self._by_number.values()
            if item.state is PendingState.WAITING and item.message is not None
        ]
        return tuple(sorted(waiting, key=lambda message: message.number))

    def _accepted(self) -> tuple[int, ...]:
        return tuple(
            sorted(
                number
                for number, item in self._by_number.items()
                if item.state is PendingState.ACCEPTED
            )
        )

    def _mark_old(self) -> Marked | None:
        mark = self._kept.reached()
        if mark is None:
            return None
        unseen = [(key, old) for key, old in self._old.items() if old.mark is None]
        self._old.update((key, replace(old, mark=mark)) for key, old in unseen)
        return Marked(mark, len(unseen)) if unseen else None

    # -------------------------------------------------------- entries

    def store_batch(self, command: commands.StoreBatch) -> events.BatchStored:
        kept = self._kept
        self._runs.append(command.prev, command.entries)
        kept.position, kept.handed = command.position, command.handed
        for echo in command.echoes:
            if item := self._by_number.get(echo.number):
                self._remove(item)
            self._keep_own(command.entries[echo.seq - command.prev - 1])
        if self._by_number:
            self._note_strangers(command.entries)
        if self._old:
            for entry in command.entries:
                old = self._old.get((entry.device, entry.number))
                if old is None or not is_again(old.entry, entry):
                    continue
                del self._old[entry.device, entry.number]
                if entry.device == kept.device:
                    self._refused_old.discard(entry.number)
                    self._keep_own(entry)
        resent = self._send_again_to_joined(command.entries)
        return events.BatchStored(command.position, command.echoes, self._mark_old(), resent)

    def _note_strangers(self, entries: tuple[Entry, ...]) -> None:
        """Another message under the number of one that was put back: ours needs its answer."""
        for entry in entries:
            if entry.device == self._kept.device and entry.number in self._by_number:
                self._by_number[entry.number].put_back = False

    def _keep_own(self, entry: Entry) -> None:
        if self._keep_handed:
            return
        self._own[entry.number] = entry
        if len(self._own) > REMEMBERED_MESSAGES:
            del self._own[next(iter(self._own))]

    def store_handed(self, command: commands.StoreHanded) -> events.HandedStored:
        self._kept.handed = command.seq
        return events.HandedStored()

    def read(self, era: int, after: Seq) -> Run | None:
        kept = self._kept
        if era != kept.era:
            after = kept.handed
        elif not self._keep_handed:
            self._runs.drop_through(after)  # who asks for the next has finished the one before
        found = self._runs.after(after)
        if found is None or kept.position is None:
            return None
        return Run(kept.era, kept.position.epoch, *found)

    def old(self) -> list[OldEntry]:
        return sorted(self._old.values(), key=lambda old: (old.entry.device, old.entry.number))

    # -------------------------------------------------------- the outbox

    def enqueue(self, outgoing: Sequence[Outgoing]) -> Enqueued:
        if self._kept.counter is None:
            items = [self._add_item(each, None) for each in outgoing]
            return Enqueued(tuple(item.ticket for item in items), ())
        numbers = self._kept.number(len(outgoing))
        messages = tuple(map(numbered, numbers, outgoing))
        return Enqueued(tuple(self._add(message).ticket for message in messages), messages)

    def _add(self, message: Message) -> _Item:
        return self._add_item(_outgoing(message), message)

    def _add_item(self, outgoing: Outgoing, message: Message | None) -> _Item:
        self._tickets += 1
        item = self._outbox[self._tickets] = _Item(self._tickets, outgoing, message)
        if message is not None:
            self._by_number[message.number] = item
        return item

    def _remove(self, item: _Item) -> None:
        del self._outbox[item.ticket]
        self._by_number.pop(_number(item), None)

    def store_answers(self, command: commands.StoreAnswers) -> events.AnswersStored:
        for outcome in command.outcomes:
            item = self._by_number.get(outcome.number)
            if item is not None and item.state is not PendingState.REFUSED:
                self._answer(item, outcome)
        return events.AnswersStored(command.outcomes)

    def _answer(self, item: _Item, outcome: Outcome) -> None:
        kept = self._kept
        assert item.message is not None
        assert kept.account is not None
        assert kept.device is not None
        place = kept.device, outcome.number
        if isinstance(outcome, Refused):
            if item.state is PendingState.WAITING:
                item.state, item.code = PendingState.REFUSED, outcome.refusal.code
                self._was_put_back_in_vain |= item.put_back
                if place in self._old:
                    self._refused_old.add(outcome.number)
        elif kept.has_passed(outcome.seq):
            self._remove(item)
            self._old[place] = only_local(
                self._old.get(place), item.message, kept.account, kept.device
            )
        else:
            item.state, item.seq, item.put_back = PendingState.ACCEPTED, outcome.seq, False

    def pending(self) -> list[Pending]:
        return [
            Pending(
                item.ticket,
                None if item.message is None else item.message.number,
                item.outgoing,
                item.state,
                item.seq,
                item.code,
            )
            for item in self._outbox.values()
        ]

    def forget(self, ticket: int) -> bool:
        item = self._outbox.get(ticket)
        if item is None or item.state is not PendingState.REFUSED:
            return False
        self._remove(item)
        return True

    def resend(self, ticket: int) -> Enqueued | None:
        item = self._outbox.get(ticket)
        if item is None or item.state is not PendingState.REFUSED:
            return None
        messages = self._renew([item])
        return Enqueued((self._tickets,), messages)

    def _send_again_to_joined(self, entries: tuple[Entry, ...]) -> tuple[Message, ...]:
        if not self._was_put_back_in_vain:  # nearly always: then a batch costs nothing here
            return ()
        groups = joined(entries, self._kept.account)
        return self._renew(
            item
            for number, item in sorted(self._by_number.items())
            if item.put_back
            and item.state is PendingState.REFUSED
            and item.code == errors.NOT_A_MEMBER.code
            and item.outgoing.conversation in groups
        )

    def _renew(self, items: Iterable[_Item]) -> tuple[Message, ...]:
        """Refused ones, in number order, become new ones."""
        refused = [(_number(item), item.outgoing) for item in items]
        if not refused:
            return ()
        for number, _ in refused:
            self._remove(self._by_number[number])
        assert self._kept.device is not None
        numbers = self._kept.number(len(refused))
        messages, moved = renumbered(refused, numbers, self._kept.device)
        for number, item in self._by_number.items():
            if item.state is PendingState.REFUSED:
                item.outgoing = retargeted(item.outgoing, moved)
                item.message = numbered(number, item.outgoing)
        for message in messages:
            self._add(message)
        return messages


def _number(item: _Item) -> int:
    assert item.message is not None
    return item.message.number


def _outgoing(message: Message) -> Outgoing:
    return Outgoing(message.kind, message.conversation, message.target, message.body)


class MemoryStore:
    """See ClientStore. Its calls never wait, so virtual time can drive them, too."""

    durable = False

    def __init__(self, keep_handed: bool = False) -> None:
        self.shelf: Shelf = MemoryShelf(keep_handed)

    async def open(self) -> None:
        return

    async def call(self, work: Callable[[Shelf], Result]) -> Result:
        return work(self.shelf)

    async def close(self) -> None:
        return
