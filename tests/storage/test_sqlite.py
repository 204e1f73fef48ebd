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
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import aiosqlite
import msgspec
import pytest

from syncd import errors
from syncd.model import Accepted, CursorScope, Work
from syncd.persisted_clock import ClockReading
from syncd.storage import Storage, StorageError, StoreRefused, folding
from syncd.storage import sqlite as module
from syncd.storage.keeping import Keep, Look
from syncd.storage.sqlite import DATABASE_NAME, LOCK_NAME, SqliteStorage, open_sqlite
from syncd.storage.sqlite_connection import (
    CHECKPOINT_BYTES,
    PAGE_BYTES,
    prepare_reader,
    prepare_writer,
)

from .stores import draft as written
from .stores import send
from .works import (
    ALICE,
    BOB,
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
    assert writer == ["wal", 2, 1, 0, CHECKPOINT_BYTES // PAGE_BYTES]
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
        raw.execute("DELETE FROM pages")

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
    await storage.trim(ALICE, 1)  # folds
    await storage.commit(sending(2))
    before = (await page(storage), await storage.devices(ALICE))
    recovered = await open_sqlite(killed(folder, tmp_path))
    assert (await page(recovered), await storage.devices(ALICE)) == before
    assert before[0].entries == encoded(1, 2)
    done = await recovered.commit(sending(1, 2, 3))
    assert done.submissions == (
        (Accepted(1, 1, True), Accepted(2, 2, True), Accepted(3, 3, False)),
    )
    await recovered.close()


async def test_a_journal_that_cannot_be_believed_is_refused(
    storage: SqliteStorage, folder: Path, tmp_path: Path
) -> None:
    await storage.commit(sending(1))
    copy = killed(folder, tmp_path)
    with closing(sqlite3.connect(copy / DATABASE_NAME)) as connection:
        connection.execute("UPDATE journal SET sum = sum + 1")
        connection.commit()
    with pytest.raises(StoreRefused, match="row 1 of the journal is damaged; restore a backup"):
        await open_sqlite(copy)


# ---------------------------------------------------------------- folding


def killed(folder: Path, tmp_path: Path) -> Path:
    """A copy of the files at this moment: what a kill would leave behind."""
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm")))


async def execute(storage: SqliteStorage, statement: str) -> list[tuple[object, ...]]:
    return await on_writer(storage, lambda raw: raw.execute(statement).fetchall())


async def folded(storage: SqliteStorage) -> None:
    """Wait for the fold that is under way."""
    while storage._folding is not None:
        await storage._folding


REFUSE = "CREATE TRIGGER refuse BEFORE {} BEGIN SELECT RAISE(ABORT, 'refused'); END"


@pytest.fixture
async def eager(folder: Path) -> AsyncIterator[SqliteStorage]:
    """A store that folds whenever it can."""
    opened_storage = await open_sqlite(folder, journal_bytes_max=0)
    await populate(opened_storage)
    yield opened_storage
    await opened_storage.close()


async def test_the_journal_is_folded_behind_the_commits(eager: SqliteStorage) -> None:
    for number in range(1, 6):
        await eager.commit(sending(number))
        assert (await page(eager)).entries == encoded(*range(1, number + 1))
    await folded(eager)
    await eager.commit(sending(6))
    await folded(eager)
    assert await execute(eager, "SELECT log, max(last) FROM pages GROUP BY log") == [(1, 6), (2, 6)]
    assert await execute(eager, "SELECT * FROM journal") == []
    assert (await page(eager)).entries == encoded(1, 2, 3, 4, 5, 6)


async def test_the_clock_is_noted_beside_the_journal(storage: SqliteStorage) -> None:
    await storage.commit(sending(1))
    await storage.keeping.note(ClockReading(60_000, 0))
    await storage.keeping.thin(60_000)
    await storage.keeping.drop_keys(60_000)
    await storage.keeping.keep(ALICE, 5, None)
    assert len(await execute(storage, "SELECT * FROM journal")) == 1
    assert await storage.keeping.look(0, 60_000, Keep(age_ms=1)) == Look(2, (), None)
    assert await execute(storage, "SELECT * FROM journal") == []


async def test_an_erased_body_leaves_the_log_ahead_once_no_reader_is_in_the_way(
    storage: SqliteStorage, folder: Path
) -> None:
    body = b"whatever nobody shall read again"
    await send(storage, written(1, body))
    with closing(sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM logs").fetchone()
        await storage.erase(ALICE, 1)
        assert body in (folder / WAL_NAME).read_bytes()
        await storage.keeping.note(ClockReading(60_000, 0))
        assert body in (folder / WAL_NAME).read_bytes()
    await storage.keeping.note(ClockReading(120_000, 0))
    assert body not in (folder / WAL_NAME).read_bytes()
    assert body not in (folder / DATABASE_NAME).read_bytes()


async def test_senders_have_their_turns_while_a_trim_has_the_journal_folded(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED_BYTES_MAX", 2_000)
    monkeypatch.setattr(module, "FOLD_STEP_ENTRIES_MIN", 8)
    await storage.commit(sending(*range(1, 401)))
    trim = asyncio.create_task(storage.trim(ALICE, 3))
    committed = 400
    while not trim.done():
        committed += 1
        await storage.commit(sending(committed))
    assert await trim == 2
    assert committed > 410
    assert (await page(storage, after=2)).entries == encoded(*range(3, committed + 1))


async def test_a_fold_ends_where_bodies_are_large(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes while rows of the journal are dropped is less than what is dropped."""
    monkeypatch.setattr(module, "FOLD_STEP_ENTRIES_MIN", 4)
    storage = await open_sqlite(folder, journal_bytes_max=1_000_000)
    await populate(storage)
    largest = 0
    try:
        for first in range(1, 960, 16):
            drafts = [written(number, bytes(32_000)) for number in range(first, first + 16)]
            await storage.commit(sending(*drafts))
            largest = max(largest, storage._unfolded.bytes)
    finally:
        await storage.close()
    assert largest < 12_000_000


async def test_a_disk_that_fills_up_stops_a_fold_at_once_between_its_steps(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "_STEP_BYTES", 200)
    monkeypatch.setattr(folding, "_STEP_ENTRIES_MIN", 4)
    await storage.commit(sending(*range(1, 41)))
    room = iter([True] * 4)
    monkeypatch.setattr(storage, "_enough_room", lambda: next(room, False))
    with pytest.raises(StorageError, match="almost full") as caught:
        await storage.trim(ALICE, 3)
    assert (caught.value.definite, caught.value.refusal) == (True, errors.STORAGE_FULL)
    assert await execute(storage, "SELECT * FROM pages") != []
    monkeypatch.undo()
    assert await storage.trim(ALICE, 3) == 2
    assert (await page(storage, after=2)).entries == encoded(*range(3, 41))


async def test_what_folds_at_once_does_not_mislead_a_fold_that_is_under_way(
    eager: SqliteStorage, folder: Path, tmp_path: Path
) -> None:
    for number in range(1, 40):
        alone = draft(number, members=(ALICE,) if number % 3 else (ALICE, BOB))
        await asyncio.gather(
            eager.commit(sending(alone)), eager.trim(BOB, 1), eager.trim(ALICE, number // 2)
        )
        if number % 13 == 0:
            recovered = await open_sqlite(killed(folder, tmp_path))
            assert await recovered.heads([ALICE, BOB]) == await eager.heads([ALICE, BOB])
            await recovered.close()
    after = (await page(eager)).floor
    assert (await page(eager, after=after)).entries == encoded(*range(after + 1, 40))


async def test_a_fold_that_fails_is_told_and_tried_again(
    eager: SqliteStorage, caplog: pytest.LogCaptureFixture
) -> None:
    await execute(eager, REFUSE.format("INSERT ON pages"))
    await eager.commit(sending(1))
    await folded(eager)
    [told] = caplog.records
    assert told.getMessage() == "! folding the journal failed: refused"
    assert (await page(eager)).entries == encoded(1)
    await execute(eager, "DROP TRIGGER refuse")
    await eager.commit(sending(2))
    await folded(eager)
    assert await execute(eager, "SELECT * FROM journal") == []
    assert (await page(eager)).entries == encoded(1, 2)


async def test_closing_a_store_that_is_about_to_fold_is_no_failure(
    eager: SqliteStorage, caplog: pytest.LogCaptureFixture
) -> None:
    await eager.commit(sending(1))
    assert eager._folding is not None
    await eager.close()
    assert caplog.records == []


async def test_what_cannot_be_folded_stays_in_the_journal(
    storage: SqliteStorage, folder: Path
) -> None:
    await storage.commit(sending(1))
    await execute(storage, REFUSE.format("INSERT ON pages"))
    with pytest.raises(StorageError, match="refused") as caught:
        await storage.trim(ALICE, 2)
    assert caught.value.definite
    await storage.close()
    reopened = await open_sqlite(folder)
    assert (await page(reopened)).entries == encoded(1)
    await execute(reopened, "DROP TRIGGER refuse")
    assert await reopened.trim(ALICE, 2) == 1
    await reopened.close()


async def test_nothing_is_folded_without_room(
    storage: SqliteStorage, folder: Path, tmp_path: Path
) -> None:
    await storage.commit(sending(1))
    copy = killed(folder, tmp_path)
    narrow = await open_sqlite(copy, free_bytes_min=2**62)
    with pytest.raises(StorageError) as caught:
        await narrow.trim(ALICE, 2)
    assert (caught.value.definite, caught.value.refusal) == (True, errors.STORAGE_FULL)
    assert (await page(narrow)).entries == encoded(1)
    await narrow.close()
    wide = await open_sqlite(copy)
    assert await wide.trim(ALICE, 2) == 1
    await wide.close()


async def test_an_erased_body_is_not_left_in_rows_that_were_folded(
    storage: SqliteStorage, folder: Path, tmp_path: Path
) -> None:
    await send(storage, written(1, b"what nobody shall read"))
    await execute(storage, REFUSE.format("DELETE ON journal"))
    with pytest.raises(StorageError, match="refused"):
        await storage.trim(ALICE, 1)
    await execute(storage, "DROP TRIGGER refuse")
    # All is folded, and the row of the journal is still there: now the process dies.
    copy = killed(folder, tmp_path)
    recovered = await open_sqlite(copy)
    assert await recovered.erase(ALICE, 1) == 2
    await recovered.close()
    for path in copy.iterdir():
        assert b"nobody shall read" not in path.read_bytes(), path.name


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
