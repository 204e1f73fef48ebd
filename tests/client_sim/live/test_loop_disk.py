"""The real power cut: a server's disk is an ext4 of its own, which the kernel shuts down."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from client_sim.door import Credential, DoorShut, opened
from client_sim.house import CannotDo
from client_sim.live.faulty_disk import FaultyDisk, compiled
from client_sim.live.loop_disk import LoopDisk
from client_sim.live.nursery import Nursery
from client_sim.live_server import LiveServer, socket_url
from syncd import client
from syncd.client import Device
from syncd.storage.check import check_file
from syncd.storage.sqlite import DATABASE_NAME, FREE_BYTES_MIN

SENDS = 20
ROOM_BYTES = 2 * FREE_BYTES_MIN


@pytest.fixture
def disk(tmp_path: Path) -> LoopDisk:
    made = LoopDisk(tmp_path / "disk", ROOM_BYTES)
    try:
        with made:
            pass
    except CannotDo as reason:
        pytest.skip(str(reason))
    return LoopDisk(tmp_path / "another", ROOM_BYTES)


def test_only_what_was_flushed_is_left(disk: LoopDisk) -> None:
    with disk:
        (disk.folder / "lost").write_bytes(b"in the page cache only")
        disk.cut()
        with pytest.raises(OSError, match="Input/output error"):
            (disk.folder / "late").write_bytes(b"")
        disk.back()
        assert not (disk.folder / "lost").exists()


@dataclass
class Home:
    server: LiveServer
    key: str
    made: Credential

    def device(self) -> AbstractAsyncContextManager[Device]:
        return client.connect(socket_url(self.server.url), token=self.made.token)

    async def head(self) -> int:
        async with opened(self.server.url, self.key) as door:
            return (await door.standings("ann"))[self.made.device].head


@asynccontextmanager
async def serving(disk: LoopDisk, program: Nursery, faulty: FaultyDisk) -> AsyncIterator[Home]:
    """A server on the disk, and a device of ann."""
    environment = faulty.environment
    server = LiveServer(disk.folder / "data", "device", program, environment=environment)
    await server.start()
    try:
        key = await server.api_key()
        async with opened(server.url, key) as door:
            yield Home(server, key, await door.create_device("ann", "PC1", "pc"))
    finally:
        await server.stop()


@pytest.fixture
def faulty(tmp_path: Path, disk: LoopDisk) -> FaultyDisk:
    try:
        return FaultyDisk(tmp_path / "faults", disk.folder / "data", compiled())
    except CannotDo as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize(("fault", "left"), [("slow", SENDS), ("unflushed", 0)])
async def test_a_server_keeps_what_it_accepted_unless_the_disk_lies(
    disk: LoopDisk, nursery: Nursery, faulty: FaultyDisk, fault: str, left: int
) -> None:
    with disk:
        async with serving(disk, nursery, faulty) as home:
            faulty.begin(fault)
            async with home.device() as device:
                for number in range(SENDS):
                    await device.send_to("ann", b"%d" % number)
                disk.cut()
                await home.server.kill()
            disk.back()
            faulty.end(fault)
            await home.server.start()
            assert await home.head() == left
        assert check_file(disk.folder / "data" / DATABASE_NAME).sound


async def test_a_disk_that_is_full_to_the_last_byte(
    disk: LoopDisk, nursery: Nursery, faulty: FaultyDisk
) -> None:
    ballast = disk.folder / "ballast"
    with disk:
        async with serving(disk, nursery, faulty) as home, home.device() as device:
            await device.send_to("ann", b"before")
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, free_bytes(disk) - FREE_BYTES_MIN // 2)
            refused = asyncio.create_task(device.send_to("ann", b"refused for now"))
            async with opened(home.server.url, home.key) as door:
                with pytest.raises(DoorShut, match=r"507 .*storage_full"):
                    await door.publish("ann", b"published")
            assert not refused.done()
            ballast.unlink()
            assert (await refused).seq == 2
            fill(ballast)
            assert await home.head() == 2, "what needs no room goes on"
            await home.server.kill()
            ballast.unlink()
            await home.server.start()
            assert await home.head() == 2
        assert check_file(disk.folder / "data" / DATABASE_NAME).sound


def free_bytes(disk: LoopDisk) -> int:
    room = os.statvfs(disk.folder)
    return room.f_bfree * room.f_frsize


def fill(path: Path) -> None:
    """Write until nothing fits any more."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
