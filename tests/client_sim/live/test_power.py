"""A power cut on any disk: what was flushed stays, all else is gone, and nothing else is."""

import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from client_sim.door import opened
from client_sim.house import CannotDo
from client_sim.live import power
from client_sim.live.faulty_disk import FaultyDisk, compiled
from client_sim.live.nursery import Nursery
from client_sim.live_server import LiveServer, socket_url
from syncd import client
from syncd.storage.check import check_file
from syncd.storage.sqlite import DATABASE_NAME

SENDS = 20

CHANGES = """
import os, sys
place = sys.argv[1] + "/"
folder = os.open(place, os.O_RDONLY)
def put(name, data, at=0, flush=True):
    handle = os.open(place + name, os.O_RDWR | os.O_CREAT)
    os.pwrite(handle, data, at)
    if flush:
        os.fsync(handle)
    return handle
put("kept", b"0123456789")
put("moved", b"moved")
put("gone", b"gone")
put("replaced", b"old")
os.fsync(folder)
put("kept", b"ab", 2, flush=False)
os.ftruncate(put("kept", b"beyond", 20, flush=False), 5)
put("new", b"its name is not flushed")
os.rename(place + "moved", place + "elsewhere")
os.unlink(place + "gone")
put("replacing", b"new", flush=False)
os.rename(place + "replacing", place + "replaced")
os.link(place + "kept", place + "second name")
"""


@pytest.fixture
def disk(tmp_path: Path) -> FaultyDisk:
    try:
        library = compiled()
    except CannotDo as reason:
        pytest.skip(str(reason))
    (tmp_path / "data").mkdir()
    return FaultyDisk(tmp_path / "faults", tmp_path / "data", library)


def change(disk: FaultyDisk, program: str) -> None:
    power.remember(disk)
    asked = (sys.executable, "-S", "-c", program, str(disk.store))
    subprocess.run(asked, env=disk.environment, check=True, timeout=20)


def held(disk: FaultyDisk) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in disk.store.iterdir()}


FLUSHED = {"kept": b"0123456789", "moved": b"moved", "gone": b"gone", "replaced": b"old"}


def test_bytes_and_names_that_were_not_flushed_are_undone(disk: FaultyDisk) -> None:
    change(disk, CHANGES)
    assert power.cut(disk) > 0
    assert held(disk) == FLUSHED
    assert power.cut(disk) == 0


def test_what_was_flushed_in_the_end_stays(disk: FaultyDisk) -> None:
    change(disk, CHANGES + "os.fsync(put('kept', b'!', 5)); os.fsync(folder)")
    assert set(held(disk)) == {"kept", "second name", "elsewhere", "new", "replaced"}
    before = held(disk) | {"replaced": b""}
    power.cut(disk)
    assert held(disk) == before, "only the bytes of one file were never flushed"


Send = Callable[[LiveServer], Awaitable[int]]


async def sends(disk: FaultyDisk, nursery: Nursery, lies: bool) -> tuple[int, bool]:
    """Messages of twenty accepted ones that are left after a power cut; whether all is sound."""
    power.remember(disk)
    server = LiveServer(disk.store, "device", nursery, environment=disk.environment)
    await server.start()
    try:
        key = await server.api_key()
        async with opened(server.url, key) as door:
            made = await door.create_device("ann", "PC1", "pc")
        if lies:
            disk.begin("unflushed")
        async with client.connect(socket_url(server.url), token=made.token) as device:
            for number in range(SENDS):
                await device.send_to("ann", b"%d" % number)
            await server.kill()
        power.cut(disk)
        disk.end("unflushed")
        await server.start()
        async with opened(server.url, key) as door:
            left = (await door.standings("ann"))[made.device].head
    finally:
        await server.stop()
    return left, check_file(disk.store / DATABASE_NAME).sound


async def test_a_server_keeps_what_it_accepted(disk: FaultyDisk, nursery: Nursery) -> None:
    assert await sends(disk, nursery, lies=False) == (SENDS, True)


async def test_on_a_disk_that_lies_it_loses_all_of_it(disk: FaultyDisk, nursery: Nursery) -> None:
    assert await sends(disk, nursery, lies=True) == (0, True)
