"""The pretended server's disk with real files: the SQLite storage, run inline, in its own folder.

No thread and no waiting: a call is done when it is made. So the real statements, transactions,
backups and restores run at steps that a seed chooses.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, cast

import aiosqlite

from client_sim.history import Content
from client_sim.pretend.disk import LogState, StoredCursor, content
from syncd.limits import REMEMBERED_MESSAGES
from syncd.model import AccountId, CursorScope, DeviceId, Epoch, Seq
from syncd.storage import Storage, sqlite_identity
from syncd.storage.backup import back_up
from syncd.storage.contents import Contents
from syncd.storage.cursors import cursor_key
from syncd.storage.database_file import DATABASE_NAME, copy_database, remove_database
from syncd.storage.folding import load as load_journal
from syncd.storage.restore import restore
from syncd.storage.sqlite import SqliteStorage
from syncd.storage.sqlite_connection import prepare_reader, prepare_writer

_IN_MEMORY = Path("/dev/shm")
"""Where files cost no waiting for a disk, on systems that have it."""

_DEVICE = "SELECT account, platform, generation FROM devices JOIN logs USING (log) WHERE device = ?"

_JOURNALS = (0, 2_000, 20_000, 1_000_000)
"""From how many bytes on the journal is folded, drawn for each start of the server: after every
commit, every now and then, or never."""


class _Inline:
    """What SqliteStorage needs of a connection, without a thread: it runs what it is given."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._conn = connection

    def _execute(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            done.set_result(function())
        except Exception as error:
            done.set_exception(error)
        return done


class _SeededSqlite(SqliteStorage):
    """The real storage, but that epochs come from a seed."""

    draw: Callable[[int], bytes] = staticmethod(os.urandom)

    async def create_account(self, account: AccountId) -> bool:
        create = partial(sqlite_identity.create_account, account=account, draw=self.draw)
        return await self._run(self._writer, create)


class SqliteDisk:
    """See Disk. `random` gives epochs; a folder is made, and removed by `close`."""

    def __init__(self, random: Random, scope: CursorScope) -> None:
        self._random = random
        # Begins where the seed does and takes nothing from it: epochs are those of any disk.
        self._chance = Random()
        self._chance.setstate(random.getstate())
        self._scope = scope
        parent = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
        self._folder = Path(mkdtemp(prefix="client-sim-", dir=parent))
        self.file = self._folder / DATABASE_NAME
        self._backup = self._folder / "backup.db"
        self._storage: SqliteStorage | None = None
        self._writer = self._connected()
        self._reader = self._connected()
        prepare_writer(self._writer, scope)
        prepare_reader(self._reader)

    def _connected(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, isolation_level=None)

    def open(self) -> Storage:
        self._disconnect()
        self._writer, self._reader = self._connected(), self._connected()
        prepare_writer(self._writer, self._scope)
        prepare_reader(self._reader)
        storage = self._storage = _SeededSqlite(
            cast(aiosqlite.Connection, _Inline(self._writer)),
            cast(aiosqlite.Connection, _Inline(self._reader)),
            self._scope,
            load_journal(self._writer),
            log_ahead=self._folder / f"{DATABASE_NAME}-wal",
            resources=AsyncExitStack(),
            remembered=REMEMBERED_MESSAGES,
            enough_room=lambda: True,
            journal_bytes_max=self._chance.choice(_JOURNALS),
        )
        storage.draw = self._random.randbytes
        return storage

    def _disconnect(self) -> None:
        folding = None if self._storage is None else self._storage._folding
        if folding is not None:
            folding.cancel()  # it dies with its process
            loop = folding.get_loop()
            if not loop.is_running() and not loop.is_closed():
                loop.run_until_complete(asyncio.wait([folding]))
        self._reader.close()
        self._writer.close()

    def close(self) -> None:
        self._disconnect()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _contents(self) -> Contents:
        return Contents(self._reader, load_journal(self._reader))

    def logs(self) -> list[LogState]:
        return [
            LogState(log.account, log.epoch, log.floor, log.head)
            for log in self._contents().every_log()
        ]

    def entries(self, account: AccountId, after: Seq) -> Iterator[tuple[Seq, Content]]:
        contents = self._contents()
        log = contents.own_log(account)
        if log is not None:
            for run in contents.runs(log, max(after, log.floor)):
                for entry in run.walk():
                    yield entry.seq, content(entry.header, entry.body)

    def cursors(self, devices: Iterable[DeviceId]) -> list[StoredCursor]:
        contents = self._contents()
        return [self._cursor(contents, device) for device in devices]

    def _cursor(self, contents: Contents, device: DeviceId) -> StoredCursor:
        account, platform, generation = self._reader.execute(_DEVICE, (device,)).fetchone()
        key = cursor_key(self._scope, device, account, platform)
        saved = contents.cursor(key)
        if saved is None:
            return StoredCursor(device, None, 0, generation)
        return StoredCursor(device, Epoch(saved[0]), saved[1], generation)

    def back_up(self) -> None:
        remove_database(self._backup)
        back_up(self.file, self._backup)

    def restore(self) -> None:
        self._disconnect()
        restored = restore(self._backup, self._folder, replace=True, draw=self._random.randbytes)
        if restored.replaced is not None:
            remove_database(restored.replaced)
        self._writer, self._reader = self._connected(), self._connected()

    def put_back(self) -> None:
        self._disconnect()
        remove_database(self.file)
        copy_database(self._backup, self.file)
        self._writer, self._reader = self._connected(), self._connected()
