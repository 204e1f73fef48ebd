"""A failed fsync stops the process: nothing is answered, and a retry after the restart is safe.

The fault is real: the shim in front of the C library (shim.c) returns EIO.
"""

import asyncio
from pathlib import Path

import pytest

from client_sim.door import opened
from client_sim.live.faulty_disk import FaultyDisk
from client_sim.live_server import LiveServer, ServerFailed, socket_url
from syncd import client


async def test_a_failed_fsync_stops_the_process_and_the_retry_has_one_effect(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    server = LiveServer(tmp_path / "data", "device", environment=disk.environment)
    await server.start()
    try:
        key = await server.api_key()
        async with opened(server.url, key) as door:
            phone = await door.create_device("ann", "phone", "phone")
        async with client.connect(socket_url(server.url), token=phone.token) as device:
            first = await device.send_to("ann", b"before")
            disk.begin("unsynced")
            unknown = asyncio.create_task(device.send_to("ann", b"during"))
            status = await server.ended()
            assert status == 70, server.log_tail()
            assert not unknown.done(), "nothing is answered when the outcome is unknown"
            await stays_away(server)
            assert not unknown.done()
            disk.end("unsynced")
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


async def stays_away(server: LiveServer) -> None:
    """While the disk is as it is, a supervisor's restarts end before anything is served."""
    for _ in range(2):
        with pytest.raises(ServerFailed, match="it ended with 1 before it listened") as failed:
            await server.start()
        assert "disk I/O error" in str(failed.value) or "Input/output error" in str(failed.value)
