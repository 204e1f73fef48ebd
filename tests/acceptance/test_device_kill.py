"""kill -9 of a device at random moments, while it receives and writes: its store stays whole.

The device is a process of its own with a durable store; the server is the real one. After every
kill the store is opened and judged, and at the end every message that `enqueue` confirmed is in
the log once, and the store holds the very log that a new device downloads.
"""

import asyncio
import os
import random
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import Counter
from pathlib import Path

import pytest

from client_sim.door import Door, opened
from client_sim.live_server import LiveServer, socket_url
from syncd.client import Item, PendingState, SqliteStore, connect
from syncd.client.store import Pending, Run, Shelf
from syncd.protocol.client_events import Loaded
from syncd.wire.frames import Entry

KILLS = 10
PATIENCE_S = 30.0
"""A bound against hanging only; every wait ends when what it waits for happens."""
LAST = b"the last one"

# Says "open" when the store is open, and the body of each message once it is in the outbox.
DEVICE = """
import asyncio, sys
from syncd.client import connect

async def read(device):
    async for item in device:
        pass

async def live(url, token, store, run):
    async with connect(url, token=token, store=store) as device:
        print("open", flush=True)
        reading = asyncio.ensure_future(read(device))
        count = 0
        while not reading.done():
            count += 1
            body = f"{run}.{count}"
            await device.enqueue("ann~ben", body.encode())
            print(body, flush=True)
        await reading

asyncio.run(live(*sys.argv[1:]))
"""


class Play:
    """One server, one device that is killed again and again, and what it was promised."""

    def __init__(self, url: str, token: str, store: Path) -> None:
        self.url, self.token, self.store = url, token, store
        self.confirmed: list[bytes] = []
        self.published: list[bytes] = []
        self.positions: list[int] = []

    async def publish(self, door: Door) -> None:
        """Messages of nobody, for as long as the play lasts."""
        while True:
            body = f"published {len(self.published)}".encode()
            await door.publish("ann", body)
            self.published.append(body)

    async def live_until_killed(self, run: int, lines: int) -> None:
        """One run of the device, which ends after it has said so many lines."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DEVICE, self.url, self.token, str(self.store), str(run)),
            env=os.environ | {"PYTHONWARNINGS": "error"},
            stdin=DEVNULL,
            stdout=PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(lines):
                    await self.hear(process)
        finally:
            process.kill()
        while await self.hear(process):
            pass
        assert await process.wait() < 0, "it ended by itself"

    async def hear(self, process: Process) -> bool:
        """Note one line of the device; False when it says nothing any more."""
        assert process.stdout is not None
        line = await process.stdout.readline()
        if line.strip() not in (b"", b"open"):
            self.confirmed.append(line.strip())
        return bool(line)

    async def judge(self) -> None:
        """The store, as the kill has left it."""
        store = SqliteStore(self.store)
        await store.open()
        loaded, entries, pending = await store.call(self.look)
        await store.close()
        position = 0 if loaded.position is None else loaded.position.seq
        assert len(entries) == position, "contiguous, and entries and position together"
        assert loaded.handed <= position
        identities = {entry.identity for entry in entries}
        assert len(identities) == len(entries), "nothing twice"
        own = {entry.number for entry in entries if entry.device == loaded.device}
        assert own.isdisjoint(each.number for each in pending), "waiting, or in the log"
        assert all(each.state is not PendingState.REFUSED for each in pending)
        held = Counter(entry.body for entry in entries)
        held.update(each.outgoing.body for each in pending)
        assert [held[body] for body in self.confirmed] == [1] * len(self.confirmed)
        assert not self.positions or position >= self.positions[-1]
        self.positions.append(position)

    def look(self, shelf: Shelf) -> tuple[Loaded, list[Entry], list[Pending]]:
        loaded, _ = shelf.begin(self.url, "ab" * 8, None)
        entries: list[Entry] = []
        run: Run | None = shelf.read(0, 0)
        while run is not None:
            assert run.prev == len(entries), "contiguous"
            entries += run.entries
            run = shelf.read(0, len(entries))
        return loaded, entries, shelf.pending()

    async def end(self) -> None:
        """A last run, in this process: it sends what is left, and then its last message."""
        async with (
            asyncio.timeout(PATIENCE_S),
            connect(self.url, token=self.token, store=self.store) as device,
        ):
            await device.send("ann~ben", LAST)  # after all that waits: sends keep their order
            async for item in device:
                if item.entry.body == LAST:
                    break
            assert await device.pending() == []


async def whole_log(url: str, token: str) -> list[Item]:
    """What a device downloads that was never there, up to the last message."""
    items: list[Item] = []
    async with asyncio.timeout(PATIENCE_S), connect(url, token=token) as device:
        async for item in device:
            items.append(item)
            if item.entry.body == LAST:
                break
    return items


@pytest.mark.parametrize("seed", [1])
async def test_a_device_that_is_killed_loses_nothing_and_sends_nothing_twice(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    server = LiveServer(tmp_path / "data", "device")
    await server.start()
    try:
        async with opened(server.url, await server.api_key()) as door:
            token = (await door.create_device("ann", "pc", "pc")).token
            await door.create_device("ben", "pc", "pc")
            play = Play(socket_url(server.url), token, tmp_path / "ann.db")
            publishing = asyncio.create_task(play.publish(door))
            for run in range(KILLS):
                # Now and then right after its start, else in the midst of its work.
                await play.live_until_killed(run, chance.choice([1, chance.randrange(2, 150)]))
                await play.judge()
            publishing.cancel()
            await asyncio.wait([publishing])
            await play.end()
            await play.judge()
            newcomer = (await door.create_device("ann", "new", "pc")).token
            log = await whole_log(play.url, newcomer)
    finally:
        await server.stop()
    assert [item.seq for item in log] == list(range(1, len(log) + 1))
    found = Counter(item.entry.body for item in log)
    for body in (*play.confirmed, *play.published):
        assert found[body] == 1, body
    assert max(found.values()) == 1, "what was not confirmed is in the log once, or not at all"
    assert len(play.confirmed) > KILLS, "a run in which little happens proves nothing"
    assert play.positions[-2] > KILLS
