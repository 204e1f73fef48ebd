"""A device from its parts: what they owe each other, and how it ends when its process is killed."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from syncd.client import Closed, Device, MemoryStore, SqliteStore, StoreMismatch
from syncd.client.assembly import assembled
from syncd.client.socket import SocketDialler
from syncd.client.store import ClientStore
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from tests.client.conftest import Server
from tests.client.peer import soon


async def assemble(running: Server, store: ClientStore, token: str, **parts: Any) -> Device:
    dialler = SocketDialler(running.url, codec_for(MSGPACK_SUBPROTOCOL))
    known = {"server": running.url, "instance": "00" * 8, "jitter": random.random} | parts
    return await assembled(store, dialler, token=token, **known)


async def test_it_connects_and_delivers(server: Server) -> None:
    device = await assemble(server, MemoryStore(), await server.token())
    sent = await soon(device.send_to("alice", b"to myself"))
    item = await soon(anext(device))
    await device.close()
    assert (item.seq, item.entry.body) == (sent.seq, b"to myself")


async def test_a_store_that_does_not_fit_is_closed_again(server: Server, tmp_path: Any) -> None:
    store, token = SqliteStore(tmp_path / "store.db"), await server.token()
    first = await assemble(server, store, token)
    await first.close()
    with pytest.raises(StoreMismatch):
        await assemble(server, store, token, server="ws://elsewhere/v1/sync")
    await store.open()  # nobody has it open
    await store.close()


async def test_a_device_that_is_aborted_says_nothing_more(server: Server, tmp_path: Any) -> None:
    store, token = SqliteStore(tmp_path / "store.db"), await server.token()
    device = await assemble(server, store, token)
    await soon(device.send_to("alice", b"kept"))
    await soon(device.caught_up())
    device.abort()
    with pytest.raises(Closed):
        await device.send_to("alice", b"too late")
    await store.close()
    again = await assemble(server, store, token)
    await soon(again.caught_up())
    kept = [item.entry.body async for item in again.history()]
    await again.close()
    assert kept == [b"kept"]


async def test_whoever_waits_for_an_aborted_device_is_told(server: Server) -> None:
    device = await assemble(server, MemoryStore(), await server.token())
    waiting = asyncio.ensure_future(anext(device))
    await soon(device.caught_up())
    device.abort()
    with pytest.raises(StopAsyncIteration):
        await soon(waiting)
