"""A connection to SQLite on a thread of its own, by aiosqlite: opened, and given work."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TypeVar

import aiosqlite

BUSY_TIMEOUT_S = 5.0
"""How long to wait for a lock that only a foreign program can hold: an operator's shell, say."""

Result = TypeVar("Result")


async def connect(database: Path, resources: AsyncExitStack) -> aiosqlite.Connection:
    """A connection in autocommit mode, closed with `resources`. Raises sqlite3.Error."""
    connecting = asyncio.ensure_future(
        aiosqlite.connect(database, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    )
    try:
        connection = await asyncio.shield(connecting)
    except asyncio.CancelledError:
        # The thread opens the file all the same: it must be closed, not collected some day.
        with suppress(sqlite3.Error):
            await (await connecting).close()
        raise
    resources.push_async_callback(connection.close)
    return connection


async def carry(
    connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], Result]
) -> Result:
    """Run `function` on the connection's thread, to its end even if the caller is cancelled."""

    def on_thread() -> Result:
        return function(connection._conn)

    # aiosqlite has no public way to run a function on its thread; a transaction made of its own
    # coroutines would hop between threads at every statement and could be cancelled in between.
    # Being private, the method has no types either.
    run = asyncio.ensure_future(connection._execute(on_thread))  # type: ignore[no-untyped-call]
    result: Result = await asyncio.shield(run)
    return result
