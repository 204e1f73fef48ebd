"""Tests of what a failure means at each point of a transaction, with faults that SQLite raises."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd import errors
from syncd.storage import StorageError
from syncd.storage.transaction import damaged, snapshot, transact

from .works import ALICE


class Connection(sqlite3.Connection):
    """Refuses one statement, as a disk does that fails at the worst moment."""

    refused: str | None = None

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if sql == self.refused:
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    opened = sqlite3.connect(
        tmp_path / "store.db", isolation_level=None, factory=Connection, timeout=0
    )
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute("CREATE TABLE kept (value BLOB UNIQUE)")
    yield opened
    opened.close()


def values(connection: sqlite3.Connection) -> list[object]:
    return [value for (value,) in connection.execute("SELECT value FROM kept")]


def insert_one(connection: sqlite3.Connection) -> str:
    connection.execute("INSERT INTO kept VALUES (1)")
    return "inserted"


def insert_one_twice(connection: sqlite3.Connection) -> None:
    insert_one(connection)
    insert_one(connection)


def insert_then_give_up(connection: sqlite3.Connection) -> None:
    insert_one(connection)
    raise KeyError("unknown")


def insert_much(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO kept VALUES (zeroblob(1000000))")


def test_a_transaction_commits_and_returns(connection: Connection) -> None:
    assert transact(connection, insert_one) == "inserted"
    assert values(connection) == [1]
    assert not connection.in_transaction


def test_an_error_of_the_work_is_definite(connection: Connection) -> None:
    with pytest.raises(StorageError, match="UNIQUE") as caught:
        transact(connection, insert_one_twice)
    assert (caught.value.definite, caught.value.refusal) == (True, errors.BUSY)
    assert values(connection) == []
    transact(connection, insert_one)


def test_what_the_work_raises_comes_out_after_a_rollback(connection: Connection) -> None:
    with pytest.raises(KeyError):
        transact(connection, insert_then_give_up)
    assert values(connection) == []


def test_a_full_store_is_definite_and_has_its_own_refusal(connection: Connection) -> None:
    connection.execute("PRAGMA max_page_count = 10")
    with pytest.raises(StorageError, match="full") as caught:
        transact(connection, insert_much)
    assert (caught.value.definite, caught.value.refusal) == (True, errors.STORAGE_FULL)
    connection.execute("PRAGMA max_page_count = 10000")
    transact(connection, insert_much)
    assert len(values(connection)) == 1


def test_a_lock_held_by_a_stranger_is_definite(connection: Connection, tmp_path: Path) -> None:
    stranger = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="locked") as caught:
        transact(connection, insert_one)
    assert (caught.value.definite, caught.value.refusal) == (True, errors.BUSY)
    stranger.close()
    transact(connection, insert_one)


def test_an_error_of_commit_is_unknown(connection: Connection) -> None:
    connection.refused = "COMMIT"
    with pytest.raises(StorageError, match="COMMIT failed") as caught:
        transact(connection, insert_one)
    assert (caught.value.definite, caught.value.refusal) == (False, None)


def test_an_error_of_rollback_is_unknown(connection: Connection) -> None:
    connection.refused = "ROLLBACK"
    with pytest.raises(StorageError, match="ROLLBACK failed") as caught:
        transact(connection, insert_one_twice)
    assert not caught.value.definite


def test_a_snapshot_is_consistent(connection: Connection, tmp_path: Path) -> None:
    stranger = sqlite3.connect(tmp_path / "store.db", isolation_level=None)

    def look_twice(within: sqlite3.Connection) -> tuple[int, int]:
        before = len(values(within))
        insert_one(stranger)
        return before, len(values(within))

    assert snapshot(connection, look_twice) == (0, 0)
    assert values(connection) == [1]
    stranger.close()


def test_an_error_of_a_snapshot_is_definite(connection: Connection) -> None:
    with pytest.raises(StorageError, match="no such table") as caught:
        snapshot(connection, lambda within: within.execute("SELECT * FROM nowhere"))
    assert caught.value.definite
    assert not connection.in_transaction


def test_damage_names_the_account() -> None:
    error = damaged(ALICE, "entry 3 is missing")
    assert error.definite
    assert str(error) == "the log of alice is damaged: entry 3 is missing"
