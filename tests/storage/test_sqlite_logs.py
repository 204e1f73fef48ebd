"""Tests of reading and trimming logs in SQLite, damaged ones above all."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from syncd.heading import ERASED
from syncd.model import CursorScope, ReadRequest
from syncd.storage import StorageError, sqlite_identity
from syncd.storage.folding import Fold, fold_all, load
from syncd.storage.migrate import migrate
from syncd.storage.pages import STAMP, Entry, keep_body_hash, replace_body, runs
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_logs import read_heads, read_pages, recent_page, trim_log
from syncd.storage.unfolded import Unfolded

from .works import ALICE, BOB, NOBODY, PHONE, encoded, record, sending

REMEMBERED = 4
NOTHING = Unfolded()
"""What is unfolded of a store whose pages hold everything."""


def make(connection: sqlite3.Connection) -> None:
    migrate(connection)
    for account in (ALICE, BOB):
        sqlite_identity.create_account(connection, account)
    sqlite_identity.create_device(connection, ALICE, PHONE, "name", "pc", token_hash=b"token")


def send(connection: sqlite3.Connection, unfolded: Unfolded, *numbers: int) -> None:
    commit_work(connection, unfolded, sending(*numbers), CursorScope.DEVICE)


def fill(connection: sqlite3.Connection) -> None:
    """Three entries in Alice's log and in Bob's, in one page each."""
    unfolded = Unfolded()
    make(connection)
    send(connection, unfolded, 1, 2, 3)
    fold_all(connection, unfolded)


@pytest.fixture
def empty() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    make(opened)
    yield opened
    opened.close()


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    fill(opened)
    yield opened
    opened.close()


def read(
    connection: sqlite3.Connection,
    after: int = 0,
    bytes_max: int = 1000,
    unfolded: Unfolded = NOTHING,
) -> bytes:
    [page] = read_pages(connection, unfolded, [ReadRequest(ALICE, after, bytes_max)])
    return page.entries


def test_what_was_written_is_read(connection: sqlite3.Connection) -> None:
    assert read(connection) == encoded(1, 2, 3)
    assert read_heads(connection, NOTHING, [ALICE, BOB]) == {ALICE: 3, BOB: 3}
    assert not connection.in_transaction


# ---------------------------------------------------------------- in pages, in the journal, in both


@pytest.mark.parametrize("folded", range(6))
def test_a_page_does_not_tell_what_is_folded(empty: sqlite3.Connection, folded: int) -> None:
    unfolded = Unfolded()
    for number in range(1, 6):
        send(empty, unfolded, number)
        if number <= folded:
            fold_all(empty, unfolded)
    for after, texts in product(range(7), range(1, 6)):
        request = ReadRequest(ALICE, after, len(encoded(*range(1, texts + 1))))
        [page] = read_pages(empty, unfolded, [request])
        assert page.entries == encoded(*range(after + 1, min(after + texts, 5) + 1))
        assert (page.head, page.to) == (5, max(after, min(after + texts, 5)))
        recent = recent_page(unfolded, request)
        assert recent == (page if folded <= after and folded < 5 else None)
        assert read_pages(empty, load(empty), [request]) == [page]


def test_a_page_that_does_not_fit_ends_before_the_journal(empty: sqlite3.Connection) -> None:
    unfolded = Unfolded()
    send(empty, unfolded, 1, 2)
    fold_all(empty, unfolded)
    send(empty, unfolded, 3)
    room = len(encoded(1, 2, 3))
    assert read(empty, 0, room, unfolded) == encoded(1, 2, 3)
    assert read(empty, 0, room - 1, unfolded) == encoded(1, 2)
    assert read(empty, 0, 1, unfolded) == encoded(1)


def test_a_reader_goes_on_with_the_tails_that_it_took(empty: sqlite3.Connection) -> None:
    unfolded, taken = Unfolded(), Unfolded()
    send(empty, unfolded, 1, 2)
    fold_all(empty, unfolded)
    send(empty, unfolded, 3)
    taken.tails = dict(unfolded.tails)
    fold = Fold(empty, unfolded)
    while not fold.done:
        fold.step(1)
        send(empty, unfolded, unfolded.arrival // 2 + 1)
        head = unfolded.arrival // 2
        for after in range(4):
            [page] = read_pages(empty, taken, [ReadRequest(ALICE, after, 1000)])
            assert page.entries == encoded(*range(after + 1, page.to + 1))
            assert 3 <= page.to <= page.head <= head
    fold_all(empty, unfolded)
    trim_log(empty, ALICE, 3, REMEMBERED)
    [page] = read_pages(empty, taken, [ReadRequest(ALICE, 1, 1000)])
    assert (page.entries, page.floor, page.to) == (b"", 2, 1)
    assert read(empty, 2, 1, taken) == encoded(3)


def test_a_log_that_nobody_wrote_to_lately_is_not_remembered(empty: sqlite3.Connection) -> None:
    unfolded = Unfolded()
    send(empty, unfolded, 1)
    unfolded.rows.clear()
    assert recent_page(unfolded, ReadRequest(ALICE, 0, 1000)) is None
    assert read(empty, unfolded=unfolded) == encoded(1)
    assert read_heads(empty, unfolded, [ALICE, NOBODY]) == {ALICE: 1}


# ---------------------------------------------------------------- damage


def each_in_its_page(connection: sqlite3.Connection) -> None:
    """Three entries again, each in a page of its own."""
    unfolded = Unfolded()
    for number in (1, 2, 3):
        send(connection, unfolded, number)
        fold_all(connection, unfolded)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_hole_is_never_passed_over(empty: sqlite3.Connection, lost: int) -> None:
    each_in_its_page(empty)
    empty.execute("DELETE FROM pages WHERE log = 1 AND last = ?", (lost,))
    if lost == 3:
        assert read(empty) == encoded(1, 2)
    else:
        with pytest.raises(StorageError, match=f"alice is damaged: entry {lost} is missing"):
            read(empty)
    with pytest.raises(StorageError, match=f"alice is damaged: entry {lost} is missing") as caught:
        read(empty, lost - 1)
    assert caught.value.definite
    with pytest.raises(StorageError, match="alice is damaged"):
        trim_log(empty, ALICE, 4, REMEMBERED)
    # Bob's log is whole, and the damage of Alice's stays in hers.
    assert trim_log(empty, BOB, 4, REMEMBERED) == 3


def test_a_hole_before_the_journal_is_seen(empty: sqlite3.Connection) -> None:
    unfolded = Unfolded()
    send(empty, unfolded, 1, 2)
    fold_all(empty, unfolded)
    send(empty, unfolded, 3)
    empty.execute("DELETE FROM pages WHERE log = 1")
    with pytest.raises(StorageError, match="alice is damaged: entry 1 is missing"):
        read(empty, unfolded=unfolded)
    assert read(empty, 2, unfolded=unfolded) == encoded(3)


def change(connection: sqlite3.Connection, seq: int, alter: Callable[[Entry], Entry]) -> None:
    """Another entry in the page of Alice's log."""
    [run] = runs(connection, 1, 0)
    entries = [alter(each) if each.seq == seq else each for each in run.walk()]
    stamps = b"".join(STAMP.pack(*each.stamp) for each in entries)
    written = b"".join(each.header + each.body for each in entries)
    row = (stamps, written)
    connection.execute("UPDATE pages SET stamps = ?, entries = ? WHERE log = 1", row)


