"""The embedded backend: a folder with one SQLite file, one connection that writes, one that reads.

All logic is synchronous functions over a connection (sqlite_commit, sqlite_logs, sqlite_identity);
here they are carried to the threads of the two connections. The writer also does every checkpoint:
SQLite before 3.51.3 may damage a store when two connections write or checkpoint at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import aiosqlite

from syncd import errors
from syncd.limits import REMEMBERED_MESSAGES, TOKENS_INTERVAL_S, UNFOLDED_MIB
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
from syncd.storage.database_file import claim, make_database
from syncd.storage.erase import empty_wal, erase_body, find_edits
from syncd.storage.folding import Fold, fold_all
from syncd.storage.folding import load as load_journal
from syncd.storage.gathering import Gathering
from syncd.storage.importing import Imported, import_account
from syncd.storage.keeping import Keeping
from syncd.storage.people import People
from syncd.storage.queries import load
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_connection import prepare_reader, prepare_writer
from syncd.storage.sqlite_logs import (
    read_heads,
    read_members,
    read_pages,
    recent_page,
    trim_log,
)
from syncd.storage.sqlite_people import SqlitePeople
from syncd.storage.sqlite_retention import SqliteKeeping
from syncd.storage.sqlite_thread import carry, connect
from syncd.storage.unfolded import Unfolded

JOURNAL_BYTES_MAX = UNFOLDED_MIB * 1024 * 1024
"""From so much on the journal is folded."""

FOLD_STEP_ENTRIES_MIN = 512
"""Entries that one step of a fold moves, where not more come in: some milliseconds."""

SETTLED_BYTES_MAX = 1024 * 1024
"""So much of the journal may be folded at once, while senders wait: some 20 ms."""

FREE_BYTES_MIN = 128 * 1024 * 1024
"""Room that must be left on the disk before an append is tried: the pages that the largest commit
touches, twice (WAL and database). A disk that fills up during COMMIT would stop the process; one
that is found full before BEGIN is a definite answer."""

log = logging.getLogger(__name__)

_SQL = load("sqlite")

Result = TypeVar("Result")


async def open_sqlite(
    path: Path,
    scope: CursorScope | None = None,
    *,
    remembered: int = REMEMBERED_MESSAGES,
    free_bytes_min: int = FREE_BYTES_MIN,
    journal_bytes_max: int = JOURNAL_BYTES_MAX,
) -> SqliteStorage:
    """Open the store in the folder `path`; make it when there is none.

    scope: what the caller expects of the store; None takes the store as it was made. A new store
        gets DEVICE unless another scope is asked for.
    journal_bytes_max: from so many bytes on the journal is folded.

    Raises StoreRefused: in use, another scope, a newer schema, no durability, not a store.
    """
    async with AsyncExitStack() as resources:
        try:
            lock = claim(path)
            resources.callback(os.close, lock)
            make_database(path)
            writer = await connect(path / DATABASE_NAME, resources)
            settled = await carry(writer, partial(prepare_writer, scope=scope))
            unfolded = await carry(writer, load_journal)
            reader = await connect(path / DATABASE_NAME, resources)
            await carry(reader, prepare_reader)
        except (OSError, sqlite3.Error, StorageError) as error:
            raise StoreRefused(f"the store in {path} cannot be opened: {error}") from error
        return SqliteStorage(
            writer,
            reader,
            settled,
            unfolded,
            log_ahead=path / f"{DATABASE_NAME}-wal",
            resources=resources.pop_all(),
            remembered=remembered,
            enough_room=partial(_has_room, lock, free_bytes_min),
            journal_bytes_max=journal_bytes_max,
        )


def _has_room(lock: int, free_bytes_min: int) -> bool:
    disk = os.fstatvfs(lock)
    return disk.f_bavail * disk.f_frsize >= free_bytes_min


class SqliteStorage:
    """Storage in a folder, as `open_sqlite` prepared it. `resources` are closed with it."""

    def __init__(
        self,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        cursor_scope: CursorScope,
        unfolded: Unfolded,
        *,
        log_ahead: Path,
        resources: AsyncExitStack,
        remembered: int,
        enough_room: Callable[[], bool],
        journal_bytes_max: int = JOURNAL_BYTES_MAX,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._scope = cursor_scope
        self._resources = resources
        self._remembered = remembered
        self._enough_room = enough_room
        self._unfolded = unfolded
        self._journal_bytes_max = journal_bytes_max
        self._folding: asyncio.Task[None] | None = None
        self._erased_in_wal = False
        self._unknown: StorageError | None = None
        self._closing: asyncio.Task[None] | None = None
        self._by_token = Gathering(self._devices_by_token, TOKENS_INTERVAL_S)
        write, read = partial(self._run, writer), partial(self._run, reader)
        self._keeping = SqliteKeeping(
            write, read, self._read_settled, self._tidy, unfolded, log_ahead
        )
        self._people = SqlitePeople(write, read, unfolded, self._insist_on_room)

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
            return commit_work(connection, self._unfolded, work, self._scope, self._remembered)

        done = await self._run(self._writer, run)
        if self._unfolded.bytes > self._journal_bytes_max and self._folding is None:
            self._folding = asyncio.create_task(self._fold())
        return done

    async def _fold(self) -> None:
        """Fold between commits: a step for each, of four times what they bring, so that a fold
        ends long before as much has come again."""
        try:
            fold = await self._run(self._writer, partial(Fold, unfolded=self._unfolded))
            arrived, held = self._unfolded.arrival, self._unfolded.bytes
            while not fold.done and self._closing is None:
                came, arrived = self._unfolded.arrival - arrived, self._unfolded.arrival
                grew, held = self._unfolded.bytes - held, self._unfolded.bytes
                await self._run(self._writer, partial(self._step, fold, came, grew))
        except StorageError as error:
            # It is tried again after some further commit; until then the journal grows.
            if self._closing is None:
                log.error("! folding the journal failed: %s", error)
        finally:
            self._folding = None

    def _step(self, fold: Fold, came: int, grew: int, connection: sqlite3.Connection) -> None:
        self._insist_on_room()
        fold.step(max(FOLD_STEP_ENTRIES_MIN, 4 * came), 4 * grew)

    def _insist_on_room(self) -> None:
        if not self._enough_room():
            raise StorageError(
                "the disk is almost full", definite=True, refusal=errors.STORAGE_FULL
            )

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        self._insist_on_service()
        pages = [recent_page(self._unfolded, request) for request in requests]
        older = [place for place, page in enumerate(pages) if page is None]
        if older:
            asked = [requests[place] for place in older]
            read = partial(read_pages, unfolded=self._unfolded, requests=asked)
            for place, page in zip(older, await self._run(self._reader, read), strict=True):
                pages[place] = page
        return [page for page in pages if page is not None]

    async def heads(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Seq]:
        heads = partial(read_heads, unfolded=self._unfolded, accounts=accounts)
        return await self._run(self._reader, heads)

    async def members(self, conversation: ConversationId) -> Members | None:
        return await self._run(self._reader, partial(read_members, conversation=conversation))

    async def trim(self, account: AccountId, before: Seq) -> Seq:
        trim = partial(trim_log, account=account, before=before, remembered=self._remembered)
        return await self._write_settled(trim)

    async def erase(self, account: AccountId, seq: Seq) -> int:
        def erase_here(connection: sqlite3.Connection) -> int:
            erased = erase_body(connection, account, seq)
            self._erased_in_wal = True
            self._tidy(connection)
            return erased

        return await self._write_settled(erase_here)

    def _tidy(self, connection: sqlite3.Connection) -> None:
        if self._erased_in_wal:
            self._erased_in_wal = not empty_wal(connection)

    async def import_account(self, account: AccountId, path: Path) -> Imported:
        """See importing.import_account. Raises TransferRefused, OSError and StorageError."""

        def take(connection: sqlite3.Connection) -> Imported:
            self._insist_on_room()
            imported = import_account(
                connection,
                account,
                path,
                scope=self._scope,
                remembered=self._remembered,
                draw=os.urandom,
            )
            (self._unfolded.arrival,) = connection.execute(_SQL["last_arrival"]).fetchone()
            return imported

        return await self._write_settled(take)

    async def edits(self, account: AccountId, seq: Seq) -> Mapping[Seq, Identity]:
        return await self._read_settled(partial(find_edits, account=account, seq=seq))

    async def close(self) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            if self._folding is not None:
                await self._folding
            with suppress(StorageError):
                # What cannot be folded now is in the journal, and is folded some other day.
                await carry(self._writer, self._guarded(self._settle))
        finally:
            await self._resources.aclose()

    def _settle(self, connection: sqlite3.Connection) -> None:
        """Fold everything, so that pages alone say what the store holds."""
        fold_all(connection, self._unfolded, self._insist_on_room)

    async def _nearly_settle(self) -> None:
        """Fold between commits until little is left, so that senders do not wait for the rest."""
        before = self._unfolded.bytes + 1
        while SETTLED_BYTES_MAX < self._unfolded.bytes < before and self._closing is None:
            before = self._unfolded.bytes
            if self._folding is None:
                self._folding = asyncio.create_task(self._fold())
            await asyncio.shield(self._folding)

    async def _write_settled(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run what knows of no journal, at a moment when there is none."""

        def settled(connection: sqlite3.Connection) -> Result:
            self._settle(connection)
            return function(connection)

        await self._nearly_settle()
        return await self._run(self._writer, settled)

    async def _read_settled(self, question: Callable[[sqlite3.Connection], Result]) -> Result:
        """The same, of what was durable when it was asked."""
        await self._nearly_settle()
        await self._run(self._writer, self._settle)
        return await self._run(self._reader, question)

    def _insist_on_service(self) -> None:
        if self._closing is not None:
            raise StorageError("the storage is closed", definite=True, refusal=errors.BUSY)
        if self._unknown is not None:
            raise StorageError(f"stopped after: {self._unknown}", definite=False)

    def _guarded(
        self, function: Callable[[sqlite3.Connection], Result]
    ) -> Callable[[sqlite3.Connection], Result]:
        """`function`, unless the store's state is unknown."""

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

        return guarded

    async def _run(
        self, connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], Result]
    ) -> Result:
        """Run `function` on the connection's thread, unless the store's state is unknown."""
        self._insist_on_service()
        return await carry(connection, self._guarded(function))

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
        self._insist_on_service()
        return await self._by_token.ask(token_hash)

    async def _devices_by_token(self, token_hashes: Sequence[bytes]) -> list[Device | None]:
        find = partial(
            sqlite_identity.devices_by_token,
            unfolded=self._unfolded,
            scope=self._scope,
            token_hashes=token_hashes,
        )
        return await self._run(self._reader, find)

    async def devices(self, account: AccountId) -> list[Device]:
        find = partial(
            sqlite_identity.devices, unfolded=self._unfolded, scope=self._scope, account=account
        )
        return await self._run(self._reader, find)

    async def change_credential(self, device: DeviceId, token_hash: bytes | None) -> Device:
        change = partial(
            sqlite_identity.change_credential,
            unfolded=self._unfolded,
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
