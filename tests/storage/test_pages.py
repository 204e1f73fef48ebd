"""Pages: what goes in comes out, wherever one cuts, drops or erases, and no wrong byte passes."""

import sqlite3
from collections.abc import Iterator
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import chain
from syncd.heading import ERASED
from syncd.model import CHAIN_BYTES, Chain
from syncd.storage import pages, sqlite_identity
from syncd.storage.migrate import migrate
from syncd.storage.pages import PAGE_BYTES_MAX, STAMP, Entry, Run, Stamp

from .works import ALICE, BOB

LOG, OTHER_LOG = 1, 2
BEFORE = 77
"""The checksum before the first entry."""

SMALL = st.tuples(st.binary(min_size=1, max_size=5), st.binary(min_size=2, max_size=9))
"""A header and a body; a body of one byte is an erased one."""
ENTRIES = st.lists(SMALL, min_size=1, max_size=8)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = opened_store()
    yield opened
    opened.close()


def opened_store() -> sqlite3.Connection:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    for account in (ALICE, BOB):
        sqlite_identity.create_account(opened, account)
    return opened


def stamped(made: list[tuple[bytes, bytes]], first: int = 1) -> list[Entry]:
    """Entries with the stamps that a log gives them."""
    checked, entries = BEFORE, []
    for seq, (header, body) in enumerate(made, first):
        checked = crc32(header + body, checked)
        shown = chain.hash_of(b"%d" % seq)[:CHAIN_BYTES]
        size = len(header + body)
        sealed = checked ^ crc32(shown)
        entries.append(
            Entry(seq, Stamp(Chain(shown), sealed, 100 + seq, size, len(header)), header, body)
        )
    return entries


def run_of(entries: list[Entry]) -> Run:
    stamps = b"".join(STAMP.pack(*each.stamp) for each in entries)
    bytes_ = b"".join(each.header + each.body for each in entries)
    return Run(entries[0].seq, BEFORE, stamps, bytes_)


def add(connection: sqlite3.Connection, entries: list[Entry], log: int = LOG) -> None:
    """All in one go, as a fold does."""
    stamps = [STAMP.pack(*each.stamp) for each in entries]
    pieces = [each.header + each.body for each in entries]
    pages.add_run(connection, log, (entries[0].seq, BEFORE), stamps, pieces)


def add_in_pages(connection: sqlite3.Connection, entries: list[Entry], per_page: int) -> None:
    """In pages of so many entries, as folds one after the other make them."""
    rest: Run | None = run_of(entries)
    for start in range(0, len(entries), per_page):
        some = entries[start : start + per_page]
        assert rest is not None
        stamps = [STAMP.pack(*each.stamp) for each in some]
        pieces = [each.header + each.body for each in some]
        pages.add_run(connection, LOG, (some[0].seq, rest.before), stamps, pieces)
        rest = rest.after(some[-1].seq) if some[-1].seq < entries[-1].seq else None


def read(connection: sqlite3.Connection, after: int = 0, log: int = LOG) -> list[Entry]:
    found = []
    for run in pages.runs(connection, log, after):
        assert run.first_damaged() is None
        found += run.walk()
    return found


# ------------------------------------------------------------ one run


@given(made=ENTRIES, first=st.integers(1, 1000), data=st.data())
def test_a_run_is_the_same_wherever_it_is_cut(
    made: list[tuple[bytes, bytes]], first: int, data: st.DataObject
) -> None:
    entries = stamped(made, first)
    whole = run_of(entries)
    assert list(whole.walk()) == entries
    assert (whole.last, whole.is_whole()) == (entries[-1].seq, True)
    seq = data.draw(st.integers(first - 1, whole.last - 1))
    rest = whole.after(seq)
    assert list(rest.walk()) == entries[seq + 1 - first :]
    assert rest.is_whole()
    assert whole.stamp(seq + 1) == rest.stamp(seq + 1) == entries[seq + 1 - first].stamp


@given(made=ENTRIES, bytes_max=st.integers(0, 120))
def test_the_beginning_of_a_run_is_as_long_as_it_may(
    made: list[tuple[bytes, bytes]], bytes_max: int
) -> None:
    entries = stamped(made)
    part = run_of(entries).upto(bytes_max)
    taken = list(part.walk())
    assert taken == entries[: len(taken)]
    assert part.is_whole()
    assert len(taken) == 1 or len(part.entries) <= bytes_max
    if taken != entries:
        assert len(part.entries) + entries[len(taken)].stamp.size > bytes_max


