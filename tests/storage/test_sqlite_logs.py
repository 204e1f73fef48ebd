"""Tests of reading and trimming logs in SQLite, damaged ones above all."""

import sqlite3
from collections.abc import Iterator

import pytest

from syncd.model import CursorScope, ReadRequest
from syncd.storage import StorageError, sqlite_identity
from syncd.storage.migrate import migrate
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_logs import read_heads, read_pages, trim_log

from .works import ALICE, BOB, PHONE, encoded, sending


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A store with three entries in Alice's log and in Bob's."""
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    for account in (ALICE, BOB):
        sqlite_identity.create_account(opened, account)
    sqlite_identity.create_device(opened, ALICE, PHONE, "name", "pc", token_hash=b"token")
    commit_work(opened, sending(1, 2, 3), CursorScope.DEVICE)
    yield opened
    opened.close()


def read(connection: sqlite3.Connection, after: int = 0, bytes_max: int = 1000) -> bytes:
    [page] = read_pages(connection, [ReadRequest(ALICE, after, bytes_max)])
    return page.entries


def test_what_was_written_is_read(connection: sqlite3.Connection) -> None:
    assert read(connection) == encoded(1, 2, 3)
    assert read_heads(connection, [ALICE, BOB]) == {ALICE: 3, BOB: 3}
    assert not connection.in_transaction


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_hole_is_never_passed_over(connection: sqlite3.Connection, lost: int) -> None:
    connection.execute("DELETE FROM entries WHERE log = 1 AND seq = ?", (lost,))
    with pytest.raises(StorageError, match=f"alice is damaged: entry {lost} is missing") as caught:
        read(connection)
    assert caught.value.definite
    with pytest.raises(StorageError, match="alice is damaged"):
        trim_log(connection, ALICE, 4)
    # Bob's log is whole, and the damage of Alice's stays in hers.
    assert trim_log(connection, BOB, 4) == 3


@pytest.mark.parametrize("column", ["header", "body_hash", "chain"])
def test_trim_does_not_build_on_a_broken_chain(connection: sqlite3.Connection, column: str) -> None:
    connection.execute(f"UPDATE entries SET {column} = zeroblob(8) WHERE log = 1 AND seq = 2")
    with pytest.raises(StorageError, match="entry 2 does not continue the chain"):
        trim_log(connection, ALICE, 4)
    assert trim_log(connection, ALICE, 2) == 1
    assert not connection.in_transaction


def test_trim_forgets_the_rows(connection: sqlite3.Connection) -> None:
    trim_log(connection, ALICE, 3)
    assert connection.execute("SELECT seq FROM entries WHERE log = 1").fetchall() == [(3,)]
