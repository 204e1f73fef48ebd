"""What a disk can do to a real server: fill up, lose writes, flip bits, be slow. No message that
was answered is lost in silence, no wrong byte is served, and whoever is not concerned goes on.

Faults while it runs come from the shim in front of the C library (client_sim/live/shim.c); damage
at rest is done to the files between two runs. `python -m tests.acceptance.test_disk_faults FIRST
LAST` plays damage at rest for each seed of that range, at places that the seed chooses.
"""

import asyncio
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from client_sim.door import Credential, Door, DoorShut, opened
from client_sim.live.faulty_disk import FaultyDisk
from client_sim.live_server import LiveServer, ServerFailed, socket_url
from syncd import client, errors
from syncd.client import Device, Item
from syncd.model import Position
from syncd.storage.sqlite import DATABASE_NAME
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import (
    Answers,
    Batch,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Send,
    ServerFrame,
    Welcome,
)
from tests.acceptance.convergence import LOOK_S, converged, holding, online, seated, settle
from tests.storage import damage

CODEC = codec_for(MSGPACK_SUBPROTOCOL)
SUBPROTOCOLS: Any = [MSGPACK_SUBPROTOCOL]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 40.0
FLOOD = 300
WAL_NAME = DATABASE_NAME + "-wal"


class House:
    """A server over one folder, and the devices that a test makes."""

    def __init__(self, server: LiveServer, door: Door) -> None:
        self.server, self.door = server, door

    @property
    def url(self) -> str:
        return socket_url(self.server.url)

    def log(self) -> str:
        data = self.server.data
        return data.with_name(data.name + ".log").read_text()

    async def device(self, account: str, name: str) -> Credential:
        return await self.door.create_device(account, name, "pc")

    async def whole_log(self, account: str) -> list[Item]:
        """What a device downloads that was never there."""
        credential = await self.device(account, "new")
        async with client.connect(self.url, token=credential.token) as device:
            return await received(device)


