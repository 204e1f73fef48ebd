"""The embedded backend: a folder with one SQLite file, one connection that writes, one that reads.

All logic is synchronous functions over a connection (sqlite_commit, sqlite_logs, sqlite_identity);
here they are carried to the threads of the two connections. The writer also does every checkpoint:
SQLite before 3.51.3 may damage a store when two connections write or checkpoint at once.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import aiosqlite

from syncd import errors
from syncd.limits import REMEMBERED_MESSAGES
from syncd.membership import Members
from syncd.model import (
    AccountId,
    ConversationId,
    CursorScope,
    Device,
    DeviceId,
    Done,
    Identity,
    Page,
    ReadRequest,
    Seq,
    Work,
)
from syncd.storage import StorageError, StoreRefused, sqlite_identity
from syncd.storage.database_file import DATABASE_NAME as DATABASE_NAME
from syncd.storage.database_file import LOCK_NAME as LOCK_NAME
from syncd.storage.database_file import claim, sync_folder
from syncd.storage.erase import erase_body, find_edits
from syncd.storage.importing import Imported, import_account
from syncd.storage.keeping import LOG_AHEAD_BYTES_MAX, Keeping
from syncd.storage.migrate import migrate
from syncd.storage.people import People
from syncd.storage.queries import load
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_logs import read_heads, read_members, read_pages, trim_log
from syncd.storage.sqlite_people import SqlitePeople
from syncd.storage.sqlite_retention import SqliteKeeping
from syncd.storage.transaction import transact

CHECKPOINT_PAGES = 16_000
"""WAL pages (4 KiB each) after which a commit also copies them into the database: 64 MiB. Commits
under load touch the same pages again and again, and a checkpoint copies each of them once; a
quarter of this was a third slower in long runs."""

CACHE_KIB = 64 * 1024
"""Page cache of the writer: the ends of the logs' index and the rings of active devices."""

FREE_BYTES_MIN = 128 * 1024 * 1024
"""Room that must be left on the disk before an append is tried: the pages that the largest commit
touches, twice (WAL and database). A disk that fills up during COMMIT would stop the process; one
that is found full before BEGIN is a definite answer."""

BUSY_TIMEOUT_S = 5.0
"""How long to wait for a lock that only a foreign program can hold: an operator's shell, say."""

_SQL = load("sqlite")
_FULL = 2  # what PRAGMA synchronous answers for FULL

Result = TypeVar("Result")


async def open_sqlite(
    path: Path,
    scope: CursorScope | None = None,
    *,
    remembered: int = REMEMBERED_MESSAGES,
    free_bytes_min: int = FREE_BYTES_MIN,
) -> SqliteStorage:
    """Open the store in the folder `path`; make it when there is none.

    scope: what the caller expects of the store; None takes the store as it was made. A new store
        gets DEVICE unless another scope is asked for.

    Raises StoreRefused: in use, another scope, a newer schema, no durability, not a store.
    """
    async with AsyncExitStack() as resources:
        try:
            lock = claim(path)
            resources.callback(os.close, lock)
            _make_file(path)
            writer = await _connect(path, resources)
            settled = await _carry(writer, partial(prepare_writer, scope=scope))
            reader = await _connect(path, resources)
            await _carry(reader, prepare_reader)
        except (OSError, sqlite3.Error, StorageError) as error:
            raise StoreRefused(f"the store in {path} cannot be opened: {error}") from error
        return SqliteStorage(
            writer,
            reader,
            settled,
            log_ahead=path / f"{DATABASE_NAME}-wal",
            resources=resources.pop_all(),
            remembered=remembered,
            enough_room=partial(_has_room, lock, free_bytes_min),
        )


