"""Whether a PC's server is in reach: it is, it is not, or the first attempt has not decided yet."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Reach:
    """What was last heard of the line to the server. It begins undecided."""

    def __init__(self) -> None:
        self._up, self._down = asyncio.Event(), asyncio.Event()

    @property
    def up(self) -> bool:
        """Whether a connection is up, and a verdict was given on it."""
        return self._up.is_set()

    def begin(self) -> None:
        """Nothing is known any more."""
        self._up.clear()
        self._down.clear()

    def gain(self) -> None:
        """There is a connection."""
        self._down.clear()
        self._up.set()

    def lose(self) -> None:
        """There is none: what waits for the server waits no more."""
        self._up.clear()
        self._down.set()

    async def decided(self) -> None:
        """Wait for the attempt that is under way, if any."""
        await self.during(self._up.wait())

    async def during(self, waiting: Coroutine[Any, Any, T]) -> T | None:
        """What `waiting` gives; None, and it is cancelled, when the server is out of reach before
        that or at once."""
        wanted = asyncio.ensure_future(waiting)
        cut = asyncio.ensure_future(self._down.wait())
        try:
            await asyncio.wait([wanted, cut], return_when=asyncio.FIRST_COMPLETED)
            return wanted.result() if wanted.done() else None
        finally:
            for each in (wanted, cut):
                each.cancel()
            await asyncio.gather(wanted, cut, return_exceptions=True)
