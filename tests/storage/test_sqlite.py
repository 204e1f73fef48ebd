"""Tests of the embedded backend as a folder and two threads: opening, failing, stopping."""

import asyncio
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import aiosqlite
import msgspec
import pytest

from syncd import errors
from syncd.model import Accepted, CursorScope, Work
from syncd.storage import Storage, StorageError, StoreRefused
from syncd.storage.sqlite import (
    CHECKPOINT_PAGES,
    DATABASE_NAME,
    LOCK_NAME,
    SqliteStorage,
    open_sqlite,
    prepare_reader,
    prepare_writer,
)

from .works import (
    ALICE,
    NEW_TOKEN,
    PHONE,
    PHONE_TOKEN,
    draft,
    encoded,
    mark,
    opened,
    opening,
    page,
    populate,
    publication,
    record,
    sending,
)

WAL_NAME = f"{DATABASE_NAME}-wal"

Result = TypeVar("Result")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
async def storage(folder: Path) -> AsyncIterator[SqliteStorage]:
    opened_storage = await open_sqlite(folder)
    await populate(opened_storage)
    yield opened_storage
    await opened_storage.close()


async def on_writer(
    storage: SqliteStorage, function: Callable[[sqlite3.Connection], Result]
) -> Result:
    return await storage._run(storage._writer, function)


async def pragma(storage: SqliteStorage, connection: aiosqlite.Connection, text: str) -> object:
    def ask(raw: sqlite3.Connection) -> object:
        return raw.execute(f"PRAGMA {text}").fetchone()[0]

    return await storage._run(connection, ask)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def damage(folder: Path) -> None:
    folder.mkdir()
    (folder / DATABASE_NAME).write_bytes(b"not a database, but long enough to look at " * 100)


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[None]:
    script = (
        "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX);"
        "print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        yield
        holder.communicate()


# ---------------------------------------------------------------- opening


async def test_durability_is_what_sqlite_says_it_is(storage: SqliteStorage) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "query_only", "wal_autocheckpoint")
    writer = [await pragma(storage, storage._writer, name) for name in names]
    reader = [await pragma(storage, storage._reader, name) for name in names]
    assert writer == ["wal", 2, 1, 0, CHECKPOINT_PAGES]
    assert (reader[0], *reader[3:]) == ("wal", 1, 0)


@pytest.mark.parametrize("prepare", [lambda raw: prepare_writer(raw, None), prepare_reader])
def test_a_database_that_cannot_be_durable_is_refused(
    prepare: Callable[[sqlite3.Connection], object],
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with pytest.raises(StoreRefused, match="journal_mode at memory; durability needs wal"):
            prepare(connection)
    finally:
        connection.close()


async def test_the_reader_cannot_write(storage: SqliteStorage) -> None:
    def write(raw: sqlite3.Connection) -> None:
        raw.execute("DELETE FROM entries")

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await storage._run(storage._reader, write)


async def test_only_the_owner_may_look_into_a_store(storage: SqliteStorage, folder: Path) -> None:
    modes = {name: mode(folder / name) for name in os.listdir(folder)}
    assert modes.keys() >= {DATABASE_NAME, LOCK_NAME, WAL_NAME}
    assert set(modes.values()) == {0o600}
    assert mode(folder) == 0o700


async def test_a_store_in_use_is_refused(storage: SqliteStorage, folder: Path) -> None:
    with pytest.raises(StoreRefused, match="in use"):
        await open_sqlite(folder)
    await storage.close()
    await (await open_sqlite(folder)).close()


async def test_a_store_in_use_by_another_process_is_refused(folder: Path) -> None:
    os.mkdir(folder)
    lock = locked_by_another_process(folder / LOCK_NAME)
    with lock, pytest.raises(StoreRefused, match="in use"):
        await open_sqlite(folder)
    await (await open_sqlite(folder)).close()


@pytest.mark.parametrize("made", CursorScope)
async def test_another_scope_is_refused_by_name(folder: Path, made: CursorScope) -> None:
    await (await open_sqlite(folder, made)).close()
    for asked in CursorScope:
        if asked is not made:
            with pytest.raises(StoreRefused, match=f"scope {made.value}; {asked.value} was asked"):
                await open_sqlite(folder, asked)
    for asked in (made, None):
        storage = await open_sqlite(folder, asked)
        assert storage.cursor_scope is made
        await storage.close()


async def test_a_new_store_has_device_scope(storage: SqliteStorage) -> None:
    assert storage.cursor_scope is CursorScope.DEVICE


async def test_a_newer_store_is_refused(folder: Path) -> None:
    await (await open_sqlite(folder)).close()
    connection = sqlite3.connect(folder / DATABASE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreRefused, match="version 99"):
        await open_sqlite(folder)


async def test_what_is_no_database_is_refused_and_let_go(folder: Path) -> None:
    damage(folder)
    for _ in range(2):
        with pytest.raises(StoreRefused, match="not a database"):
            await open_sqlite(folder)
    os.unlink(folder / DATABASE_NAME)
    await (await open_sqlite(folder)).close()


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreRefused, match="cannot be opened"):
        await open_sqlite(tmp_path / "file" / "store")