def prepare_writer(connection: sqlite3.Connection, scope: CursorScope | None) -> CursorScope:
    """Make `connection` durable and its store current; the store's cursor scope."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    _require(connection, journal_mode="wal", synchronous=_FULL, foreign_keys=1)
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES:d}")
    # The file is cut down when it begins anew: trouble that is over must not look like trouble.
    connection.execute(f"PRAGMA journal_size_limit = {LOG_AHEAD_BYTES_MAX:d}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB:d}")
    migrate(connection)
    return transact(connection, partial(_settle_scope, asked=scope))


def prepare_reader(connection: sqlite3.Connection) -> None:
    """Make sure that `connection` can neither write nor checkpoint."""
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    _require(connection, journal_mode="wal", query_only=1, wal_autocheckpoint=0)


def _require(connection: sqlite3.Connection, **wanted: str | int) -> None:
    # SQLite answers a pragma that it cannot honour with silence, so each one is read back.
    for name, value in wanted.items():
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != value:
            raise StoreRefused(f"SQLite keeps {name} at {found}; durability needs {value}")


def _settle_scope(connection: sqlite3.Connection, asked: CursorScope | None) -> CursorScope:
    row = connection.execute(_SQL["meta"], ("cursor_scope",)).fetchone()
    if row is None:
        settled = asked or CursorScope.DEVICE
        connection.execute(_SQL["set_meta"], ("cursor_scope", settled.value))
        return settled
    settled = CursorScope(row[0])
    if asked not in (None, settled):
        raise StoreRefused(
            f"the store was made with cursor scope {settled.value}; {asked.value} was asked for"
        )
    return settled


def _make_file(folder: Path) -> None:
    # SQLite would make the file readable for all; its WAL inherits what it finds here.
    os.close(os.open(folder / DATABASE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_folder(folder)


def _has_room(lock: int, free_bytes_min: int) -> bool:
    disk = os.fstatvfs(lock)
    return disk.f_bavail * disk.f_frsize >= free_bytes_min


async def _connect(folder: Path, resources: AsyncExitStack) -> aiosqlite.Connection:
    connecting = asyncio.ensure_future(
        aiosqlite.connect(folder / DATABASE_NAME, isolation_level=None, timeout=BUSY_TIMEOUT_S)
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


async def _carry(
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


class SqliteStorage:
    """Storage in a folder, as `open_sqlite` prepared it. `resources` are closed with it."""

    def __init__(
        self,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        cursor_scope: CursorScope,
        *,
        log_ahead: Path,
        resources: AsyncExitStack,
        remembered: int,
        enough_room: Callable[[], bool],
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._scope = cursor_scope
        self._resources = resources
        self._remembered = remembered
        self._enough_room = enough_room
        self._unknown: StorageError | None = None
        self._closing: asyncio.Task[None] | None = None
        self._keeping = SqliteKeeping(
            partial(self._run, writer), partial(self._run, reader), log_ahead
        )
        self._people = SqlitePeople(
            partial(self._run, writer), partial(self._run, reader), self._insist_on_room
        )

    @property
    def cursor_scope(self) -> CursorScope:
        return self._scope

    @property
    def keeping(self) -> Keeping:
        return self._keeping

    @property
    def people(self) -> People:
        return self._people

    async def commit(self, work: Work) -> Done:
        def run(connection: sqlite3.Connection) -> Done:
            if work.submissions or work.publications:
                self._insist_on_room()
            return commit_work(connection, work, self._scope, self._remembered)

        return await self._run(self._writer, run)

    def _insist_on_room(self) -> None:
        if not self._enough_room():
            raise StorageError(
                "the disk is almost full", definite=True, refusal=errors.STORAGE_FULL
            )

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        return await self._run(self._reader, partial(read_pages, requests=requests))

    async def heads(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Seq]:
        return await self._run(self._reader, partial(read_heads, accounts=accounts))

    async def members(self, conversation: ConversationId) -> Members | None:
        return await self._run(self._reader, partial(read_members, conversation=conversation))

    async def trim(self, account: AccountId, before: Seq) -> Seq:
        return await self._run(self._writer, partial(trim_log, account=account, before=before))

    async def erase(self, account: AccountId, seq: Seq) -> int:
        return await self._run(self._writer, partial(erase_body, account=account, seq=seq))

    async def import_account(self, account: AccountId, path: Path) -> Imported:
        """See importing.import_account. Raises TransferRefused, OSError and StorageError."""

        def take(connection: sqlite3.Connection) -> Imported:
            self._insist_on_room()
            return import_account(
                connection,
                account,
                path,
                scope=self._scope,
                remembered=self._remembered,
                draw=os.urandom,
            )

        return await self._run(self._writer, take)

    async def edits(self, account: AccountId, seq: Seq) -> Mapping[Seq, Identity]:
        return await self._run(self._reader, partial(find_edits, account=account, seq=seq))

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._resources.aclose())
        await asyncio.shield(self._closing)

    async def _run(
        self, connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], Result]
    ) -> Result:
        """Run `function` on the connection's thread, unless the store's state is unknown."""

        def guarded(raw: sqlite3.Connection) -> Result:
            # Judged on the thread: what waited behind the failed commit must not run after it.
            if self._unknown is not None:
                raise StorageError(f"stopped after: {self._unknown}", definite=False)
            try:
                return function(raw)
            except StorageError as error:
                if not error.definite:
                    self._unknown = error
                raise

        if self._closing is not None:
            raise StorageError("the storage is closed", definite=True, refusal=errors.BUSY)
        return await _carry(connection, guarded)

    # ------------------------------------------------------------ identity's rows

    async def create_account(self, account: AccountId) -> bool:
        create = partial(sqlite_identity.create_account, account=account)
        return await self._run(self._writer, create)

    async def create_device(
        self, account: AccountId, device: DeviceId, name: str, platform: str, token_hash: bytes
    ) -> None:
        create = partial(
            sqlite_identity.create_device,
            account=account,
            device=device,
            name=name,
            platform=platform,
            token_hash=token_hash,
        )
        await self._run(self._writer, create)

    async def device_by_token(self, token_hash: bytes) -> Device | None:
        find = partial(sqlite_identity.device_by_token, scope=self._scope, token_hash=token_hash)
        return await self._run(self._reader, find)

    async def devices(self, account: AccountId) -> list[Device]:
        find = partial(sqlite_identity.devices, scope=self._scope, account=account)
        return await self._run(self._reader, find)

    async def change_credential(self, device: DeviceId, token_hash: bytes | None) -> Device:
        change = partial(
            sqlite_identity.change_credential,
            scope=self._scope,
            device=device,
            token_hash=token_hash,
        )
        return await self._run(self._writer, change)

    async def add_key(self, name: str, key_hash: bytes) -> None:
        add = partial(sqlite_identity.add_key, name=name, key_hash=key_hash)
        await self._run(self._writer, add)

    async def key_name(self, key_hash: bytes) -> str | None:
        return await self._run(self._reader, partial(sqlite_identity.key_name, key_hash=key_hash))
