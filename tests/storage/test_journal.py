"""The journal: rows come back as they were written, in their order, or are refused."""

import sqlite3
from collections.abc import Iterator
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model import Epoch
from syncd.storage import Damaged, journal
from syncd.storage.journal import Appended, Cursor, Message
from syncd.storage.migrate import migrate

from .works import LAPTOP, PHONE, PSEUDO

EPOCH = Epoch(b"epoch no")

SEQS = st.integers(1, 2**63 - 1)
MESSAGES = st.builds(
    Message,
    sender=st.integers(0, 2),
    number=SEQS,
    content=st.just(b"") | st.binary(min_size=16, max_size=16),
    header_size=st.integers(1, 9),
    entry=st.binary(min_size=1, max_size=99),
    places=st.lists(st.tuples(SEQS, SEQS), max_size=3).map(lambda pairs: sum(pairs, ())),
    body_hash=st.none() | st.binary(min_size=32, max_size=32),
)
CURSORS = st.builds(Cursor, st.text(max_size=9), st.just(EPOCH), SEQS)
ROWS = st.builds(
    Appended,
    format=st.just(journal.FORMAT),
    arrival=SEQS,
    senders=st.just([PHONE, LAPTOP, PSEUDO]),
    messages=st.lists(MESSAGES, max_size=4),
    cursors=st.lists(CURSORS, max_size=2),
)
SMALL = Appended(
    journal.FORMAT,
    1,
    [PHONE],
    [Message(0, 1, b"content", 1, b"hb", (1, 1, 2, 1), None)],
    [Cursor("key", EPOCH, 1)],
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = opened_store()
    yield opened
    opened.close()


def opened_store() -> sqlite3.Connection:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    return opened


def replace(connection: sqlite3.Connection, record: bytes) -> None:
    """Whoever wrote it meant it: its checksum fits."""
    connection.execute("UPDATE journal SET record = ?, sum = ?", (record, crc32(record)))


@given(rows=st.lists(ROWS, max_size=4))
def test_what_is_written_is_read_in_its_order(rows: list[Appended]) -> None:
    connection = opened_store()
    try:
        sizes = [journal.write(connection, row) for row in rows]
        assert list(journal.read(connection)) == list(zip(sizes, rows, strict=True))
        (size,) = connection.execute("SELECT total(length(record)) FROM journal").fetchone()
        assert size == sum(sizes)
    finally:
        connection.close()


def test_a_row_with_any_flipped_bit_is_damaged(connection: sqlite3.Connection) -> None:
    journal.write(connection, SMALL)
    [(record, stated)] = connection.execute("SELECT record, sum FROM journal").fetchall()
    for bit in range(8 * len(record)):
        flipped = bytearray(record)
        flipped[bit // 8] ^= 1 << bit % 8
        connection.execute("UPDATE journal SET record = ?", (bytes(flipped),))
        with pytest.raises(Damaged, match="row 1 of the journal is damaged"):
            list(journal.read(connection))
    connection.execute("UPDATE journal SET record = ?", (record,))
    for bit in range(32):
        connection.execute("UPDATE journal SET sum = ?", (stated ^ 1 << bit,))
        with pytest.raises(Damaged, match="row 1 of the journal is damaged"):
            list(journal.read(connection))


def test_rows_before_a_damaged_one_are_read(connection: sqlite3.Connection) -> None:
    for arrival in (1, 3, 5):
        journal.write(connection, SMALL._replace(arrival=arrival))
    connection.execute("UPDATE journal SET sum = sum + 1 WHERE number = 2")
    reading = journal.read(connection)
    assert next(reading)[1].arrival == 1
    with pytest.raises(Damaged, match="row 2"):
        next(reading)


def test_an_unknown_format_is_refused(connection: sqlite3.Connection) -> None:
    journal.write(connection, SMALL._replace(format=journal.FORMAT + 1))
    with pytest.raises(Damaged, match="row 1 of the journal has the unknown format 2"):
        list(journal.read(connection))


@pytest.mark.parametrize(
    "record",
    [b"", b"\xc1", msgspec.msgpack.encode([1, 1, [PHONE], [[0, "no number"]], []])],
    ids=["nothing", "no MessagePack", "a message of other fields"],
)
def test_a_record_of_another_shape_is_refused(
    connection: sqlite3.Connection, record: bytes
) -> None:
    journal.write(connection, SMALL)
    replace(connection, record)
    with pytest.raises(Damaged, match="row 1 of the journal"):
        list(journal.read(connection))
