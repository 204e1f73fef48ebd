"""The one interpreter of a client's commands: a real socket, a real store, the real clock.

One task per connection reads and handles; everything else (timers, the application) leaves its
event in the inbox and, when nobody is at it, starts a task that handles it. Events are handled
one at a time, and the store's answer to a command before the next event.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from syncd.client.exceptions import ClientError
from syncd.client.line import Dialled, Dialler
from syncd.client.store import ClientStore, Enqueued, Outgoing
from syncd.errors import Refusal
from syncd.model import Outcome
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.client import Client

_log = logging.getLogger("syncd.client")


class Audience(Protocol):
    """Who hears what happens. Called between events; must not wait."""

    def hear(self, news: commands.News) -> None:
        """News of the protocol."""

    def enqueued(self, request: Request, done: Enqueued) -> None:
        """The request's messages are in the outbox; called before any of their answers."""

    def stopped(self, reason: commands.StopReason | BaseException) -> None:
        """It is over; nothing follows. An exception: the store, or a bug."""

    def changed(self) -> None:
        """Events were handled: whoever waits for something may look again."""


@dataclass(eq=False, slots=True)
class Request:
    """The application's wish to put messages into the outbox.

    refused: the ticket of a refused one that is to be queued as new, instead of `outgoing`; where
        there is no such one, `queued` raises KeyError.
    """

    outgoing: Sequence[Outgoing]
    queued: asyncio.Future[Enqueued]
    answers: list[asyncio.Future[Outcome]] = field(default_factory=list)
    refused: int | None = None


