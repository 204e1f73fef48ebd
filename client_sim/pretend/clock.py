"""An event loop without a clock on the wall: time moves only where nothing else can happen.

It knows callbacks, timers, futures and tasks; no sockets, threads, signals or processes. What is
due at the same moment is done in the order in which it was asked for, so a run has one history.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context
from itertools import count
from typing import Any, TypeVar, TypeVarTuple, Unpack, cast

Result = TypeVar("Result")
Ts = TypeVarTuple("Ts")

STEPS_AT_ONCE_MAX = 500_000
"""Steps without any time passing after which the world is taken to run in a circle: a run of a
minute takes fewer in all."""

LIFETIME_S = 6 * 3600.0
"""Nothing that a play waits for takes hours; but a server that runs always has something to do."""


class StandsStill(Exception):
    """Nothing is due, or time does not pass any more: what was waited for will never happen."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """An event loop in virtual time, which begins at 0.

    complain: told, in words, of every exception that nobody caught.
    """

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._serial = count()
        self._running = False
        self._closed = False

    # -------------------------------------------------------- running

    def run_until_complete(
        self, future: Generator[Any, None, Result] | Awaitable[Result]
    ) -> Result:
        """What the future results in. Raises StandsStill, and what it raises."""
        task: asyncio.Future[Result] = asyncio.ensure_future(
            cast("Awaitable[Result]", future), loop=self
        )
        before = events._get_running_loop()
        assert before is None, "a world does not run inside another loop"
        events._set_running_loop(self)
        self._running = True
        try:
            self._turn(task.done)
        finally:
            self._running = False
            events._set_running_loop(None)
        return task.result()

    def _turn(self, done: Callable[[], bool]) -> None:
        ready, timers = self._ready, self._timers
        steps = 0
        while not done():
            if ready:
                handle = ready.popleft()
                steps += 1
                if steps > STEPS_AT_ONCE_MAX:
                    raise StandsStill(f"at {self._now:.3f} s the world runs in a circle")
            elif timers:
                when, _, handle = heapq.heappop(timers)
                if handle.cancelled():
                    continue
                if when > LIFETIME_S:
                    raise StandsStill("hours have passed, and what was waited for did not happen")
                if when > self._now:
                    self._now, steps = when, 0
            else:
                raise StandsStill(f"at {self._now:.3f} s nothing is due, and nothing ever will be")
            if not handle.cancelled():
                handle._run()

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Forget everything that was due. Idempotent."""
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    async def shutdown_asyncgens(self) -> None:
        """Nothing: whoever iterates here is a task, and ends as one."""

    async def shutdown_default_executor(self) -> None:
        """Nothing: there are no threads."""

    # -------------------------------------------------------- what is due

    def time(self) -> float:
        """Seconds since this world began."""
        return self._now

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._serial), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Called by a timer; it is passed over when it is due."""

    # -------------------------------------------------------- futures and tasks

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    # -------------------------------------------------------- trouble

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Nothing: a history tells more."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Complain, unless the world is over and only being swept up."""
        if not self._closed:
            error = context.get("exception")
            text = str(context.get("message", "an error"))
            self._complain(text if error is None else f"{text}: {error!r}")
