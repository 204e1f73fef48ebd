"""An event loop whose clock moves only where nothing else can happen: hours cost nothing.

For code that neither waits for sockets nor for threads.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _NoWaiting(selectors.DefaultSelector):
    """Instead of waiting for a socket, the clock is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "the world stands still and nothing would ever happen"
        self.waited += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only where nothing else can happen."""

    def __init__(self) -> None:
        self._no_waiting = _NoWaiting()
        super().__init__(self._no_waiting)

    def time(self) -> float:
        return self._no_waiting.waited


def in_virtual_time(play: Coroutine[Any, Any, Result]) -> Result:
    """Run `play` to its end on a loop of its own."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(play)
    finally:
        loop.close()
