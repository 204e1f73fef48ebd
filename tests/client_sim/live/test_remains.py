"""What a store holds, read from its file: logs, erased bodies, cursors under any scope."""

from pathlib import Path

import pytest

from client_sim.door import opened
from client_sim.history import Cursor, Log, fingerprint
from client_sim.live.nursery import Nursery
from client_sim.live.remains import heads, remains
from client_sim.live_server import LiveServer, socket_url
from syncd import client
from syncd.storage import StoreRefused


@pytest.mark.parametrize("scope", ["device", "account"])
async def test_logs_and_cursors(tmp_path: Path, nursery: Nursery, scope: str) -> None:
    server = LiveServer(tmp_path / "data", scope, nursery)
    await server.start()
    try:
        async with opened(server.url, await server.api_key()) as door:
            made = await door.create_device("ann", "PC1", "pc")
            await door.create_device("ann", "PC2", "pc")
        url, store = socket_url(server.url), tmp_path / "PC1.db"
        async with client.connect(url, token=made.token, store=store) as device:
            for body in (b"one", b"two", b"three"):
                await device.send_to("ann", body)
            async for item in device:
                if item.seq == 3:
                    break
        await server.command("erase", "ann", "2")
        await server.command("trim", "ann", "--before", "2", "--anyway")
        epoch, floor, head = heads(tmp_path / "data")["ann"]
        assert (floor, head) == (1, 3)
    finally:
        await server.stop()
    log, *cursors = remains(tmp_path / "data", 7.0)
    assert isinstance(log, Log)
    assert (log.at, log.account, log.epoch, log.floor, log.head) == (7.0, "ann", epoch, 1, 3)
    assert log.entries == (
        (f"{made.device}#2", None),
        (f"{made.device}#3", fingerprint(b"three")),
    )
    devices = {each.device for each in cursors if isinstance(each, Cursor) and each.seq == 3}
    assert len(devices) == (1 if scope == "device" else 2)
    assert made.device in devices


def test_where_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused):
        heads(tmp_path)
