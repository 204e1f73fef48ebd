"""The durable store as a file: modes, locks, errors, and what reaches its thread."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from syncd.client.exceptions import StoreInUse, StoreUnusable
from syncd.client.sqlite_store import SqliteStore
from syncd.client.store import Shelf
from tests.client.shelves import INSTANCE, SERVER, TOKEN


def modes(folder: Path) -> list[int]:
    return [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()]


async def test_it_is_durable_private_and_reopens(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    assert store.durable
    for given in (TOKEN, None):
        await store.open()
        _, token = await store.call(lambda shelf, given=given: shelf.begin(SERVER, INSTANCE, given))
        assert token == TOKEN
        assert set(modes(tmp_path)) == {0o600}
        await store.close()
        await store.close()


async def test_it_syncs_every_transaction(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()

    def pragmas(shelf: Shelf) -> list[object]:
        connection: sqlite3.Connection = shelf._db
        names = ("journal_mode", "synchronous", "locking_mode")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await store.call(pragmas) == ["wal", 2, "exclusive"]
    await store.close()


async def test_one_run_at_a_time(tmp_path: Path) -> None:
    one, other = SqliteStore(tmp_path / "store.db"), SqliteStore(tmp_path / "store.db")
    await one.open()
    with pytest.raises(StoreInUse, match="is already open elsewhere"):
        await other.open()
    with pytest.raises(StoreInUse, match="is already open"):
        await one.open()
    await one.close()
    await other.open()
    await other.close()


async def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="not open"):
        await SqliteStore(tmp_path / "store.db").call(lambda shelf: shelf.pending())


async def test_a_place_without_a_folder_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable):
        await SqliteStore(tmp_path / "nowhere" / "store.db").open()


async def test_errors_of_the_database_are_errors_of_the_store(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()

    def fail(shelf: Shelf) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    def be_wrong(shelf: Shelf) -> None:
        raise KeyError("a bug stays a bug")

    with pytest.raises(StoreUnusable, match="disk I/O error"):
        await store.call(fail)
    with pytest.raises(KeyError):
        await store.call(be_wrong)
    await store.close()