@given(made=ENTRIES, bit=st.integers(0))
def test_no_flipped_bit_of_an_entry_passes(made: list[tuple[bytes, bytes]], bit: int) -> None:
    whole = run_of(stamped(made))
    flipped = bytearray(whole.entries)
    place, shift = divmod(bit % (8 * len(flipped)), 8)
    flipped[place] ^= 1 << shift
    damaged = Run(whole.first, whole.before, whole.stamps, bytes(flipped))
    assert not damaged.is_whole()
    assert damaged.first_damaged() == next(
        entry.seq
        for entry, changed in zip(whole.walk(), damaged.walk(), strict=True)
        if entry != changed
    )


@given(made=ENTRIES, bit=st.integers(0), after=st.integers(0, 8), bytes_max=st.integers(0, 120))
def test_no_flipped_bit_of_a_stamp_moves_a_cut(
    made: list[tuple[bytes, bytes]], bit: int, after: int, bytes_max: int
) -> None:
    entries = stamped(made)
    whole = run_of(entries)
    flipped = bytearray(whole.stamps)
    place, shift = divmod(bit % (8 * len(flipped)), 8)
    flipped[place] ^= 1 << shift
    damaged = Run(whole.first, whole.before, bytes(flipped), whole.entries)
    part = damaged.after(min(after, damaged.last - 1)).upto(bytes_max)
    if part.is_whole():
        wanted = entries[part.first - 1 : part.last]
        assert part.entries == run_of(wanted).entries
        assert part.stamp(part.last).chain == wanted[-1].stamp.chain


@pytest.mark.parametrize("part", ["sealed", "chain", "before"])
def test_no_changed_checksum_passes(part: str) -> None:
    *first, last = stamped([(b"h", b"one"), (b"h", b"two")])
    stamp = last.stamp
    if part == "sealed":
        last = last._replace(stamp=stamp._replace(sealed=stamp.sealed ^ 1))
    elif part == "chain":
        last = last._replace(stamp=stamp._replace(chain=Chain(b"c" * CHAIN_BYTES)))
    run = run_of([*first, last])
    if part == "before":
        run = Run(run.first, run.before ^ 1, run.stamps, run.entries)
    assert not run.is_whole()
    assert run.first_damaged() == (1 if part == "before" else 2)


@pytest.mark.parametrize("size", [0, 1, STAMP.size - 1, STAMP.size + 1])
def test_a_row_with_a_broken_stamp_is_none(size: int) -> None:
    with pytest.raises(ValueError, match="the page up to entry 9 has broken stamps"):
        Run.of_row(9, 0, bytes(size), b"", LOG)


@pytest.mark.parametrize(
    "change",
    [
        "last = last - 1",
        "last = last + 1",
        "log = 2",
        "log = 2, last = last + 2",
        "before = before + 4294967296",
        "before = -before",
        "stamps = substr(stamps, 1, 26)",
    ],
)
def test_a_row_belongs_where_it_was_written(connection: sqlite3.Connection, change: str) -> None:
    add(connection, stamped([(b"h", b"one"), (b"h", b"two"), (b"h", b"three")]))
    connection.execute(f"UPDATE pages SET {change}")
    (log,) = connection.execute("SELECT log FROM pages").fetchone()
    with pytest.raises(ValueError, match="is not as it was written there"):
        list(pages.runs(connection, log, 0))
    with pytest.raises(ValueError, match="is not as it was written there"):
        pages.stamp_at(connection, log, 1)


@pytest.mark.parametrize(
    ("size", "header_size"),
    [(5, 5), (5, 0), (4, 5), (0, 0), (7, 1), (5, 1)],
    ids=["no body", "no header", "a header too long", "nothing", "too long", "too short"],
)
def test_stamps_must_fit_the_bytes(size: int, header_size: int) -> None:
    stamps = STAMP.pack(b"c" * CHAIN_BYTES, 0, 1, size, header_size)
    with pytest.raises(ValueError, match="entry 1"):
        list(Run(1, 0, stamps, b"header").walk())


