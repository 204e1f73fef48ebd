"""A failed fsync stops the process: nothing is answered, and a retry after the restart is safe.

The fault is real: a shim in front of the C library's fdatasync and fsync returns EIO once a file
appears. It needs a C compiler, which a machine that only runs syncd may not have.
"""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from client_sim.door import opened
from client_sim.live_server import LiveServer, socket_url
from syncd import client

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int broken(void) { return access(getenv("FSYNC_BROKEN_WHEN"), F_OK) == 0; }

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    if (broken()) { errno = EIO; return -1; }
    return real(fd);
}

int fsync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    if (broken()) { errno = EIO; return -1; }
    return real(fd);
}
"""


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine: the failing fsync cannot be injected")
    source, library = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
    )
    return library


async def test_a_failed_fsync_stops_the_process_and_the_retry_has_one_effect(
    tmp_path: Path, shim: Path
) -> None:
    switch = tmp_path / "broken"
    preload = ("env", f"LD_PRELOAD={shim}", f"FSYNC_BROKEN_WHEN={switch}")
    command = (*preload, sys.executable, "-m", "syncd")
    server = LiveServer(tmp_path / "data", "device", command)
    await server.start()
    try:
        key = await server.api_key()
        async with opened(server.url, key) as door:
            phone = await door.create_device("ann", "phone", "phone")
        async with client.connect(socket_url(server.url), token=phone.token) as device:
            first = await device.send_to("ann", b"before")
            switch.touch()
            unknown = asyncio.create_task(device.send_to("ann", b"during"))
            status = await server.ended()
            assert status == 70, server.log_tail()
            assert not unknown.done(), "nothing is answered when the outcome is unknown"
            switch.unlink()
            await server.start()
            second = await unknown
            assert (first.seq, second.seq) == (1, 2)
            bodies = []
            async for item in device:
                bodies.append(item.entry.body)
                if item.seq == second.seq:
                    break
            assert bodies == [b"before", b"during"]
    finally:
        await server.stop()
