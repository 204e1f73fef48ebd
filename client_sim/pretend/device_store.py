"""The durable store of a pretended device: it outlives every run of the app, and takes its time.

What a run asked for is done in order, some time later; before or after that moment the process may
die. Of a dead run nothing is done any more, and nobody gets an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy

from client_sim.pretend.world import World
from syncd.client.memory_store import MemoryShelf
from syncd.client.store import Result, Shelf

_LATENCY_MAX_S = 0.02
_TICK_S = 1e-6


class Drawer:
    """What one device keeps, and the copy that was put aside."""

    def __init__(self) -> None:
        self.shelf = MemoryShelf(keep_handed=True)
        self._copy: MemoryShelf | None = None

    def copy(self) -> None:
        """Put aside what it keeps now."""
        self._copy = deepcopy(self.shelf)

    def empty(self) -> None:
        """Lose everything but the copy."""
        self.shelf = MemoryShelf(keep_handed=True)

    def set_back(self) -> bool:
        """Keep again what was put aside; False where nothing was."""
        if self._copy is None:
            return False
        self.shelf = deepcopy(self._copy)
        return True

    def clone(self) -> Drawer:
        """Another one with the same in it."""
        other = Drawer()
        other.shelf = deepcopy(self.shelf)
        return other


class PretendStore:
    """See ClientStore: one run's way to its drawer."""

    durable = True

    def __init__(self, world: World, device: str, drawer: Drawer) -> None:
        self._world = world
        self._random = world.chance(f"store {device}")
        self._drawer = drawer
        self._alive = True
        self._free_at = 0.0

    def abandon(self) -> None:
        """The process is dead."""
        self._alive = False

    async def open(self) -> None:
        return

    async def call(self, work: Callable[[Shelf], Result]) -> Result:
        await self._pass()
        result = work(self._drawer.shelf)
        if self._random.random() < 0.25:  # it may die right after the disk took it
            await self._pass()
        return result

    async def close(self) -> None:
        return

    async def _pass(self) -> None:
        loop = self._world.loop
        latency = self._random.random() * _LATENCY_MAX_S
        self._free_at = max(self._free_at + _TICK_S, loop.time() + latency)
        await asyncio.sleep(self._free_at - loop.time())
        if not self._alive:
            await self._world.never()