def altered(entry: Entry, field: str, value: object) -> Entry:
    if field in Entry._fields:
        return entry._replace(**{field: value})
    return entry._replace(stamp=entry.stamp._replace(**{field: value}))


@pytest.mark.parametrize("field", ["header", "body", "chain"])
def test_trim_does_not_build_on_a_broken_chain(connection: sqlite3.Connection, field: str) -> None:
    def zeroed(entry: Entry) -> Entry:
        value = getattr(entry, field, None) or entry.stamp.chain
        return altered(entry, field, bytes(len(value)))

    change(connection, 2, zeroed)
    with pytest.raises(StorageError, match="entry 2 does not continue the chain"):
        trim_log(connection, ALICE, 4, REMEMBERED)
    assert trim_log(connection, ALICE, 2, REMEMBERED) == 1
    assert not connection.in_transaction


@pytest.mark.parametrize("column", ["stamps", "entries"])
def test_trim_does_not_build_on_a_page_that_was_cut(
    connection: sqlite3.Connection, column: str
) -> None:
    connection.execute(f"UPDATE pages SET {column} = substr({column}, 1, 30) WHERE log = 1")
    with pytest.raises((StorageError, ValueError)):
        trim_log(connection, ALICE, 4, REMEMBERED)
    assert not connection.in_transaction
    assert trim_log(connection, BOB, 4, REMEMBERED) == 3


