"""What tests of the pretended house share: apps on devices, and what the history says."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from client_sim.history import History, Record
from client_sim.house import Enrolled
from client_sim.pretend.dialled import PretendDialled
from client_sim.pretend.house import PretendHouse
from client_sim.pretend.world import World
from client_sim.weather import CALM, Weather
from syncd.client.assembly import assembled
from syncd.client.device import Device
from syncd.protocol.client_events import Received
from syncd.wire.frames import Hello, ServerFrame

Kind = TypeVar("Kind", bound=Record)
Result = TypeVar("Result")


async def app(house: PretendHouse, name: str, enrolled: Enrolled) -> Device:
    """The SDK on this device, on its way to the server."""
    chance = house.chance(f"app {name}")
    return await assembled(
        await house.shelve(name),
        house.dialler(name),
        server="ws://pretended",
        token=enrolled.token,
        instance=chance.randbytes(8).hex(),
        jitter=chance.random,
    )


def hello(enrolled: Enrolled, instance: str = "1" * 16, window: int = 65536) -> Hello:
    """Of a device that holds nothing."""
    return Hello(enrolled.token, instance, None, False, window)


async def frames_of(dialled: PretendDialled, *kinds: type[ServerFrame]) -> list[ServerFrame]:
    """What comes, up to one of each of these kinds, or to the end."""
    found: list[ServerFrame] = []
    left = set(kinds)
    while left and isinstance(event := await dialled.receive(), Received):
        found.append(event.frame)
        left -= {type(event.frame)}
    return found


async def passing(seconds: float) -> None:
    """Let virtual time pass."""
    await asyncio.sleep(seconds)


def lived(house: PretendHouse, play: Coroutine[Any, Any, Result]) -> Result:
    """What a play in this house results in; it is opened before and closed after."""

    async def all_of_it() -> Result:
        await house.open()
        try:
            return await play
        finally:
            await house.close()

    return house.run(all_of_it())


def told(history: History, kind: type[Kind]) -> list[Kind]:
    """All records of one kind."""
    return [record for record in history.records if isinstance(record, kind)]


def world(seed: int = 1, weather: Weather = CALM) -> World:
    return World(seed, weather, History())