async def test_reopening_keeps_everything(storage: SqliteStorage, folder: Path) -> None:
    await storage.commit(sending(1, 2, 3))
    await storage.trim(ALICE, 2)
    first = await opened(storage)
    work = Work(publications=(publication("k"),), cursors=(mark(first.epoch, 2, generation=1),))
    await storage.commit(work)
    await storage.add_key("backend", b"hash")
    before = (await page(storage, after=1), await storage.devices(ALICE))
    await storage.close()

    storage = await open_sqlite(folder)
    assert (await page(storage, after=1), await storage.devices(ALICE)) == before
    assert await storage.key_name(b"hash") == "backend"
    done = await storage.commit(
        Work(submissions=sending(2, 4, generation=1).submissions, publications=work.publications)
    )
    assert done.submissions == ((Accepted(2, 2, True), Accepted(4, 5, False)),)
    assert done.publications == (Accepted(0, 4, True),)
    again = await opened(storage)
    assert (again.epoch, again.generation, again.cursor) == (first.epoch, 2, 2)
    await storage.close()


async def test_a_store_that_was_never_closed_keeps_everything(
    storage: SqliteStorage, folder: Path, tmp_path: Path
) -> None:
    await storage.commit(sending(1))
    # A copy of the files at this moment is what a kill would leave behind.
    shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*-shm"))
    recovered = await open_sqlite(tmp_path / "copy")
    assert (await page(recovered)).entries == encoded(1)
    await recovered.close()


# ---------------------------------------------------------------- failing


@contextmanager
def disk_that_fills_up(folder: Path) -> Iterator[None]:
    """The kernel refuses to let any file grow past what the WAL holds and one page more.

    SQLite writes to the WAL first when it commits, so that it is COMMIT that fails.
    """
    size = (folder / WAL_NAME).stat().st_size + 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def large(number: int) -> Work:
    whole = draft(number, members=(ALICE,))
    return sending(msgspec.structs.replace(whole, record=record(number, 30_000)))


async def every_call_fails(storage: Storage) -> None:
    for call in (
        storage.commit(sending(1)),
        page(storage),
        storage.heads([ALICE]),
        storage.trim(ALICE, 1),
        storage.create_account(ALICE),
        storage.device_by_token(PHONE_TOKEN),
        storage.change_credential(PHONE, NEW_TOKEN),
    ):
        with pytest.raises(StorageError) as caught:
            await call
        assert not caught.value.definite


async def test_after_a_failed_commit_every_call_fails(storage: SqliteStorage, folder: Path) -> None:
    await storage.commit(sending(1))
    with disk_that_fills_up(folder):
        with pytest.raises(StorageError, match="COMMIT failed") as caught:
            await storage.commit(large(2))
        assert not caught.value.definite
    # There is room again, but nobody knows what the disk holds: only a restart finds out.
    await every_call_fails(storage)
    await storage.close()

    storage = await open_sqlite(folder)
    assert (await page(storage, bytes_max=1)).entries == encoded(1)
    [[outcome]] = (await storage.commit(large(2))).submissions
    assert isinstance(outcome, Accepted)
    assert outcome.seq == 2
    await storage.close()


