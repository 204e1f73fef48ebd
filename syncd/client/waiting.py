"""A bell: tells waiters that something changed, never what; rings are counted, none is missed."""

from __future__ import annotations

import asyncio


class Bell:
    """Read `rings`, look at the world, and `wait` with that number: a ring in between counts."""

    __slots__ = ("_waiters", "rings")

    def __init__(self) -> None:
        self.rings = 0
        self._waiters: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Wake everybody who waits."""
        self.rings += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, heard: int) -> None:
        """Return once there was a ring after number `heard`."""
        if self.rings == heard:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
