"""The durable store: one SQLite file, for one process at a time, readable by its owner alone.

A shelf call is one transaction in WAL mode with synchronous=FULL: durable when it returns.
aiosqlite only carries calls to its thread.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import aiosqlite

from syncd.client.exceptions import StoreInUse, StoreUnusable
from syncd.client.sqlite_shelf import SqliteShelf
from syncd.client.store import Result, Shelf

_BUSY_TIMEOUT_S = 0.5
"""The file is locked for a whole run, so waiting longer for its lock is rarely worth it."""


class SqliteStore:
    """See ClientStore. The file holds the device's credential, hence its mode 0600."""

    durable = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._connection: aiosqlite.Connection | None = None
        self._shelf: SqliteShelf | None = None

    async def open(self) -> None:
        if self._shelf is not None:
            raise StoreInUse(f"{self.path} is already open")
        try:
            # Made before SQLite opens it, so that it is never readable by others; SQLite gives
            # its side files the same mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = await self._connect()
        except (OSError, sqlite3.Error) as error:
            raise StoreUnusable(f"{self.path}: {error}") from error
        try:
            self._shelf = await self._carry(_open_shelf)
        except BaseException:
            await self.close()
            raise

    async def _connect(self) -> aiosqlite.Connection:
        connection = aiosqlite.connect(self.path, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
        connecting = asyncio.ensure_future(connection)
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # The thread opens the file all the same; left alone, it would hold the lock.
            await asyncio.wait([connecting])
            if connecting.cancelled():
                await _end(connection)
            else:
                with suppress(sqlite3.Error):
                    await connecting.result().close()
            raise

    async def call(self, work: Callable[[Shelf], Result]) -> Result:
        shelf = self._shelf
        if shelf is None:
            raise StoreUnusable(f"{self.path} is not open")
        return await self._carry(lambda _: work(shelf))

    async def _carry(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        connection = self._connection
        if connection is None:
            raise StoreUnusable(f"{self.path} is not open")
        try:
            # aiosqlite has no public way to run one function on its thread; a round trip for
            # each statement would cost more than the statements. pyproject.toml bounds the version.
            # Being private, the method has no types either.
            result = await connection._execute(lambda: work(connection._conn))  # type: ignore[no-untyped-call]
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", None)  # errors of the module itself have none
            if code == sqlite3.SQLITE_BUSY:
                raise StoreInUse(f"{self.path} is already open elsewhere") from error
            raise StoreUnusable(f"{self.path}: {error}") from error
        except sqlite3.Error as error:
            raise StoreUnusable(f"{self.path}: {error}") from error
        return cast(Result, result)

    async def close(self) -> None:
        connection, self._connection, self._shelf = self._connection, None, None
        if connection is not None:
            closing = asyncio.ensure_future(connection.close())
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                await asyncio.wait([closing])
                if closing.cancelled():
                    await _end(connection)
                else:
                    await closing
                raise


async def _end(connection: aiosqlite.Connection) -> None:
    """End the connection's thread, although the program ends and every task was cancelled, the one
    that would have done it, too: it must be over before the loop is closed that it answers to."""
    if connection._running:
        connection.stop()
    if connection._thread.is_alive():
        await asyncio.to_thread(connection._thread.join)


def _open_shelf(connection: sqlite3.Connection) -> SqliteShelf:
    # Exclusive: two runs on one store would move one position twice. It takes effect with the
    # first access, spares WAL its shared memory file, and falls with the process.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StoreUnusable("SQLite cannot keep a write-ahead log there")
    connection.execute("PRAGMA synchronous = FULL")
    return SqliteShelf(connection)
