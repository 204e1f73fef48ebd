"""Trimming while devices resume, over real sockets: rows or `truncated`, never a hole (F26)."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from syncd import limits
from syncd.model import Page, Position, ReadRequest, Seq
from syncd.retention import Retention, kept
from syncd.server.app import SERVICE
from syncd.storage import Storage, StorageError
from syncd.storage.memory import MemoryStorage
from syncd.storage.sqlite import open_sqlite
from syncd.wire.frames import Ack, Batch, Heartbeat, ServerFrame, Truncated, Welcome
from tests.server.peers import ANNE, Town, found_town

ENTRIES = 300
ROUNDS, GROWTH = 25, 150
BODY_BYTES = 700
"""So that a log is several windows long, and every session asks for many pages."""


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    async with AsyncExitStack() as stack:
        made: Storage = (
            MemoryStorage() if request.param == "memory" else await open_sqlite(tmp_path / "logs")
        )
        stack.push_async_callback(made.close)
        yield made


@pytest.fixture
async def town(storage: Storage, start: Any, monkeypatch: Any) -> AsyncIterator[Town]:
    made = await found_town(start, monkeypatch, store=storage)
    yield made
    await made.close()


class Scissors:
    """Trims the log at the worst of moments: after a session has decided to read, before it does.

    The store, the trim and the read are the real ones; only when they meet is arranged.
    """

    def __init__(self, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
        self._storage = storage
        self._read = storage.read
        self._chance = random.Random(26)
        self.cuts = 0
        monkeypatch.setattr(storage, "read", self.read)

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        for request in requests:
            if self._chance.random() < 0.5:
                self.cuts += 1
                before = request.after + self._chance.randint(-20, 60)
                await self._storage.trim(request.account, before)
        return await self._read(requests)


async def publish(town: Town, first: Seq, last: Seq) -> None:
    service = town.running.app[SERVICE]
    for seq in range(first, last + 1):
        published = await service.publish(ANNE, b"%d " % seq + bytes(BODY_BYTES))
        assert published.seq == seq


async def resume(town: Town, position: Position | None, until: Seq) -> tuple[Position, int]:
    """One session up to `until`, which accepts nothing but the next entries or an announced gap.

    Where it came to, and how many gaps were announced.
    """
    peer = await town.socket()
    verdict = await peer.greet(town.tokens["phone"], position, window=limits.WINDOW_BYTES_MIN)
    stood = 0 if position is None else position.seq
    gaps = 0
    if isinstance(verdict, Truncated):
        assert verdict.missing == (stood + 1, verdict.floor)
        gaps += 1
    else:
        assert isinstance(verdict, Welcome)
        assert verdict.start == (verdict.floor if position is None else stood)
    place = Position(verdict.epoch, verdict.start, verdict.chain)
    while place.seq < until:
        frame = await peer.hear(ServerFrame)
        match frame:
            case Batch():
                assert frame.prev == place.seq, "a hole, or entries twice"
                seqs = [int(each.body.split(b" ")[0]) for each in frame.entries if each.body]
                assert seqs == list(range(frame.prev + 1, frame.to + 1))
                place = Position(place.epoch, frame.to, frame.chain)
                await peer.say(Ack(place.epoch, place.seq))
            case Truncated():
                assert frame.missing == (place.seq + 1, frame.start)
                place = Position(frame.epoch, frame.start, frame.chain)
                gaps += 1
            case Heartbeat():
                assert frame.to == place.seq
            case _:
                raise AssertionError(frame)
    await peer.socket.close()
    return place, gaps


async def test_a_trim_between_hello_and_read_leaves_no_hole(
    town: Town, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log grows and is cut: every session has something to read and something to lose."""
    scissors = Scissors(storage, monkeypatch)
    head, gaps, whole = 0, 0, 0
    place: Position | None = None
    for round_ in range(ROUNDS):
        await publish(town, head + 1, head + GROWTH)
        head += GROWTH
        # Now and then a device that holds nothing: its start is the floor of its hello.
        place, announced = await resume(town, None if round_ % 4 == 0 else place, head)
        gaps, whole = gaps + announced, whole + (announced == 0)
    assert scissors.cuts > ROUNDS
    assert gaps > ROUNDS / 2, "nobody was told of a gap"
    assert whole, "nobody just got rows"


async def test_retention_tells_connected_devices_that_stand_below(
    town: Town, storage: Storage
) -> None:
    await publish(town, 1, ENTRIES)
    peer = await town.live(window=limits.WINDOW_BYTES_MIN)
    first = await peer.hear(Batch)
    assert first.to < ENTRIES - 50, "the window holds the rest back"
    retention = Retention(
        storage, town.backstage.wakeups.wake, kept(50, 0), on_failure=_never_happens
    )
    facts = await retention.sweep()
    assert (facts["swept"], first.to) == (False, first.to)
    facts = await retention.sweep(anyway=True)
    assert facts["dropped"] == ENTRIES - 50
    await peer.say(Ack(peer.epoch, first.to))
    # What was under way before the trim continues what came before; then the gap is announced.
    seq = first.to
    while not isinstance(frame := await peer.hear(ServerFrame), Truncated):
        assert isinstance(frame, Batch)
        assert frame.prev == seq
        seq = frame.to
        await peer.say(Ack(peer.epoch, seq))
    assert frame.missing == (seq + 1, ENTRIES - 50)
    [*_, last] = await peer.catch_up(ENTRIES)
    assert last.to == ENTRIES
    await town.still_serves()


async def test_sweeps_and_devices_that_come_and_go(town: Town, storage: Storage) -> None:
    """Retention runs again and again beside senders and resuming devices: nobody sees a hole."""
    retention = Retention(
        storage, town.backstage.wakeups.wake, kept(60, 0), on_failure=_never_happens
    )
    head, stop = 400, asyncio.Event()

    async def sweep() -> None:
        while not stop.is_set():
            await retention.sweep(anyway=True)
            await asyncio.sleep(0)

    await publish(town, 1, 100)
    async with asyncio.TaskGroup() as group:
        group.create_task(sweep())
        group.create_task(publish(town, 101, head))
        place, _ = await resume(town, None, 100)
        while place.seq < head:
            place, _ = await resume(town, place, min(place.seq + 40, head))
        stop.set()
    assert place.seq == head


async def test_the_service_keeps_what_its_settings_say(
    storage: Storage, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its minutes pass at once, but nothing else is different.
    monkeypatch.setattr("syncd.retention.CLOCK_TICK_S", 0.0)
    town = await found_town(start, monkeypatch, store=storage, retain_entries=9, retain_days=30)
    await publish(town, 1, 10)
    async with asyncio.timeout(10):
        floor = 0
        while floor != 1:
            await asyncio.sleep(0)
            [page] = await storage.read([ReadRequest(ANNE, 0, 1)])
            floor = page.floor
    peer = await town.live()
    assert (await peer.catch_up(10))[0].prev == 1
    await town.close()


def _never_happens(error: StorageError) -> None:
    raise AssertionError(error)
