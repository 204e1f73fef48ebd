"""Restoring: the old state or the new at every step, new epochs, new generations."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from syncd.model import Accepted, Opening, Work
from syncd.persons import Merged
from syncd.storage import Storage, StoreRefused, restore
from syncd.storage.backup import back_up
from syncd.storage.check import check_file
from syncd.storage.database_file import DATABASE_NAME, claim
from syncd.storage.migrate import migrations
from syncd.storage.restore import DamagedCopy
from syncd.storage.sqlite import open_sqlite

from . import damage
from .reception import Reception
from .stores import TAKEN_MS, contents, draft, fill, killed_store, make_store, send, served
from .works import ALICE, BOB, opened, opening, populate, submission


def rows(store: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    store = make_store(tmp_path / "first")
    return back_up(store, tmp_path / "copy").path


async def more(storage: object) -> None:
    await fill(storage)  # type: ignore[arg-type]
    await send(storage, draft(14, b"later"))  # type: ignore[arg-type]


def test_a_copy_becomes_the_store_under_new_epochs(copy: Path, tmp_path: Path) -> None:
    before = copy.read_bytes()
    folder = tmp_path / "new"
    done = restore.restore(copy, folder)
    assert (done.accounts, done.entries, done.newest_ms) == (2, 26, TAKEN_MS + 13)
    assert (done.replaced, done.report.sound) == (None, True)
    assert contents(folder).keys() == {"lock", DATABASE_NAME}
    assert contents(folder)[DATABASE_NAME][18:20] == b"\x02\x02", "in WAL mode"
    old, new = (rows(each, "SELECT epoch FROM logs") for each in (copy, folder / DATABASE_NAME))
    assert len({*old, *new}) == 4
    for each, generation in ((copy, 0), (folder / DATABASE_NAME, 1)):
        assert rows(each, "SELECT DISTINCT generation FROM devices") == [(generation,)]
    assert copy.read_bytes() == before
    assert check_file(folder / DATABASE_NAME).sound
    assert served(folder, ALICE, BOB) == served(tmp_path / "first", ALICE, BOB)


def test_what_only_the_journal_of_a_copy_knows_is_restored_too(tmp_path: Path) -> None:
    copied = back_up(killed_store(tmp_path / "killed"), tmp_path / "copy")
    assert (copied.report.sound, copied.report.entries) == (True, 32)
    assert restore.restore(copied.path, tmp_path / "new").entries == 32
    assert check_file(tmp_path / "new" / DATABASE_NAME).sound
    assert served(tmp_path / "new", ALICE, BOB) == served(tmp_path / "killed", ALICE, BOB)

    async def go_on(storage: Storage) -> None:
        held = await opened(storage, opening())
        assert (held.sent, held.cursor_outdated) == (15, True)
        again = submission(draft(14, b"unfolded"), draft(16, b"new"), generation=held.generation)
        [outcomes] = (await storage.commit(Work(submissions=(again,)))).submissions
        assert outcomes == (Accepted(14, 15, True), Accepted(16, 18, False))

    make_store(tmp_path / "new", go_on)


async def merge(storage: Storage) -> None:
    await populate(storage)
    assert isinstance(await Reception(storage).merge(BOB, ALICE), Merged)


def test_a_guests_log_gets_a_new_epoch_too(tmp_path: Path) -> None:
    kept = back_up(make_store(tmp_path / "first", merge), tmp_path / "kept").path
    restore.restore(kept, tmp_path / "new")
    epochs = "SELECT account, epoch FROM logs"
    old, new = (dict(rows(each, epochs)) for each in (kept, tmp_path / "new" / DATABASE_NAME))

    async def say_hello() -> Opening:
        storage = await open_sqlite(tmp_path / "new")
        try:
            return await opened(storage, opening())
        finally:
            await storage.close()

    welcome = asyncio.run(say_hello())
    assert (welcome.aliases, welcome.merged_epochs) == ((BOB,), {new[BOB]})
    assert old[BOB] not in welcome.merged_epochs, "whoever states it hears reset{epoch}"


def test_a_store_is_replaced_only_when_that_is_said_and_kept(copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    store = make_store(folder, more)
    truth = served(folder, ALICE, BOB)
    with pytest.raises(StoreRefused, match=r"a store in .* already; --replace keeps it"):
        restore.restore(copy, folder)
    assert served(folder, ALICE, BOB) == truth
    done = restore.restore(copy, folder, replace=True)
    assert done.replaced is not None
    assert served(folder, ALICE, BOB) == served(tmp_path / "first", ALICE, BOB)
    assert check_file(done.replaced).sound
    again = restore.restore(done.replaced, folder, replace=True)
    assert again.replaced == store.with_name(DATABASE_NAME + ".replaced-2")
    assert served(folder, ALICE, BOB) == truth


def test_a_store_that_was_killed_is_kept_with_what_its_wal_holds(
    copy: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    store = make_store(folder, more)
    killed = tmp_path / "killed"
    killed.mkdir()
    connection = sqlite3.connect(store, isolation_level=None)
    connection.execute("UPDATE devices SET name = 'in the WAL'")
    for path in folder.glob(DATABASE_NAME + "*"):
        shutil.copy(path, killed / path.name)
    connection.close()
    done = restore.restore(copy, killed, replace=True)
    assert done.replaced is not None
    assert rows(done.replaced, "SELECT DISTINCT name FROM devices") == [("in the WAL",)]
    assert contents(killed).keys() == {"lock", DATABASE_NAME, done.replaced.name}


async def test_a_store_that_somebody_holds_is_left_alone(copy: Path, tmp_path: Path) -> None:
    storage = await open_sqlite(tmp_path / "store")
    with pytest.raises(StoreRefused, match="in use by another process; stop the server first"):
        restore.restore(copy, tmp_path / "store", replace=True)
    await storage.close()


def test_a_damaged_copy_is_restored_only_anyway(copy: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        damage.run(connection, "UPDATE entries SET sum = sum + 1 WHERE log = 2 AND seq = 9")
    folder = tmp_path / "store"
    with pytest.raises(DamagedCopy) as refused:
        restore.restore(copy, folder)
    assert "log bob, entry 9" in str(refused.value.report.findings)
    assert contents(folder).keys() == {"lock"}
    done = restore.restore(copy, folder, anyway=True)
    assert not done.report.sound
    assert len(served(folder, ALICE)[0][2]) > 0


def test_a_damaged_journal_is_restored_up_to_the_damage(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    killed = killed_store(tmp_path / "killed")
    with closing(sqlite3.connect(killed, isolation_level=None)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        [(second,)] = connection.execute("SELECT min(number) + 1 FROM journal").fetchall()
        connection.execute("UPDATE journal SET sum = sum + 1 WHERE number = ?", (second,))
    with pytest.raises(DamagedCopy):
        restore.restore(copy, tmp_path / "store")
    done = restore.restore(copy, tmp_path / "store", anyway=True)
    assert f"row {second} of the journal is damaged" in str(done.report.findings)
    assert check_file(tmp_path / "store" / DATABASE_NAME).sound
    # The two messages of the first row, and nothing of what came after.
    [(_, head, entries)] = served(tmp_path / "store", ALICE)
    [(_, whole_head, whole)] = served(tmp_path / "killed", ALICE)
    assert (head, whole_head, whole.startswith(entries)) == (16, 17, True)


@pytest.mark.parametrize("content", [None, b"", b"no database " * 1000])
def test_what_is_no_copy_changes_nothing(tmp_path: Path, content: bytes | None) -> None:
    folder, source = tmp_path / "store", tmp_path / "source"
    make_store(folder)
    if content is not None:
        source.write_bytes(content)
    before = contents(folder)
    with pytest.raises(StoreRefused, match="is no backup" if content is not None else "no file"):
        restore.restore(source, folder, replace=True)
    assert contents(folder).keys() - before.keys() == set()
    assert contents(folder)[DATABASE_NAME] == before[DATABASE_NAME]


def test_the_store_itself_is_no_copy(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with pytest.raises(StoreRefused, match="the very store"):
        restore.restore(store, tmp_path, replace=True)


def test_what_a_maker_that_died_left_is_no_store(copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    os.close(claim(folder))
    (folder / DATABASE_NAME).touch()
    assert restore.restore(copy, folder).replaced is None


def test_a_copy_of_an_older_schema_is_brought_to_the_newest(tmp_path: Path) -> None:
    old = tmp_path / "old"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.executescript(migrations()[0].script + "; PRAGMA user_version = 1")
        connection.execute("INSERT INTO meta VALUES ('cursor_scope', 'device')")
        link = bytes(32)
        connection.execute(
            "INSERT INTO logs (account, epoch, floor, floor_link, head, head_link)"
            " VALUES ('alice', x'0102030405060708', 0, ?, 0, ?)",
            (link, link),
        )
    with pytest.raises(StoreRefused, match="has schema version 1"):
        check_file(old)
    assert restore.restore(old, tmp_path / "store").accounts == 1
    assert served(tmp_path / "store", ALICE) == [(0, 0, b"")]


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("survived", range(12))
def test_a_crash_at_any_step_leaves_the_old_state_or_the_new(
    copy: Path, tmp_path: Path, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call that changes names is a step; the process dies before one of them."""
    folder = tmp_path / "store"
    make_store(folder, more)
    old, new = served(folder, ALICE, BOB), served(tmp_path / "first", ALICE, BOB)
    left = survived

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **named: object) -> object:
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            return real(*arguments, **named)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", dying(os.link))
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        for name in ("sync_folder", "sync_file"):
            patch.setattr(restore, name, dying(getattr(restore, name)))
        with suppress(Crash):
            restore.restore(copy, folder, replace=True)
    found = served(folder, ALICE, BOB)
    assert found in (old, new)
    if left > 0:
        assert found == new
