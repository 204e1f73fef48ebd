"""One run of the pretended server: its wake-ups, its death, its sleep and its farewell."""

import asyncio
from itertools import count
from random import Random

from client_sim.history import Complaint
from client_sim.platform import Platform
from client_sim.pretend.disk import MemoryDisk
from client_sim.pretend.latent_storage import Platter
from client_sim.pretend.node import Node, NoisyWakeups
from client_sim.pretend.world import World
from client_sim.weather import CALM, Weather
from syncd.model import AccountId, CursorScope
from syncd.storage import StorageError
from tests.client_sim.pretend.rooms import passing, told, world
from tests.drafts import ALICE, BOB


class Sleeper:
    def __init__(self) -> None:
        self.wakes = 0

    def woken(self) -> None:
        self.wakes += 1


def wakes(weather: Weather, sure: bool = False) -> tuple[int, int]:
    """How often a sleeper was woken at once, and in all."""
    here = world(weather=weather)
    wakeups, sleeper = NoisyWakeups(here), Sleeper()
    wakeups.listen(ALICE, sleeper)
    (wakeups.wake_surely if sure else wakeups.wake)([ALICE, BOB])
    at_once = sleeper.wakes
    here.loop.run_until_complete(passing(5))
    return at_once, sleeper.wakes


def test_wake_ups_get_lost_come_late_and_twice() -> None:
    assert wakes(CALM) == (1, 1)
    assert wakes({"wake_lost": 1.0}) == (0, 0)
    assert wakes({"wake_late": 1.0}) == (0, 1)
    assert wakes({"wake_doubled": 1.0}) == (2, 2)
    assert wakes({"wake_lost": 1.0}, sure=True) == (1, 1)


def running(weather: Weather = CALM) -> tuple[World, Node, list[str]]:
    here, deaths = world(weather=weather), list[str]()
    platter = Platter(here, MemoryDisk(Random(1), CursorScope.DEVICE))
    platform = Platform(Random(1), here.now)
    return here, Node(platter, platform, count(1), lambda: deaths.append("dead")), deaths


def test_a_dead_process_answers_nothing() -> None:
    here, node, deaths = running()

    async def play() -> bool:
        asked = asyncio.ensure_future(node.storage.create_account(ALICE))
        await asyncio.sleep(0)
        node.kill()
        node.kill()
        answered = await node.outlives(asked)
        asked.cancel()
        return answered

    assert here.loop.run_until_complete(play()) is False
    assert not deaths, "it did not die by itself"


def test_a_frozen_process_answers_when_it_goes_on() -> None:
    here, node, _ = running()

    async def play() -> tuple[bool, bool]:
        node.freeze()
        asked = asyncio.ensure_future(node.storage.create_account(ALICE))
        called: list[int] = []
        node.awake(lambda: called.append(1))
        done, _ = await asyncio.wait([asked], timeout=100)
        assert not called
        node.thaw()
        assert called == [1]
        return bool(done), await asked

    assert here.loop.run_until_complete(play()) == (False, True)


def test_a_process_stops_when_an_outcome_is_unknown() -> None:
    here, node, deaths = running()
    node.storage_failed(StorageError("planned", definite=False))
    assert deaths == ["dead"]
    assert not node.alive
    assert here.loop.run_until_complete(passing(100)) is None


def test_a_part_that_dies_of_a_bug_takes_the_process_with_it() -> None:
    here, node, deaths = running()

    async def fails() -> None:
        raise LookupError("a bug")

    node.keep(fails())
    here.loop.run_until_complete(passing(1))
    assert deaths == ["dead"]
    [complaint] = told(here.history, Complaint)
    assert "a bug" in complaint.text


def test_a_process_drains() -> None:
    here, node, deaths = running()

    async def play() -> None:
        assert await node.storage.create_account(AccountId("alice"))
        await node.drain()

    here.loop.run_until_complete(play())
    assert node.draining
    assert not node.alive
    assert not deaths