async def test_what_waits_behind_a_failed_commit_does_not_run(
    storage: SqliteStorage, folder: Path
) -> None:
    await storage.commit(sending(1))
    with disk_that_fills_up(folder):
        results = await asyncio.gather(
            storage.commit(large(2)), storage.commit(sending(3)), return_exceptions=True
        )
    assert [type(each) for each in results] == [StorageError, StorageError]
    await storage.close()
    storage = await open_sqlite(folder)
    assert (await storage.heads([ALICE]))[ALICE] in (1, 2)
    await storage.close()


async def test_a_full_store_refuses_and_goes_on(storage: SqliteStorage) -> None:
    pages = await pragma(storage, storage._writer, "page_count")
    await pragma(storage, storage._writer, f"max_page_count = {pages}")
    with pytest.raises(StorageError) as caught:
        await storage.commit(large(1))
    assert (caught.value.definite, caught.value.refusal) == (True, errors.STORAGE_FULL)
    assert (await page(storage)).head == 0
    assert (await opened(storage)).generation == 1
    await pragma(storage, storage._writer, "max_page_count = 1000000")
    done = await storage.commit(Work(submissions=sending(1, generation=1).submissions))
    assert done.submissions == ((Accepted(1, 1, False),),)


async def test_appends_are_refused_before_the_disk_is_full(folder: Path) -> None:
    storage = await open_sqlite(folder, free_bytes_min=2**62)
    await populate(storage)
    for work in (sending(1), Work(publications=(publication("k"),))):
        with pytest.raises(StorageError) as caught:
            await storage.commit(work)
        assert (caught.value.definite, caught.value.refusal) == (True, errors.STORAGE_FULL)
    # What needs next to no room still works.
    assert (await opened(storage)).generation == 1
    assert (await storage.change_credential(PHONE, None)).revoked
    await storage.close()


# ---------------------------------------------------------------- stopping


async def test_a_commit_outlives_the_task_that_waited_for_it(storage: SqliteStorage) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(raw: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait()

    holding = asyncio.ensure_future(on_writer(storage, hold))
    committing = asyncio.ensure_future(storage.commit(sending(1)))
    await asyncio.get_running_loop().run_in_executor(None, begun.wait)
    for task in (holding, committing):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    go_on.set()
    done = await storage.commit(sending(1, 2))
    assert done.submissions == ((Accepted(1, 1, True), Accepted(2, 2, False)),)


async def test_an_unknown_outcome_is_kept_though_nobody_waited(
    storage: SqliteStorage, folder: Path
) -> None:
    await storage.commit(sending(1))
    with disk_that_fills_up(folder):
        committing = asyncio.ensure_future(storage.commit(large(2)))
        await asyncio.sleep(0)
        committing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await committing
        with pytest.raises(StorageError):
            await storage.commit(Work())
    await every_call_fails(storage)


async def test_close_finishes_what_was_begun(storage: SqliteStorage, folder: Path) -> None:
    committing = asyncio.ensure_future(storage.commit(sending(1)))
    await asyncio.sleep(0)
    await storage.close()
    assert (await committing).submissions == ((Accepted(1, 1, False),),)
    with pytest.raises(StorageError, match="closed"):
        await storage.commit(sending(2))
    assert WAL_NAME not in os.listdir(folder)


async def test_close_runs_to_its_end_though_its_caller_is_cancelled(
    storage: SqliteStorage, folder: Path
) -> None:
    closing = asyncio.ensure_future(storage.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await storage.close()
    await (await open_sqlite(folder)).close()


async def test_an_opening_that_is_cancelled_lets_the_store_go(folder: Path) -> None:
    opening_store = asyncio.ensure_future(open_sqlite(folder))
    await asyncio.sleep(0)
    opening_store.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening_store
    storage = await open_sqlite(folder)
    await populate(storage)
    assert (await opened(storage, opening())).generation == 1
    await storage.close()
