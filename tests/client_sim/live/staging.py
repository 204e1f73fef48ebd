"""A live house with devices of our SDK in it, for whoever needs no director."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from client_sim.history import Fault, History
from client_sim.house import Enrolled
from client_sim.live.house import LiveHouse
from client_sim.live.nursery import Nursery
from syncd.client import Device, Item
from syncd.client.assembly import assembled

PATIENCE_S = 30.0
SERVER = "ws://staged/v1/sync"
LOOK_S = 0.01


class Cast:
    """A house and the devices in it."""

    def __init__(self, house: LiveHouse) -> None:
        self.house = house
        self.enrolled: dict[str, Enrolled] = {}
        self._runs = 0

    async def enrol(self, account: str, *names: str) -> None:
        for name in names:
            self.enrolled[name] = await self.house.enrol(account, name, "pc")

    async def run(self, name: str, credential: str = "") -> Device:
        """Start the device's app."""
        self._runs += 1
        return await assembled(
            await self.house.shelve(name),
            self.house.dialler(name),
            server=SERVER,
            token=self.enrolled[credential or name].token,
            instance=f"{self._runs:016x}",
            jitter=lambda: 0.01,
        )

    def told(self, kind: type) -> list[Any]:
        return [each for each in self.house.history.records if type(each) is kind]

    def faults(self) -> list[tuple[str, str]]:
        return [(each.kind, each.target) for each in self.told(Fault)]


@asynccontextmanager
async def staged(folder: Path, nursery: Nursery, encoding: str = "msgpack") -> AsyncIterator[Cast]:
    house = LiveHouse(folder, History(), command=nursery, encoding=encoding)
    async with asyncio.timeout(PATIENCE_S):
        try:
            await house.open()
            yield Cast(house)
        finally:
            await house.close()


@asynccontextmanager
async def online(cast: Cast, name: str) -> AsyncIterator[Device]:
    device = await cast.run(name)
    try:
        yield device
    finally:
        await device.close()


async def taken(device: Device, count: int) -> list[Item]:
    """The next items."""
    found = []
    async for item in device:
        found.append(item)
        if len(found) == count:
            return found
    raise AssertionError("it ended")


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    """Wait for what tells nobody when it happens."""
    while not await holds():  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(LOOK_S)
