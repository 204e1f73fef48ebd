"""One device of one account, as the application holds it: entries in, messages out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from typing import NamedTuple

from syncd import limits
from syncd.client.exceptions import SendRefused, ServerSkipped, exception_for
from syncd.client.interpreter import Interpreter, Request
from syncd.client.line import Dialler
from syncd.client.outgoing import body_of, conversation_of, kind_of, outgoing_of
from syncd.client.store import ClientStore, Enqueued, OldEntry, Outgoing, Pending, Run
from syncd.client.verbs import Verbs
from syncd.client.waiting import Bell
from syncd.model import (
    Accepted,
    AccountId,
    DeviceId,
    Epoch,
    Identity,
    Kind,
    Outcome,
    Position,
    Refused,
    Seq,
    direct,
)
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.client import Client
from syncd.protocol.client_table import State
from syncd.wire.frames import Entry, Signal, Verdict

_HANDED_DELAY_S = 1.0
"""Within a long run of entries, how often the application's progress is noted."""


class Item(NamedTuple):
    """One entry in its place. Delivery is at least once: `entry.identity` tells twins."""

    seq: Seq
    epoch: Epoch
    entry: Entry
    era: int
    """Of the device's store: with another one the log is told again, from its floor on."""


class Device(Verbs):
    """Made by `connect`. One task at a time may iterate; any number may send and wait.

    Iterating yields the log's entries in order, across restarts and reconnects; asking for the
    next entry finishes the one before. It ends when the device is closed, and raises when the
    device is stopped (see exceptions.py), after what is stored was handed out.
    """

    def __init__(
        self,
        client: Client,
        store: ClientStore,
        dialler: Dialler,
        hear: Callable[[commands.News], None] | None,
    ) -> None:
        self.verdict: Verdict | None = None
        """The last verdict that was taken: whether anything was missed, and how much."""
        self.skipped: ServerSkipped | None = None
        """With verify_start=False: what the check would have said, the last time it would have."""
        self._client = client
        self.store = store
        """Where it keeps everything, its credentials too; open while the device runs."""
        self._hear = hear
        self._bell = Bell()
        self._end: commands.StopReason | BaseException | None = None
        self._by_ticket: dict[int, asyncio.Future[Outcome]] = {}
        self._by_number: dict[int, asyncio.Future[Outcome]] = {}
        self._requests: dict[Request, None] = {}  # in the order in which they were made
        self._closing: asyncio.Future[None] | None = None
        self._items: Iterable[Item] = iter(())
        self._era = -1
        self._place: Seq = 0
        self._given: Seq = 0
        self._handing: asyncio.TimerHandle | None = None
        self._interpreter = Interpreter(client, store, dialler, self)

    def __repr__(self) -> str:
        return f"<Device of {self._client!r}>"

    # -------------------------------------------------------- what it knows

    @property
    def account(self) -> AccountId | None:
        """Whose device this is; None before a login or first verdict; a merge may change it."""
        return self._client.account

    @property
    def device_id(self) -> DeviceId | None:
        """Which device this is; None before a store's first verdict."""
        return self._client.device

    @property
    def aliases(self) -> tuple[AccountId, ...]:
        """The accounts that were merged into this one: what `View` and `Unread` take."""
        return self._client.aliases

    @property
    def position(self) -> Position | None:
        """Up to where entries are stored."""
        return self._client.place.stored

    @property
    def floor(self) -> Seq:
        """Up to where retention dropped the log, as far as it was heard: what `View.trim` takes."""
        return self._client.floor

    @property
    def state(self) -> str:
        """The client's state, by its name in the state table."""
        return self._client.state.value if self._end is None else State.STOPPED.value

    async def caught_up(self) -> None:
        """Wait until everything up to the head is stored, as of the last verdict or batch."""
        await self._until(self._is_caught_up)

    def _is_caught_up(self) -> bool:
        client, stored = self._client, self._client.place.stored
        return client.state is State.SYNCING and stored is not None and stored.seq == client.head

    async def pending(self) -> list[Pending]:
        """Own messages that are queued, accepted but not yet seen in the log, or refused."""
        return await self.store.call(lambda shelf: shelf.pending())

    async def forget(self, ticket: int) -> bool:
        """Remove a refused message from the outbox. To have it sent all the same: `resend`."""
        return await self.store.call(lambda shelf: shelf.forget(ticket))

    async def old(self) -> list[OldEntry]:
        """Entries from before a reset or truncation that the server's log did not show again.

        They are not iterated over; one that is not `handed` is shown here only.
        """
        return await self.store.call(lambda shelf: shelf.old())

    async def history(self) -> AsyncIterator[Item]:
        """Every entry of the log that the store still holds, finished or not; none twice, unless
        the log is told again meanwhile (then with another era).

        With a durable store a new run makes its view from it, then iterates from where the last run
        had come; a memory store lets go of what was finished. After a truncation or a reset this is
        the log as the server has it from there on; what the store held before is in `old`.
        """
        era, place = self._client.place.era, 0
        while (run := await self._read(era, place)) is not None:
            if run.era != era:
                era, place = run.era, 0
                continue
            for item in _items(run):
                yield item
            place = run.prev + len(run.entries)

    # -------------------------------------------------------- entries

    def __aiter__(self) -> Device:
        return self

    async def __anext__(self) -> Item:
        for item in self._items:
            self._given = item.seq
            return item
        return await self._next_run()

    async def _next_run(self) -> Item:
        self._finish(self._given)
        while True:
            heard = self._bell.rings
            run = await self._read(self._era, self._place)
            if run is not None:
                break
            self._raise_if_over(at_end=StopAsyncIteration())
            await self._bell.wait(heard)
        self._items = _items(run)
        self._era, self._place, self._given = run.era, run.prev + len(run.entries), run.prev
        if self._handing is None and len(run.entries) > 1:
            self._note_progress()
        return await self.__anext__()

    async def _read(self, era: int, after: Seq) -> Run | None:
        return await self.store.call(lambda shelf: shelf.read(era, after))

    def _finish(self, seq: Seq) -> None:
        if self._era >= 0:
            self._interpreter.tell(events.Handed(self._era, seq))

    def _note_progress(self) -> None:
        """While a long run is worked through, tell now and then how far."""
        if self._given > 0 and self._handing is not None:
            self._finish(self._given - 1)
        busy = self._given < self._place and self._end is None
        loop = asyncio.get_running_loop()
        self._handing = loop.call_later(_HANDED_DELAY_S, self._note_progress) if busy else None

    # -------------------------------------------------------- messages

    async def send(
        self,
        conversation: str,
        body: bytes,
        *,
        kind: int = Kind.MESSAGE,
        target: Identity | None = None,
    ) -> Accepted:
        """Send a message and wait until it is durable on the server.

        It is in the outbox first, and stays there if this is cancelled: it will be sent all the
        same. Raises SendRefused when it is refused for ever; TypeError and ValueError for what is
        no message, and then nothing is in the outbox.
        """
        [outcome] = await self._send([outgoing_of(kind, conversation, target, body)])
        return _accepted(outcome)

    async def send_to(self, account: str, body: bytes) -> Accepted:
        """Send a message to one account, in the direct conversation with it.

        A store that does not know its own account yet waits for its first verdict.
        """
        body = body_of(body)  # what can never be sent does not wait
        await self._until(lambda: self.account is not None)
        assert self.account is not None
        return await self.send(direct(self.account, AccountId(account)), body)

    async def send_many(self, conversation: str, bodies: Iterable[bytes]) -> list[Outcome]:
        """Send messages in this order; what became of each. Raises SendRefused for one that is
        too large, and then sends none."""
        return await self._send(
            [outgoing_of(Kind.MESSAGE, conversation, None, body) for body in bodies]
        )

    async def enqueue(
        self,
        conversation: str,
        body: bytes,
        *,
        kind: int = Kind.MESSAGE,
        target: Identity | None = None,
    ) -> int | None:
        """Put a message into the outbox and wait only for that. Its number; None before the
        store's first verdict, which will give it one. `pending` shows what became of it."""
        request = self._request([outgoing_of(kind, conversation, target, body)])
        done = await request.queued
        return done.messages[0].number if done.messages else None

    async def resend(self, ticket: int) -> Accepted:
        """Send a refused message again, as a new one: under a new number, so that nothing of the
        refusal clings to it. What a restored server refused may have come back too early: before
        its group, or before what it is about, which other devices still held.

        ticket: of a message that `pending` shows as refused; it is gone there, a new one takes its
        place, and refused messages that are about it are about the new one. Waits, stays and raises
        as `send` does; KeyError for any other ticket, and then nothing is done.
        """
        [outcome] = await self._answers_of(self._request((), ticket), 1)
        return _accepted(outcome)

    async def _send(self, outgoing: Sequence[Outgoing]) -> list[Outcome]:
        return await self._answers_of(self._request(outgoing), len(outgoing))

    async def _answers_of(self, request: Request, count: int) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        request.answers += (loop.create_future() for _ in range(count))
        try:
            await request.queued
        except asyncio.CancelledError:
            for answer in request.answers:
                answer.cancel()
            raise
        return await asyncio.gather(*request.answers)

    def _request(self, outgoing: Sequence[Outgoing], refused: int | None = None) -> Request:
        self._raise_if_over()
        queued = asyncio.get_running_loop().create_future()
        request = Request(outgoing, queued, refused=refused)
        self._requests[request] = None
        request.queued.add_done_callback(lambda _: self._requests.pop(request))
        self._interpreter.tell(request)
        return request

    def signal(self, conversation: str, kind: int, body: bytes = b"") -> None:
        """Tell the connected devices of a conversation's members something that is true just now;
        lost without a word where there is no connection.

        kind: 1 = typing, 2 = here, 3 = away. Others hear it as Signalled, through `hear`.
        Raises ValueError for a body of more than 256 bytes, TypeError as `send` does.
        """
        frame = Signal(conversation_of(conversation), kind_of(kind), body_of(body))
        if len(frame.body) > limits.SIGNAL_BYTES_MAX:
            raise ValueError(f"a signal has at most {limits.SIGNAL_BYTES_MAX} bytes")
        self._raise_if_over()
        self._interpreter.tell(events.Signalling(frame))

    # -------------------------------------------------------- the end

    async def close(self) -> None:
        """Acknowledge what is stored, close the connection and the store. Idempotent."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)  # a cancelled caller leaves no file open

    def abort(self) -> None:
        """End here and now, as if the process were killed; the store is its opener's to close."""
        self._interpreter.abort()

    async def _close(self) -> None:
        if self._handing is not None:
            self._handing.cancel()
        if self._given > 0:
            self._finish(self._given - 1)  # the one being worked on is not finished
        self._interpreter.tell(events.CloseRequested())
        try:
            # The end of a program cancels this task, too: whoever it waits for is then over.
            with suppress(asyncio.CancelledError):
                while self._end is None:
                    await self._bell.wait(self._bell.rings)
            await self._interpreter.settle()
        finally:
            await self.store.close()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while True:
            self._raise_if_over()
            if condition():
                return
            await self._bell.wait(self._bell.rings)

    def _raise_if_over(self, at_end: BaseException | None = None) -> None:
        if self._end is not None:
            closed = isinstance(self._end, commands.Requested)
            raise at_end if at_end is not None and closed else exception_for(self._end)

    # -------------------------------------------------------- called by the interpreter

    def start(self, loaded: events.Loaded) -> None:
        """Called once by `connect`: the store is open. Not for applications."""
        self._interpreter.tell(loaded)

    def hear(self, news: commands.News) -> None:
        """Called by the interpreter: news, which goes on to the `hear` of `connect`."""
        match news:
            case commands.Judged(verdict):
                self.verdict = verdict
            case commands.Skipped(stated, start, missed):
                self.skipped = ServerSkipped(stated, start, missed)
            case commands.Numbered(pairs):
                for ticket, number in pairs:
                    if future := self._by_ticket.pop(ticket, None):
                        self._by_number[number] = future
            case commands.Answered(outcomes):
                for outcome in outcomes:
                    future = self._by_number.pop(outcome.number, None)
                    if future is not None and not future.done():
                        future.set_result(outcome)
        if self._hear is not None:
            self._hear(news)

    def enqueued(self, request: Request, done: Enqueued) -> None:
        """Called by the interpreter: the request's messages are in the outbox."""
        if done.messages:
            keys = [message.number for message in done.messages]
            self._by_number.update(zip(keys, request.answers, strict=False))
        else:
            self._by_ticket.update(zip(done.tickets, request.answers, strict=False))
        if not request.queued.done():
            request.queued.set_result(done)

    def stopped(self, reason: commands.StopReason | BaseException) -> None:
        """Called by the interpreter: it is over, and all who wait raise."""
        self._end = reason
        for request in list(self._requests):
            if not request.queued.done():
                request.queued.set_exception(exception_for(reason))
        for future in (*self._by_ticket.values(), *self._by_number.values()):
            if not future.done():
                future.set_exception(exception_for(reason))
        self._bell.ring()

    def changed(self) -> None:
        """Called by the interpreter: whoever waits may look again."""
        self._bell.ring()


def _items(run: Run) -> Iterator[Item]:
    seqs = range(run.prev + 1, run.prev + 1 + len(run.entries))
    return map(Item, seqs, repeat(run.epoch), run.entries, repeat(run.era))


def _accepted(outcome: Outcome) -> Accepted:
    if isinstance(outcome, Refused):
        raise SendRefused(outcome.refusal, outcome.number)
    return outcome
