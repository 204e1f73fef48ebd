"""One timer for all connections: whoever named a deadline is told when it has come.

A timer per socket costs memory and a wake of the loop each; here one task looks at a heap a few
times a second. A connection stands in the heap at most once; a deadline that moved later is
noticed when the old one is popped, so moving it costs nothing.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import Protocol

_LOOK_INTERVAL_S = 0.25
"""How late a deadline may be noticed; the shortest is 5 s."""


class Timed(Protocol):
    """Whoever has a deadline."""

    def deadline(self) -> float | None:
        """When, in seconds of the loop's clock; None when it has none (any more)."""

    def time_passed(self, now: float) -> None:
        """The deadline has come. Must not raise and must not wait."""


class Deadlines:
    """Owns no task: `run` is the body of one that the assembler starts and cancels."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timed]] = []
        self._watched: set[Timed] = set()
        self._serial = count()

    def add(self, timed: Timed) -> None:
        """Watch the deadlines of `timed` until it has none; watching it already is no error."""
        due = timed.deadline()
        if due is not None and timed not in self._watched:
            self._watched.add(timed)
            heapq.heappush(self._heap, (due, next(self._serial), timed))

    async def run(self) -> None:
        """Serve for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_INTERVAL_S)
            self.tell(loop.time())

    def tell(self, now: float) -> None:
        """Tell everybody whose deadline has come, once: whoever leaves its deadline in the past
        is told again at the next look, and cannot hold up the others."""
        popped: list[Timed] = []
        while self._heap and self._heap[0][0] <= now:
            _, _, timed = heapq.heappop(self._heap)
            self._watched.discard(timed)
            popped.append(timed)
        for timed in popped:
            due = timed.deadline()
            if due is not None and due <= now:
                timed.time_passed(now)
            self.add(timed)
