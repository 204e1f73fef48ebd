"""A device's store that tells the history what became durable, in the moment in which it did.

Told inside the transaction's own call, so that a process that dies right after it has told it: what
a store holds and what the history says of it are never two things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from client_sim import history
from client_sim.history import fingerprint
from client_sim.recorded_line import Tell, identity
from syncd.client.store import (
    ClientStore,
    Credentials,
    Enqueued,
    OldEntry,
    Outgoing,
    Pending,
    Result,
    Run,
    Shelf,
)
from syncd.model import Kind, Position, members_of_direct
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.wire.frames import Message

_OWN_ONLY = (Kind.READ, Kind.DELETE)


class RecordedStore:
    """See ClientStore.

    device, account: whose store it is, as records name them. now: the clock of the records.
    """

    def __init__(
        self, store: ClientStore, device: str, account: str, tell: Tell, now: Callable[[], float]
    ) -> None:
        self.durable = store.durable
        self.waiting: set[int] = set()
        """Numbers of own messages without an answer; whole from this run's first verdict on."""
        self._store = store
        self._device = device
        self._account = account
        self._tell = tell
        self._now = now
        self._recorded: RecordedShelf | None = None

    async def open(self) -> None:
        """See ClientStore."""
        await self._store.open()

    async def call(self, work: Callable[[Shelf], Result]) -> Result:
        """See ClientStore."""
        return await self._store.call(lambda shelf: work(self._around(shelf)))

    async def close(self) -> None:
        """See ClientStore."""
        await self._store.close()

    def _around(self, shelf: Shelf) -> RecordedShelf:
        if self._recorded is None or self._recorded.shelf is not shelf:
            self._recorded = RecordedShelf(shelf, self)
        return self._recorded

    def tell_sent(self, messages: Iterable[Message]) -> None:
        """These got their numbers in the outbox."""
        for message in messages:
            self.waiting.add(message.number)
            self._tell(
                history.Send(
                    at=self._now(),
                    device=self._device,
                    message=identity(self._device, message.number),
                    body=fingerprint(message.body, message.kind, message.target),
                    to=self._logs_of(message),
                    kind=message.kind,
                    conversation=message.conversation,
                    size=len(message.body),
                )
            )

    def _logs_of(self, message: Message) -> tuple[str, ...]:
        """The accounts whose logs must hold it; empty where only the server knows its group."""
        if message.kind in _OWN_ONLY:
            return (self._account,)
        return tuple(dict.fromkeys(members_of_direct(message.conversation) or ()))

    def tell_applied(self, prev: int, place: Position) -> None:
        """Entries prev+1 .. place.seq are stored, and the place with them."""
        self._tell(
            history.Applied(
                at=self._now(),
                device=self._device,
                epoch=place.epoch.hex(),
                prev=prev,
                to=place.seq,
            )
        )


class RecordedShelf:
    """See Shelf."""

    def __init__(self, shelf: Shelf, record: RecordedStore) -> None:
        self.shelf = shelf
        self._record = record

    def begin(self, server: str, instance: str, token: str | None) -> tuple[events.Loaded, str]:
        """See Shelf."""
        return self.shelf.begin(server, instance, token)

    def credentials(self) -> Credentials:
        """See Shelf."""
        return self.shelf.credentials()

    def log_in(self, answer: Credentials) -> None:
        """See Shelf."""
        self.shelf.log_in(answer)

    def take_verdict(self, command: commands.TakeVerdict) -> events.VerdictTaken:
        """See Shelf."""
        taken = self.shelf.take_verdict(command)
        verdict = command.verdict
        self._record.tell_applied(
            verdict.start, Position(verdict.epoch, verdict.start, verdict.chain)
        )
        self._record.waiting = {message.number for message in taken.outbox}
        if taken.numbered:
            new = {number for _, number in taken.numbered}
            self._record.tell_sent(message for message in taken.outbox if message.number in new)
        return taken

    def store_batch(self, command: commands.StoreBatch) -> events.BatchStored:
        """See Shelf."""
        stored = self.shelf.store_batch(command)
        self._record.tell_applied(command.prev, command.position)
        self._record.waiting.difference_update(echo.number for echo in command.echoes)
        self._record.tell_sent(stored.resent)
        return stored

    def store_answers(self, command: commands.StoreAnswers) -> events.AnswersStored:
        """See Shelf."""
        stored = self.shelf.store_answers(command)
        self._record.waiting.difference_update(outcome.number for outcome in command.outcomes)
        return stored

    def store_handed(self, command: commands.StoreHanded) -> events.HandedStored:
        """See Shelf."""
        return self.shelf.store_handed(command)

    def enqueue(self, outgoing: Sequence[Outgoing]) -> Enqueued:
        """See Shelf."""
        done = self.shelf.enqueue(outgoing)
        self._record.tell_sent(done.messages)
        return done

    def resend(self, ticket: int) -> Enqueued | None:
        """See Shelf."""
        done = self.shelf.resend(ticket)
        if done is not None:
            self._record.tell_sent(done.messages)
        return done

    def read(self, era: int, after: int) -> Run | None:
        """See Shelf."""
        return self.shelf.read(era, after)

    def pending(self) -> list[Pending]:
        """See Shelf."""
        return self.shelf.pending()

    def forget(self, ticket: int) -> bool:
        """See Shelf."""
        return self.shelf.forget(ticket)

    def old(self) -> list[OldEntry]:
        """See Shelf."""
        return self.shelf.old()