@asynccontextmanager
async def house(
    folder: Path, environment: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[House]:
    """A server with nothing in it."""
    server = LiveServer(folder / "data", "device", environment=environment)
    await server.start()
    try:
        async with opened(server.url, await server.api_key()) as door, asyncio.timeout(PATIENCE_S):
            yield House(server, door)
    finally:
        await server.stop()


async def received(device: Device) -> list[Item]:
    """Everything up to the head of its hello. It iterates at once, for a device without a durable
    store is sent no more than a window ahead of that."""
    items = [await anext(device)]
    while device.verdict is None or items[-1].seq < device.verdict.head:
        items.append(await anext(device))
    return items


def bodies(items: list[Item]) -> list[bytes | None]:
    return [item.entry.body for item in items]


class Wire:
    """A device without any SDK: what the server says is seen as it is said."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.heard: list[ServerFrame] = []

    async def say(self, frame: Any) -> None:
        await self._socket.send(CODEC.encode(frame))

    async def hear(self, kind: type[ServerFrame]) -> Any:
        """The next frame of this kind; all that come before it are noted."""
        while True:
            frame = CODEC.decode_server(await self._socket.recv(decode=False))
            self.heard.append(frame)
            if isinstance(frame, kind):
                return frame

    async def pong(self) -> None:
        await (await self._socket.ping())


@asynccontextmanager
async def wired(url: str, token: str, position: Position | None = None) -> AsyncIterator[Wire]:
    async with connect(url, subprotocols=SUBPROTOCOLS) as socket:
        wire = Wire(socket)
        await wire.say(Hello(token, "0123456789abcdef", position, False, 65536))
        yield wire


async def welcomed(stack: AsyncExitStack, url: str, token: str) -> Wire:
    """A hello may share its transaction with a message that the full disk refuses: then the device
    is told to come back."""
    while True:
        wire = await stack.enter_async_context(wired(url, token))
        try:
            await wire.hear(Welcome)
        except ConnectionClosedError as closed:
            if closed.rcvd is None or closed.rcvd.code != errors.STORAGE_UNAVAILABLE.code:
                raise
        else:
            return wire


def send(numbers: range, body: bytes = b"x") -> Send:
    return Send(tuple(Message(number, 1, "ann~ben", None, body) for number in numbers))


# ---------------------------------------------------------------- a full disk


async def test_a_full_disk_refuses_before_it_writes_and_accepts_again(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    async with house(tmp_path, disk.environment) as home:
        pc, ben = await home.device("ann", "pc"), await home.device("ben", "pc")
        away = await home.device("ann", "away")
        async with client.connect(home.url, token=pc.token, store=tmp_path / "pc.db") as device:
            await device.send_to("ben", b"before")
            disk.begin("full")
            waiting = asyncio.create_task(device.send_to("ben", b"meanwhile"))
            async with AsyncExitStack() as stack:
                wire = await welcomed(stack, home.url, ben.token)
                await wire.say(send(range(1, 3)))
                answers = await wire.hear(Answers)
                refused = [(each.number, each.code) for each in answers.refused]
                assert refused == [(n, errors.STORAGE_FULL.code) for n in (1, 2)]
                await wire.pong()
            with pytest.raises(DoorShut, match=r"507 .*storage_full"):
                await home.door.publish("ann", b"published")
            # Reading, hellos and cursors need no room worth speaking of.
            reading = client.connect(home.url, token=away.token, store=tmp_path / "away.db")
            async with reading as reader:
                assert bodies(await received(reader)) == [b"before"]
            await cursor_reaches(home, "ann", away.device, 1)
            assert not waiting.done(), "refused, but not for ever"
            disk.end("full")
            assert await home.door.publish("ben", b"room again") == 2
            assert (await waiting).seq == 2
        assert bodies(await home.whole_log("ann")) == [b"before", b"meanwhile"]
        assert home.log().count("! commit failed") == 0


async def cursor_reaches(home: House, account: str, device: str, seq: int) -> None:
    while True:
        if (await home.door.standings(account))[device].cursor == seq:
            return
        await asyncio.sleep(LOOK_S)


async def test_a_disk_that_fills_up_during_a_commit_stops_the_process(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    async with house(tmp_path, disk.environment) as home:
        pc = await home.device("ann", "pc")
        async with client.connect(home.url, token=pc.token, store=tmp_path / "pc.db") as device:
            await device.send_to("ann", b"before")
            disk.begin("unwritable", WAL_NAME)
            unknown = asyncio.create_task(device.send_to("ann", b"during"))
            assert await home.server.ended() == 70, home.server.log_tail()
            assert not unknown.done(), "half of a transaction is written: nobody knows"
            await home.server.start()
            assert await home.server.ended() == 70, "the first hello would be written"
            disk.end("unwritable")
            await home.server.start()
            assert (await unknown).seq == 2
        assert bodies(await home.whole_log("ann")) == [b"before", b"during"]


async def test_a_disk_without_room_for_a_checkpoint_loses_nothing(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    async with house(tmp_path, disk.environment) as home:
        pc = await home.device("ann", "pc")
        sent = [b"%d" % number for number in range(50)]
        async with client.connect(home.url, token=pc.token) as device:
            await device.send_many("ann~ann", sent)
        disk.begin("unwritable", DATABASE_NAME)
        await home.server.stop()
        assert (home.server.data / WAL_NAME).stat().st_size > 0
        await home.server.start()
        assert bodies(await home.whole_log("ann")) == sent
        disk.end("unwritable")
        assert await home.server.stop() == 0
        await home.server.start()
        assert bodies(await home.whole_log("ann")) == sent


# ---------------------------------------------------------------- a slow disk


async def test_on_a_slow_disk_heartbeats_go_on_and_sends_share_their_fsyncs(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    # An interval of heartbeats is twenty seconds; nothing else of the server is changed.
    site = tmp_path / "site"
    site.mkdir()
    hasten = "from syncd import limits\nlimits.HEARTBEAT_INTERVAL_S = 0.25\n"
    (site / "sitecustomize.py").write_text(hasten)
    hastened = {"PYTHONPATH": f"{site}:{ROOT}"}
    async with house(tmp_path, disk.environment | hastened) as home:
        senders = [await home.device("ann", f"pc {count}") for count in range(2)]
        await home.device("ben", "pc")
        idle = await home.device("ben", "idle")
        async with wired(home.url, idle.token) as listener:
            await listener.hear(Heartbeat)
            before = disk.synced
            disk.begin("slow", "1200")
            sending = [asyncio.create_task(flood(home.url, each.token)) for each in senders]
            beats: Counter[int] = Counter()
            while not all(task.done() for task in sending):
                await listener.hear(Heartbeat)
                await listener.pong()
                beats[disk.synced] += 1
            disk.end("slow")
            messages = sum(await asyncio.gather(*sending))
        assert messages == 2 * FLOOD
        assert max(beats.values()) >= 2, "while one fsync was under way"
        assert disk.synced - before < messages / 50, "many messages go with one fsync"
        assert len(await home.whole_log("ben")) == messages


async def flood(url: str, token: str) -> int:
    """Many messages, all unanswered at once; how many were accepted."""
    accepted = 0
    async with wired(url, token) as wire:
        await wire.hear(Welcome)
        for first in range(1, FLOOD + 1, 100):
            await wire.say(send(range(first, first + 100), bytes(400)))
        while accepted < FLOOD:
            answers = await wire.hear(Answers)
            assert answers.refused == ()
            accepted += len(answers.accepted)
    return accepted


# ---------------------------------------------------------------- bits that flipped


def flip(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def damage_at(path: Path, text: bytes) -> int:
    """Where a text lies in a file, and nowhere else."""
    data = path.read_bytes()
    assert data.count(text) == 1
    return data.index(text)


async def test_a_flipped_bit_is_never_served_and_harms_nobody_else(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        pc, ben = await home.device("ann", "pc"), await home.device("ben", "pc")
        new = await home.device("ann", "new")
        sent = [b"the entry number %d" % number for number in range(1, 6)]
        store = tmp_path / "pc.db"
        async with client.connect(home.url, token=pc.token, store=store) as device:
            await device.send_many("ann~ann", sent)
            await received_until(device, 5)
        await home.server.stop()
        database = home.server.data / DATABASE_NAME
        at = damage_at(database, sent[2])
        flip(database, at)
        await home.server.start()
        for _ in range(5):
            await refused_the_log(home.url, new.token)
        # What needs no damaged byte goes on: the others, and who is beyond the damage.
        async with (
            client.connect(home.url, token=pc.token, store=store) as beyond,
            client.connect(home.url, token=ben.token) as other,
        ):
            assert (await other.send_to("ann", b"from ben")).seq == 1
            await beyond.send_to("ben", b"from ann")
            assert [each.entry.body for each in await received_until(other, 2)] == [
                b"from ben",
                b"from ann",
            ]
            items = await received_until(beyond, 7)
            assert bodies(items)[-2:] == [b"from ben", b"from ann"]
            assert await beyond.old() == []
        for _ in range(5):
            await refused_the_log(home.url, new.token)
        alarms = [line for line in home.log().splitlines() if "! alarm: damaged" in line]
        assert len(alarms) == 1, alarms
        assert "the log of ann" in alarms[0]
        assert "entry 3 " in alarms[0]
        await home.server.stop()
        checked(home, 4, "ann", "entry 3")
        flip(database, at)
        checked(home, 0)
        await home.server.start()
        whole = bodies(await home.whole_log("ann"))
        assert whole == [*sent, b"from ben", b"from ann"]


async def refused_the_log(url: str, token: str) -> None:
    async with wired(url, token) as wire:
        goodbye = await wire.hear(Goodbye)
        assert goodbye.code == errors.STORAGE_UNAVAILABLE.code
        assert not any(isinstance(frame, Batch) for frame in wire.heard)


async def received_until(device: Device, seq: int) -> list[Item]:
    items: list[Item] = []
    while not items or items[-1].seq < seq:
        items.append(await anext(device))
    return items


def checked(home: House, status: int, *words: str) -> None:
    """`syncd check` ends with this status; what it says holds these words in one line."""
    ran = subprocess.run(
        [sys.executable, "-m", "syncd", "check", "--data", str(home.server.data)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == status, said
    assert not words or any(all(word in line for word in words) for line in said.splitlines()), said


async def test_a_lost_entry_refuses_who_stands_there_and_nobody_else(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        pc, ben = await home.device("ann", "pc"), await home.device("ben", "pc")
        async with client.connect(home.url, token=pc.token) as device:
            await device.send_many("ann~ann", [b"one", b"two"])
            await received_until(device, 2)
            position = device.position
        await home.server.stop()
        with closing(sqlite3.connect(home.server.data / DATABASE_NAME)) as database, database:
            damage.run(database, "DELETE FROM entries WHERE seq = 2")
        await home.server.start()
        async with client.connect(home.url, token=ben.token) as other:
            for count in range(1, 6):
                async with wired(home.url, pc.token, position) as wire:
                    sending = asyncio.create_task(other.send_to("ben", b"%d" % count))
                    goodbye = await wire.hear(Goodbye)
                    assert goodbye.code == errors.STORAGE_UNAVAILABLE.code
                    assert (await sending).seq == count
        alarms = [line for line in home.log().splitlines() if "! " in line]
        assert len(alarms) == 1, alarms
        assert "the log of ann is damaged: entry 2 is missing" in alarms[0]
        await home.server.stop()
        checked(home, 4, "ann", "entry 2")


def truncate(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.truncate(at)


@pytest.mark.parametrize("damage", [flip, truncate])
async def test_what_a_damaged_wal_has_lost_comes_back_from_the_devices(
    tmp_path: Path, damage: Callable[[Path, int], None]
) -> None:
    async with house(tmp_path) as home:
        seats = [
            await seated(home.door, tmp_path, account, name)
            for account, name in (("ann", "pc"), ("ann", "phone"), ("ben", "pc"))
        ]
        async with online(home.server, seats) as devices:
            for count in range(1, 9):
                await devices["ann pc"].send("ann~ben", b"message %d of ann" % count)
                await devices["ben pc"].send("ann~ben", b"message %d of ben" % count)
            await home.door.publish("ann", b"of nobody")
            await settle(home.door, devices)
            await home.server.kill()
            wal = home.server.data / WAL_NAME
            damage(wal, wal.read_bytes().index(b"message 5 of ann"))
            await home.server.start()
            await settle(home.door, devices)
        logs = await converged(home.server, home.door, seats)
        wanted = {b"message %d of %s" % (n, each) for n in range(1, 9) for each in (b"ann", b"ben")}
        assert {entry.body for entry in logs["ann"]} == wanted
        for seat in seats[:2]:
            held = await holding(home.server, seat)
            assert held.lost == {b"of nobody"}, "no sender holds it"
        assert len([line for line in home.log().splitlines() if "! alarm: " in line]) == 3
        await home.server.stop()
        checked(home, 0)


async def test_a_truncated_database_serves_nothing_that_is_wrong(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        pc, new = await home.device("ann", "pc"), await home.device("ann", "new")
        sent = [b"%d " % number + bytes(1_000) for number in range(1, 101)]
        async with client.connect(home.url, token=pc.token) as device:
            await device.send_many("ann~ann", sent)
        await home.server.stop()
        database = home.server.data / DATABASE_NAME
        truncate(database, database.stat().st_size // 2)
        await serves_only(home, new.token, sent)
        checked(home, 4)


async def serves_only(home: House, token: str, sent: list[bytes]) -> int:
    """Start the server over what is damaged: it does not start, or it serves a prefix of what was
    sent. How many entries it served."""
    try:
        await home.server.start()
    except ServerFailed:
        assert "Traceback" not in home.log(), "a sentence is due"
        return 0
    served: list[bytes | None] = []
    with suppress(ConnectionClosed):
        async with wired(home.url, token) as wire:
            verdict = await wire.hear(Welcome)
            while len(served) < verdict.head:
                batch = await wire.hear(Batch)
                served += (entry.body for entry in batch.entries)
    assert served == sent[: len(served)]
    await home.server.stop()
    return len(served)


# ---------------------------------------------------------------- the long campaign


async def campaign(first: int, last: int) -> None:
    """Flip one bit, at a place that the seed chooses, of a database or a WAL that was left behind
    by kill -9; whatever is served must be what was sent."""
    served: Counter[int] = Counter()
    for seed in range(first, last + 1):
        chance = random.Random(seed)
        with tempfile.TemporaryDirectory() as folder:
            async with house(Path(folder)) as home:
                pc, new = await home.device("ann", "pc"), await home.device("ann", "new")
                sent = [b"%d " % number + bytes(300) for number in range(1, 51)]
                async with client.connect(home.url, token=pc.token) as device:
                    for begin in range(0, len(sent), 10):
                        await device.send_many("ann~ann", sent[begin : begin + 10])
                await (home.server.kill() if chance.random() < 0.5 else home.server.stop())
                wal = home.server.data / WAL_NAME
                path = wal if wal.exists() and wal.stat().st_size else wal.with_name(DATABASE_NAME)
                at, bit = chance.randrange(path.stat().st_size), chance.randrange(8)
                flip(path, at, bit)
                count = await serves_only(home, new.token, sent)
                served[count] += 1
                print(f"seed {seed}: {path.name} byte {at} bit {bit}: {count} served", flush=True)
    print(dict(served))


if __name__ == "__main__":
    asyncio.run(campaign(int(sys.argv[1]), int(sys.argv[2])))
