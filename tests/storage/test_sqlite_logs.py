"""Tests of reading and trimming logs in SQLite, damaged ones above all."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from syncd.heading import ERASED
from syncd.model import CursorScope, ReadRequest
from syncd.storage import StorageError, sqlite_identity
from syncd.storage.migrate import migrate
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_logs import read_heads, read_pages, trim_log

from .works import ALICE, BOB, PHONE, encoded, record, sending


def fill(connection: sqlite3.Connection) -> None:
    migrate(connection)
    for account in (ALICE, BOB):
        sqlite_identity.create_account(connection, account)
    sqlite_identity.create_device(connection, ALICE, PHONE, "name", "pc", token_hash=b"token")
    commit_work(connection, sending(1, 2, 3), CursorScope.DEVICE)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A store with three entries in Alice's log and in Bob's."""
    opened = sqlite3.connect(":memory:", isolation_level=None)
    fill(opened)
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


# ---------------------------------------------------------------- flipped bits


def flip(connection: sqlite3.Connection, column: str, bit: int, seq: int = 2) -> None:
    """One bit of a stored entry of Alice's log, as a bad disk would."""
    where = "WHERE log = 1 AND seq = ?"
    [value] = connection.execute(f"SELECT {column} FROM entries {where}", (seq,)).fetchone()
    if isinstance(value, int):
        flipped: int | bytes = value ^ (1 << bit)
    else:
        array = bytearray(value)
        array[bit // 8 % len(array)] ^= 1 << bit % 8
        flipped = bytes(array)
    connection.execute(f"UPDATE entries SET {column} = ? {where}", (flipped, seq))


@pytest.mark.parametrize("bit", [0, 7, 13, 31])
@pytest.mark.parametrize("column", ["chain", "sum", "header", "body"])
def test_a_flipped_bit_is_never_served(
    connection: sqlite3.Connection, column: str, bit: int
) -> None:
    flip(connection, column, bit)
    with pytest.raises(StorageError, match="alice is damaged: the checksum") as caught:
        read(connection, 0, len(encoded(1, 2)))
    assert caught.value.definite
    with pytest.raises(StorageError, match="alice is damaged: the checksum"):
        read(connection, 1, 1)
    # What lies before it is whole, and so is every other log.
    assert read(connection, 0, 1) == encoded(1)
    [bobs] = read_pages(connection, [ReadRequest(BOB, 0, 1000)])
    assert bobs.entries == encoded(1, 2, 3)
    assert not connection.in_transaction


@pytest.mark.parametrize("column", ["header", "body"])
def test_a_flipped_bit_in_the_middle_of_a_page(connection: sqlite3.Connection, column: str) -> None:
    flip(connection, column, 9)
    with pytest.raises(StorageError, match="alice is damaged: the checksum"):
        read(connection)
    assert read(connection, 2) == encoded(3)


@pytest.mark.parametrize("column", ["chain", "sum"])
def test_a_flipped_bit_of_what_a_page_does_not_need(
    connection: sqlite3.Connection, column: str
) -> None:
    flip(connection, column, 9)
    assert read(connection) == encoded(1, 2, 3)
    with pytest.raises(StorageError, match="alice is damaged: the checksum"):
        read(connection, 2)


@pytest.mark.parametrize("column", ["log", "seq", "chain", "sum", "header", "body"])
def test_a_value_of_another_type_is_a_damage(connection: sqlite3.Connection, column: str) -> None:
    # One bit of a row's own description turns a number into another, or bytes into a text.
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')')")
    connection.execute("PRAGMA writable_schema = RESET")
    value = f"CAST({column} AS TEXT) || 'x'"
    connection.execute(f"UPDATE entries SET {column} = {value} WHERE log = 1 AND seq = 3")
    with pytest.raises(StorageError, match="alice is damaged"):
        read(connection)


def test_a_flipped_bit_at_the_floor_of_a_log(connection: sqlite3.Connection) -> None:
    trim_log(connection, ALICE, 3)
    assert read(connection, 2) == encoded(3)
    connection.execute("UPDATE logs SET floor_sum = floor_sum + 64 WHERE log = 1")
    with pytest.raises(StorageError, match="alice is damaged"):
        read(connection, 2)


def erase(connection: sqlite3.Connection, seq: int) -> None:
    """What erasing a body leaves in its row."""
    connection.execute("UPDATE entries SET body = ? WHERE log = 1 AND seq = ?", (ERASED, seq))


@pytest.mark.parametrize("gone", [{1}, {2}, {3}, {1, 2}, {2, 3}, {1, 2, 3}])
def test_erased_bodies_are_served_among_whole_ones(
    connection: sqlite3.Connection, gone: set[int]
) -> None:
    for seq in gone:
        erase(connection, seq)
    wanted = [
        record(seq).header + (ERASED if seq in gone else record(seq).body) for seq in (1, 2, 3)
    ]
    assert read(connection) == b"".join(wanted)
    for seq in (1, 2, 3):
        assert read(connection, seq - 1, 1) == wanted[seq - 1]
        assert read(connection, seq) == b"".join(wanted[seq:])


@pytest.mark.parametrize(
    ("column", "seq"),
    [*product(("chain", "sum", "header", "body"), (1, 3))],
)
def test_a_flipped_bit_beside_an_erased_body_is_seen(
    connection: sqlite3.Connection, column: str, seq: int
) -> None:
    erase(connection, 2)
    flip(connection, column, 5, seq)
    with pytest.raises(StorageError, match="alice is damaged"):
        read(connection)


def test_trim_walks_over_an_erased_body(connection: sqlite3.Connection) -> None:
    erase(connection, 2)
    assert trim_log(connection, ALICE, 3) == 2
    assert read(connection, 2) == encoded(3)


def test_no_flipped_bit_of_the_file_is_served(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        fill(writer)
    whole = path.read_bytes()
    entries = [encoded(1, 2, 3)[: len(encoded(*range(1, to + 1)))] for to in range(4)]
    chance, noticed = random.Random(1), 0
    for _ in range(400):
        place = chance.randrange(8 * len(whole))
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            try:
                pages = read_pages(
                    reader, [ReadRequest(account, 0, 1000) for account in (ALICE, BOB)]
                )
            except StorageError:
                noticed += 1
                continue
        for page in pages:
            assert page.entries == entries[page.to]
    assert noticed > 0
