"""kill -9 of the server at random moments under load, 30 times in a row: nothing is lost.

Real processes, real sockets, real files. Afterwards every accepted send is in the sender's log at
the seq that was answered, once and in order, and every device of every account holds the same.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from client_sim.door import Door, opened
from client_sim.live_server import LiveServer, socket_url
from syncd import client
from syncd.client import Device, Item

ACCOUNTS = ("ann", "ben", "cyn")
KILLS = 30
LOOK_S = 0.2
LAST_WORDS_S = 60.0
"""A bound against hanging only; the wait ends when the condition holds."""


@dataclass
class Actor:
    """One device: what it was promised, and what it got."""

    device: Device
    account: str
    progress: asyncio.Event
    items: list[Item] = field(default_factory=list)
    accepted: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    """seq in the own log -> (number, body)."""

    async def receive(self) -> None:
        async for item in self.device:
            self.items.append(item)
            self.progress.set()

    async def send(self, chance: random.Random) -> None:
        count = 0
        while True:
            count += 1
            body = f"{self.device.device_id} {count}".encode()
            accepted = await self.device.send_to(chance.choice(ACCOUNTS), body)
            assert accepted.seq is not None
            self.accepted[accepted.seq] = (accepted.number, body)
            self.progress.set()


@asynccontextmanager
async def cast(server: LiveServer, key: str, folder: Path) -> AsyncIterator[list[Actor]]:
    """Two devices of each account, one with a durable store and one without."""
    async with AsyncExitStack() as stack:
        door: Door = await stack.enter_async_context(opened(server.url, key))
        actors = []
        progress = asyncio.Event()
        for account in ACCOUNTS:
            for name, store in (("pc", folder / f"{account}.db"), ("phone", None)):
                credential = await door.create_device(account, name, name)
                connected = client.connect(
                    socket_url(server.url), token=credential.token, store=store
                )
                device = await stack.enter_async_context(connected)
                actors.append(Actor(device, account, progress))
        yield actors


async def newcomer(server: LiveServer, key: str, account: str) -> list[Item]:
    """The whole log, as a device that was never there downloads it."""
    async with opened(server.url, key) as door:
        credential = await door.create_device(account, "new", "pc")
    items: list[Item] = []
    async with client.connect(socket_url(server.url), token=credential.token) as device:
        await device.caught_up()
        async for item in device:
            items.append(item)
            assert device.verdict is not None
            if item.seq == device.verdict.head:
                return items
    raise AssertionError("the log ended early")


async def accepted_beyond(actors: list[Actor], goal: int) -> None:
    """Wait until so many sends were accepted."""
    async with asyncio.timeout(LAST_WORDS_S):
        while sum(len(actor.accepted) for actor in actors) < goal:
            actors[0].progress.clear()
            await actors[0].progress.wait()


async def settled(actors: list[Actor]) -> None:
    """Every outbox is empty and every device of an account stands where the others do."""
    async with asyncio.timeout(LAST_WORDS_S):
        while True:
            waiting = [pending for actor in actors for pending in await actor.device.pending()]
            heads = {
                account: {len(actor.items) for actor in actors if actor.account == account}
                for account in ACCOUNTS
            }
            if not waiting and all(len(lengths) == 1 for lengths in heads.values()):
                return
            actors[0].progress.clear()
            with suppress(TimeoutError):  # the last answer may come without an item
                await asyncio.wait_for(actors[0].progress.wait(), LOOK_S)


@pytest.mark.parametrize("seed", [1])
async def test_every_accepted_send_survives_thirty_kills(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    server = LiveServer(tmp_path / "data", "device")
    await server.start()
    try:
        key = await server.api_key()
        async with cast(server, key, tmp_path) as actors, asyncio.TaskGroup() as group:
            receiving = [group.create_task(actor.receive()) for actor in actors]
            sending = [group.create_task(actor.send(random.Random(seed))) for actor in actors]
            for _ in range(KILLS):
                goal = sum(len(actor.accepted) for actor in actors) + chance.randrange(1, 60)
                await accepted_beyond(actors, goal)
                await server.kill()
                await server.start()
            for task in sending:
                task.cancel()
            await settled(actors)
            logs = {account: await newcomer(server, key, account) for account in ACCOUNTS}
            for task in receiving:
                task.cancel()
            for actor in actors:
                judge(actor, logs[actor.account])
            accepted = sum(len(actor.accepted) for actor in actors)
            assert accepted > KILLS, "a run without accepted sends proves nothing"
    finally:
        await server.stop()


def judge(actor: Actor, log: list[Item]) -> None:
    """One device against its account's log."""
    assert [item.seq for item in log] == list(range(1, len(log) + 1)), "dense"
    identities = [item.entry.identity for item in log]
    assert len(set(identities)) == len(identities), "one effect"
    assert [(i.seq, i.entry) for i in actor.items] == [(i.seq, i.entry) for i in log], "prefix"
    for seq, (number, body) in actor.accepted.items():
        entry = log[seq - 1].entry
        assert (entry.number, entry.device) == (number, actor.device.device_id), "durable ack"
        assert entry.body == body, "no phantom"
    own = [each.number for each in identities if each.device == actor.device.device_id]
    assert own == sorted(own), "sender fifo"