def test_trim_forgets_the_entries(connection: sqlite3.Connection) -> None:
    trim_log(connection, ALICE, 3, REMEMBERED)
    [run] = runs(connection, 1, 0)
    assert (run.first, run.last, run.entries) == (3, 3, encoded(3))
    trim_log(connection, ALICE, 4, REMEMBERED)
    assert list(runs(connection, 1, 0)) == []


# ---------------------------------------------------------------- flipped bits


def flipped(value: int | bytes, bit: int) -> int | bytes:
    if isinstance(value, int):
        return value ^ (1 << bit)
    array = bytearray(value)
    array[bit // 8 % len(array)] ^= 1 << bit % 8
    return bytes(array)


def flip(connection: sqlite3.Connection, field: str, bit: int, seq: int = 2) -> None:
    """One bit of a stored entry of Alice's log, as a bad disk would."""

    def alter(entry: Entry) -> Entry:
        owner = entry if field in Entry._fields else entry.stamp
        return altered(entry, field, flipped(getattr(owner, field), bit))

    change(connection, seq, alter)


@pytest.mark.parametrize("bit", [0, 7, 13, 31])
@pytest.mark.parametrize("field", ["chain", "sealed", "header", "body"])
def test_a_flipped_bit_is_never_served(
    connection: sqlite3.Connection, field: str, bit: int
) -> None:
    flip(connection, field, bit)
    with pytest.raises(StorageError, match="alice is damaged") as caught:
        read(connection, 0, len(encoded(1, 2)))
    assert caught.value.definite
    with pytest.raises(StorageError, match="alice is damaged"):
        read(connection, 1, 1)
    # What lies before it is whole, and so is every other log.
    assert read(connection, 0, 1) == encoded(1)
    [bobs] = read_pages(connection, NOTHING, [ReadRequest(BOB, 0, 1000)])
    assert bobs.entries == encoded(1, 2, 3)
    assert not connection.in_transaction


@pytest.mark.parametrize("field", ["header", "body"])
def test_a_flipped_bit_in_the_middle_of_a_page(connection: sqlite3.Connection, field: str) -> None:
    flip(connection, field, 9)
    with pytest.raises(StorageError, match="alice is damaged: the checksum at or before entry 2"):
        read(connection)
    assert read(connection, 2) == encoded(3)


@pytest.mark.parametrize("field", ["chain", "sealed"])
def test_a_flipped_bit_of_what_a_page_does_not_need(
    connection: sqlite3.Connection, field: str
) -> None:
    flip(connection, field, 9)
    assert read(connection) == encoded(1, 2, 3)
    with pytest.raises(StorageError, match="alice is damaged: the checksum"):
        read(connection, 2)


COLUMNS = pytest.mark.parametrize("column", ["log", "last", "before", "stamps", "entries"])


@COLUMNS
def test_no_flipped_bit_of_a_page_is_served(connection: sqlite3.Connection, column: str) -> None:
    [value] = connection.execute(f"SELECT {column} FROM pages WHERE page = 1").fetchone()
    noticed = 0
    for bit in range(62 if isinstance(value, int) else 8 * len(value)):
        harmed = flipped(value, bit)
        connection.execute(f"UPDATE pages SET {column} = ? WHERE page = 1", (harmed,))
        for after, bytes_max in product(range(3), (1, 1000)):
            try:
                [page] = read_pages(connection, NOTHING, [ReadRequest(ALICE, after, bytes_max)])
            except StorageError:
                noticed += 1
                continue
            assert page.entries == encoded(*range(after + 1, page.to + 1)), (bit, after)
            assert page.to > after
    assert noticed > 0


@pytest.mark.parametrize("keys", ["log = 2, last = 2", "log = 2, last = 4", "last = 2"])
def test_a_page_that_stands_elsewhere_is_not_served(
    connection: sqlite3.Connection, keys: str
) -> None:
    connection.execute(f"UPDATE pages SET {keys} WHERE page = 1")
    for account, after in product((ALICE, BOB), range(3)):
        try:
            [page] = read_pages(connection, NOTHING, [ReadRequest(account, after, 1000)])
        except StorageError:
            continue
        assert (account, page.entries) == (BOB, encoded(*range(after + 1, page.to + 1)))


@COLUMNS
def test_a_value_of_another_type_is_a_damage(connection: sqlite3.Connection, column: str) -> None:
    # One bit of a row's own description turns a number into another, or bytes into a text.
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')')")
    connection.execute("PRAGMA writable_schema = RESET")
    value = f"CAST({column} AS TEXT) || 'x'"
    connection.execute(f"UPDATE pages SET {column} = {value} WHERE page = 1")
    with pytest.raises(StorageError, match="alice is damaged"):
        read(connection)