class Interpreter:
    """Runs one client, from `start` to `stopped`."""

    def __init__(
        self, client: Client, store: ClientStore, dialler: Dialler, audience: Audience
    ) -> None:
        self._client = client
        self._store = store
        self._dialler = dialler
        self._audience = audience
        self._loop = asyncio.get_running_loop()
        self._inbox: deque[events.ClientEvent | Request] = deque()
        self._asked: deque[commands.ClientCommand] = deque()
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._dialled: Dialled | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    def tell(self, event: events.ClientEvent | Request) -> None:
        """Something happened. Handled at once if possible, else soon and in order."""
        if self._over:
            return
        if self._turn.locked() or self._inbox or self._asked:
            self._inbox.append(event)  # somebody is at it and will not leave before it is empty
            return
        if isinstance(event, Request):
            self._inbox.append(event)
            self._keep(self._work())
            return
        # Most of what is told here asks for nothing: no task for that.
        self._asked += self._client.handle(event, self._loop.time())
        if self._asked:
            self._keep(self._work())
        else:
            self._arm()

    async def settle(self) -> None:
        """Wait until the tasks of the interpreter have ended; to be called once it is over."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._dialled is not None:
            self._dialled.close(None)
        tasks = self._tasks - {asyncio.current_task()}
        if tasks:
            await asyncio.wait(tasks)
        if self._dialled is not None:
            await self._dialled.closed()

    def abort(self) -> None:
        """End as a process does that is killed: no goodbye, and no further step of any task."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._dialled is not None:
            self._dialled.cut()
        for task in self._tasks:
            task.cancel()
        self._audience.stopped(commands.Requested())

    def _keep(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            # Nobody here does that: the program ends, and asyncio.run cancels every task there is.
            # What this one was at is lost, so there is no going on, and nobody may wait for it.
            if self._dialled is not None:
                self._dialled.cut()
            self._end(commands.Requested())
        elif (error := task.exception()) is not None:
            self._fail(error)

    # -------------------------------------------------------- the loop

    async def _work(self) -> None:
        """Handle what is in the inbox, then let others look. Never raises."""
        async with self._turn:
            try:
                while not self._over:
                    if self._asked:
                        await self._perform(self._asked.popleft())
                    elif self._inbox:
                        await self._take(self._inbox.popleft())
                    else:
                        break
            except Exception as error:
                self._fail(error)
            self._arm()
        self._audience.changed()

    async def _take(self, event: events.ClientEvent | Request) -> None:
        if isinstance(event, Request):
            event = await (self._enqueue(event) if event.refused is None else self._resend(event))
        self._asked += self._client.handle(event, self._loop.time())

    async def _resend(self, request: Request) -> events.Queued:
        ticket = request.refused
        assert ticket is not None
        done = await self._store.call(lambda shelf: shelf.resend(ticket))
        if done is not None:
            self._audience.enqueued(request, done)
            return events.Queued(done.messages)
        if not request.queued.done():
            request.queued.set_exception(KeyError(ticket))
        return events.Queued(())

    async def _enqueue(self, first: Request) -> events.Queued:
        """Put waiting messages into the outbox: all that wait for it, in one transaction."""
        requests = [first]
        while self._inbox and isinstance(following := self._inbox[0], Request):
            if following.refused is not None:
                break
            self._inbox.popleft()
            requests.append(following)
        outgoing = [each for request in requests for each in request.outgoing]
        done = await self._store.call(lambda shelf: shelf.enqueue(outgoing))
        begin = 0
        for request in requests:
            end = begin + len(request.outgoing)
            part = Enqueued(done.tickets[begin:end], done.messages[begin:end])
            self._audience.enqueued(request, part)
            begin = end
        return events.Queued(done.messages)

    async def _perform(self, command: commands.ClientCommand) -> None:
        answer: events.ClientEvent
        match command:
            case commands.StoreBatch():
                answer = await self._store.call(lambda shelf: shelf.store_batch(command))
            case commands.SendFrame(frame):
                if self._dialled is not None:
                    await self._dialled.send(frame)
                return
            case commands.StoreAnswers():
                answer = await self._store.call(lambda shelf: shelf.store_answers(command))
            case commands.StoreHanded():
                answer = await self._store.call(lambda shelf: shelf.store_handed(command))
            case commands.TakeVerdict():
                answer = await self._store.call(lambda shelf: shelf.take_verdict(command))
            case commands.Report(news):
                if isinstance(news, commands.Unreachable):
                    _log.warning("cannot connect to %s: %s", self._dialler.url, news.reason)
                self._audience.hear(news)
                return
            case commands.Connect():
                _log.debug("= %r", self._client)
                self._dialled = self._dialler.dial()
                self._keep(self._converse(self._dialled))
                return
            case commands.Close(refusal):
                self._close(refusal)
                return
            case commands.Stop(reason):
                _log.debug("= %r %r", self._client, reason)
                self._end(reason)
                return
        self._asked += self._client.handle(answer, self._loop.time())

    def _close(self, refusal: Refusal | None) -> None:
        _log.debug("x %r %s", self._client, refusal.name if refusal else "normal")
        if self._dialled is not None:
            self._dialled.close(refusal)

    def _fail(self, error: BaseException) -> None:
        """The store failed, or there is a bug: nothing can be promised any more."""
        if not isinstance(error, ClientError):
            _log.error("! %r", self._client, exc_info=error)
        self._end(error)

    def _end(self, reason: commands.StopReason | BaseException) -> None:
        if not self._over:
            self._over = True
            self._close(None)
            self._audience.stopped(reason)

    # -------------------------------------------------------- the socket

    async def _converse(self, dialled: Dialled) -> None:
        """One connection, from dialling to its end."""
        if await dialled.connect():
            self._inbox.append(events.Connected())
            await self._work()
            while (event := await dialled.receive()) is not None:
                self._inbox.append(event)
                await self._work()
        self._dialled = None
        ended = dialled.disconnected()
        _log.info("x %r %s %s", self._client, ended.code, ended.reason)
        self.tell(ended)

    # -------------------------------------------------------- the clock

    def _arm(self) -> None:
        """See to it that TimePassed comes in time. A timer that is early looks again, so that a
        deadline which every frame moves costs nothing."""
        due = None if self._over else self._client.deadline()
        if self._timer is not None:
            if due is None or self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        self._timer = None
        due = None if self._over else self._client.deadline()
        if due is None:
            return
        if due > self._loop.time():
            self._arm()
        else:
            self.tell(events.TimePassed())
