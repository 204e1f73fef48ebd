"""The file of a store: who holds it, looking at it, copying it."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from syncd.storage import StoreRefused
from syncd.storage.database_file import (
    DATABASE_NAME,
    claim,
    copy_database,
    free_name,
    insist_on_new,
    read_only,
    remove_database,
)
from syncd.storage.sqlite import open_sqlite

from .stores import contents, draft, fill, make_store, send


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    lock = claim(tmp_path / "store")
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700
    with pytest.raises(StoreRefused, match="in use by another process"):
        claim(tmp_path / "store")
    os.close(lock)
    os.close(claim(tmp_path / "store"))


def test_who_looks_cannot_write(tmp_path: Path) -> None:
    with read_only(make_store(tmp_path)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM pages")
        connection.execute("PRAGMA query_only = OFF")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM pages")


async def test_who_looks_sees_one_moment(tmp_path: Path) -> None:
    storage = await open_sqlite(tmp_path)
    await fill(storage)
    with read_only(tmp_path / DATABASE_NAME) as connection:
        before = connection.execute("SELECT count(*) FROM pages").fetchone()
        await send(storage, draft(14, b"meanwhile"))
        assert connection.execute("SELECT count(*) FROM pages").fetchone() == before
    await storage.close()


def test_a_copy_has_nothing_beside_it_and_is_looked_at_without_a_trace(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    copy = tmp_path / "copies" / "copy"
    copy.parent.mkdir()
    told: list[tuple[int, int]] = []
    copy_database(store, copy, lambda done, whole: told.append((done, whole)))
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    done, whole = told[-1]
    assert done == whole > 0
    before = contents(copy.parent)
    with read_only(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert contents(copy.parent) == before
    assert before.keys() == {"copy"}
    with pytest.raises(FileExistsError):
        copy_database(store, copy)
    assert contents(copy.parent) == before


def test_a_copy_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"no database " * 1000)
    for source in ("text", "nothing"):
        with pytest.raises(sqlite3.DatabaseError):
            copy_database(tmp_path / source, tmp_path / "copy")
    assert contents(tmp_path).keys() == {"text"}


def test_a_new_file_has_a_free_name_in_a_folder(tmp_path: Path) -> None:
    insist_on_new(tmp_path / "new")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (tmp_path, tmp_path / "file", tmp_path / "link"):
        with pytest.raises(FileExistsError, match="exists; choose another name"):
            insist_on_new(taken)
    for nowhere in (tmp_path / "no folder" / "new", tmp_path / "file" / "new"):
        with pytest.raises(FileNotFoundError, match=f"the folder {nowhere.parent} does not exist"):
            insist_on_new(nowhere)


def test_names_are_free_and_databases_are_removed_whole(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    assert free_name(path, "replaced").name == "syncd.db.replaced-1"
    (tmp_path / "syncd.db.replaced-1").write_bytes(b"")
    assert free_name(path, "replaced").name == "syncd.db.replaced-2"
    for suffix in ("", "-wal", "-shm", "-journal"):
        (tmp_path / f"syncd.db{suffix}").write_bytes(b"")
    remove_database(path)
    remove_database(path)
    assert contents(tmp_path).keys() == {"syncd.db.replaced-1"}