def test_a_flipped_bit_at_the_floor_of_a_log(connection: sqlite3.Connection) -> None:
    trim_log(connection, ALICE, 3, REMEMBERED)
    assert read(connection, 2) == encoded(3)
    connection.execute("UPDATE pages SET before = before + 64 WHERE log = 1")
    with pytest.raises(StorageError, match="alice is damaged"):
        read(connection, 2)


def erase(connection: sqlite3.Connection, seq: int) -> None:
    """What erasing a body leaves."""
    keep_body_hash(connection, 1, seq, record(seq).body_hash)
    replace_body(connection, 1, seq, ERASED)


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
    ("field", "seq"),
    [*product(("chain", "sealed", "header", "body"), (1, 3))],
)
def test_a_flipped_bit_beside_an_erased_body_is_seen(
    connection: sqlite3.Connection, field: str, seq: int
) -> None:
    erase(connection, 2)
    flip(connection, field, 5, seq)
    with pytest.raises(StorageError, match="alice is damaged"):
        read(connection)


def test_trim_walks_over_an_erased_body(connection: sqlite3.Connection) -> None:
    erase(connection, 2)
    assert trim_log(connection, ALICE, 3, REMEMBERED) == 2
    assert read(connection, 2) == encoded(3)
    assert connection.execute("SELECT count(*) FROM erased").fetchone() == (0,)


def test_no_flipped_bit_of_the_file_is_served(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        fill(writer)
    whole = path.read_bytes()
    entries = [encoded(1, 2, 3)[: len(encoded(*range(1, to + 1)))] for to in range(4)]
    chance, noticed = random.Random(1), 0
    for _ in range(400):
        place = chance.randrange(8 * len(whole))
        harmed = bytearray(whole)
        harmed[place // 8] ^= 1 << place % 8
        path.write_bytes(harmed)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            try:
                pages = read_pages(
                    reader, NOTHING, [ReadRequest(account, 0, 1000) for account in (ALICE, BOB)]
                )
            except StorageError:
                noticed += 1
                continue
        for page in pages:
            assert page.entries == entries[page.to]
    assert noticed > 0
