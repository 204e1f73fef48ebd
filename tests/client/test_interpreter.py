"""The interpreter: store failures and bugs end a device loudly, sends share transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from syncd.client import SendRefused, StoreUnusable, connect
from syncd.client.memory_store import MemoryStore
from syncd.client.store import Result, Shelf
from tests.client.conftest import Server
from tests.client.peer import soon


class Watched(MemoryStore):
    """A store that waits like one with a disk, and may fail like one."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.enqueued: list[int] = []

    async def call(self, work: Callable[[Shelf], Result]) -> Result:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        result: Any = work(self.shelf)
        if hasattr(result, "tickets"):
            self.enqueued.append(len(result.tickets))
        return result


async def test_what_is_queued_together_is_one_transaction(server: Server) -> None:
    store = Watched()
    async with connect(server.url, token=await server.token("alice"), store=store) as device:
        await soon(device.caught_up())
        sends = [device.send("alice~alice", b"%d" % number) for number in range(50)]
        outcomes = await soon(asyncio.gather(*sends))
        assert [outcome.number for outcome in outcomes] == list(range(1, 51))
        assert len(store.enqueued) < 5
        assert sum(store.enqueued) == 50


async def test_what_is_sent_again_keeps_its_place_among_what_is_queued(server: Server) -> None:
    store = Watched()
    async with connect(server.url, token=await server.token("alice"), store=store) as device:
        with pytest.raises(SendRefused):
            await soon(device.send("club", b"too early"))
        [refused] = await device.pending()
        await soon(device.create_group("club", []))
        before, again, after = await soon(
            asyncio.gather(
                device.send("club", b"before"),
                device.resend(refused.ticket),
                device.send("club", b"after"),
            )
        )
        assert (before.number, again.number, after.number) == (3, 4, 5)


@pytest.mark.parametrize(
    "failure", [StoreUnusable("the disk is gone"), KeyError("a bug")], ids=["store", "bug"]
)
async def test_a_failing_store_ends_the_device_and_everybody_hears_it(
    server: Server, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store = Watched()
    async with connect(server.url, token=await server.token("alice"), store=store) as device:
        await soon(device.caught_up())
        store.failure = failure
        sending = [asyncio.ensure_future(device.send("alice~alice", b"hello")) for _ in range(3)]
        for each in sending:
            with pytest.raises(type(failure)):
                await soon(each)
        with pytest.raises(type(failure)):
            await soon(device.caught_up())
        store.failure = None
    is_bug = isinstance(failure, KeyError)
    assert any(record.levelname == "ERROR" for record in caplog.records) is is_bug


async def test_many_devices_share_one_loop(server: Server) -> None:
    token = [await server.token("alice") for _ in range(100)]
    async with asyncio.TaskGroup() as group:

        async def follow(token: str) -> None:
            async with connect(server.url, token=token) as device:
                assert (await soon(anext(device))).entry.body == b"to everybody"

        for each in token:
            group.create_task(follow(each))
        await server.service.publish("alice", b"to everybody")