def test_an_erased_body_hides_no_damage_behind_it() -> None:
    entries = stamped([(b"h", b"one"), (b"h", b"two"), (b"h", b"three"), (b"h", b"four")])
    size = entries[1].stamp.header_size + len(ERASED)
    entries[1] = entries[1]._replace(stamp=entries[1].stamp._replace(size=size), body=ERASED)
    assert not run_of(entries).is_whole()
    assert run_of(entries).first_damaged() is None
    entries[2] = entries[2]._replace(body=b"thrEe")
    assert run_of(entries).first_damaged() == 3


def test_runs_join() -> None:
    whole = run_of(stamped([(b"h", b"one"), (b"h", b"two"), (b"h", b"three")]))
    begun = whole.upto(4)
    assert begun.last == 1
    assert pages.joined([begun, whole.after(1)]) == pages.joined([whole]) == whole


# ------------------------------------------------------------ rows


@given(made=ENTRIES, per_page=st.integers(1, 4), after=st.integers(0, 9))
def test_pages_give_what_was_folded_behind_any_entry(
    made: list[tuple[bytes, bytes]], per_page: int, after: int
) -> None:
    connection = opened_store()
    try:
        entries = stamped(made)
        add_in_pages(connection, entries, per_page)
        add(connection, stamped([(b"h", b"another log's")]), OTHER_LOG)
        assert read(connection, after) == entries[after:]
        for seq in range(len(entries) + 2):
            stamp = pages.stamp_at(connection, LOG, seq)
            assert stamp == (entries[seq - 1].stamp if 0 < seq <= len(entries) else None)
    finally:
        connection.close()


@given(
    made=ENTRIES,
    per_page=st.integers(1, 4),
    floors=st.lists(st.integers(1, 9), min_size=1, max_size=3),
)
def test_what_is_dropped_is_gone_and_nothing_else(
    made: list[tuple[bytes, bytes]], per_page: int, floors: list[int]
) -> None:
    connection = opened_store()
    try:
        entries = stamped(made)
        add_in_pages(connection, entries, per_page)
        add(connection, stamped([(b"h", b"another log's")]), OTHER_LOG)
        for floor in sorted(floors):
            pages.drop_until(connection, LOG, floor)
            assert read(connection) == entries[floor:]
            assert pages.stamp_at(connection, LOG, floor) is None
        assert len(read(connection, log=OTHER_LOG)) == 1
    finally:
        connection.close()


@given(made=ENTRIES, per_page=st.integers(1, 4), data=st.data())
def test_a_body_is_replaced_and_nothing_else(
    made: list[tuple[bytes, bytes]], per_page: int, data: st.DataObject
) -> None:
    connection = opened_store()
    try:
        entries = stamped(made)
        add_in_pages(connection, entries, per_page)
        seq = data.draw(st.integers(1, len(entries)))
        pages.replace_body(connection, LOG, seq, ERASED)
        old = entries[seq - 1]
        size = len(old.header) + len(ERASED)
        entries[seq - 1] = old._replace(stamp=old.stamp._replace(size=size), body=ERASED)
        assert read(connection) == entries
    finally:
        connection.close()


def test_a_page_is_not_longer_than_it_may_be(connection: sqlite3.Connection) -> None:
    half = bytes(PAGE_BYTES_MAX // 2 - 1)
    entries = stamped([(b"h", half), (b"h", half), (b"h", b"x"), (b"h", bytes(PAGE_BYTES_MAX))])
    add(connection, entries)
    rows = connection.execute("SELECT last, length(entries), arrival FROM pages").fetchall()
    assert rows == [(2, PAGE_BYTES_MAX, 102), (3, 2, 103), (4, PAGE_BYTES_MAX + 1, 104)]
    assert read(connection) == entries
    assert all(run.is_whole() for run in pages.runs(connection, LOG, 0))


def test_the_hashes_of_erased_bodies_go_with_their_entries(connection: sqlite3.Connection) -> None:
    for seq in (1, 2, 5):
        pages.keep_body_hash(connection, LOG, seq, b"%d" % seq)
    pages.keep_body_hash(connection, OTHER_LOG, 1, b"other")
    pages.drop_body_hashes(connection, LOG, 2)
    assert pages.body_hashes(connection, LOG) == {5: b"5"}
    assert pages.body_hashes(connection, OTHER_LOG) == {1: b"other"}
