"""A bell: whoever waits for a change looks again when it rings, and when its time is up."""

from __future__ import annotations

import asyncio


class Bell:
    """Carries no news itself: what it wakes reads the state, and perhaps waits again."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def ring(self) -> None:
        """Something may have changed, be it only the time on a clock that was moved."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, at_most_s: float) -> bool:
        """Whether it rang before that many seconds were over."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(at_most_s):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return True
