"""What a thread was given is done to its end, whoever is cancelled meanwhile."""

import asyncio
import sqlite3
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from syncd.storage.sqlite_thread import carry, connect


async def test_a_cancelled_caller_leaves_its_work_whole(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(connection: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(30)
        connection.execute("CREATE TABLE done (a)")

    async with AsyncExitStack() as resources:
        connection = await connect(tmp_path / "file", resources)
        caller = asyncio.create_task(carry(connection, work))
        assert await asyncio.to_thread(begun.wait, 30)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        go_on.set()
        question = "SELECT count(*) FROM done"
        assert await carry(connection, lambda raw: raw.execute(question).fetchone()) == (0,)


async def test_what_a_function_raises_reaches_its_caller(tmp_path: Path) -> None:
    async with AsyncExitStack() as resources:
        connection = await connect(tmp_path / "file", resources)
        with pytest.raises(sqlite3.OperationalError):
            await carry(connection, lambda raw: raw.execute("SELECT * FROM nothing"))


async def test_a_cancelled_opening_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    async with AsyncExitStack() as resources:
        opening = asyncio.create_task(connect(tmp_path / "file", resources))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    for worker in set(threading.enumerate()) - before:
        await asyncio.to_thread(worker.join, 30)
        assert not worker.is_alive()
