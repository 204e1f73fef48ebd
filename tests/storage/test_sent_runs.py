"""Runs of what a device sent: found at any number, newest first, dropped when nobody can ask."""

import sqlite3
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model import DeviceId
from syncd.storage import sent_runs, sqlite_identity
from syncd.storage.migrate import migrate
from syncd.storage.sent_runs import Item

from .works import ALICE, BOB, LAPTOP, PHONE, PSEUDO

A, B = 1, 2
"""The numbers of Alice's and Bob's logs."""

CAPACITY = 3


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


def sent(number: int, *places: int) -> Item:
    """A message that can be retried."""
    return Item(number, b"content %d" % number, list(places or (A, number)))


def copied(number: int, *places: int) -> Item:
    """Copies that came later, or a publication."""
    return Item(number, b"", list(places))


def add(connection: sqlite3.Connection, *items: Item, device: DeviceId = PHONE) -> None:
    sent_runs.add_items(connection, device, items)


def found(connection: sqlite3.Connection, number: int, device: DeviceId = PHONE) -> list[Item]:
    return list(sent_runs.find_items(connection, device, number))


def rows(connection: sqlite3.Connection) -> list[tuple[int, int]]:
    return connection.execute("SELECT first, last FROM sent ORDER BY run").fetchall()


def trim(connection: sqlite3.Connection, log: int, floor: int, device: DeviceId = PHONE) -> None:
    connection.execute("UPDATE logs SET floor = ? WHERE log = ?", (floor, log))
    sent_runs.drop_items(connection, device, CAPACITY)


NUMBERS = st.lists(st.integers(1, 60), unique=True, max_size=30).map(sorted)


@given(
    numbers=NUMBERS,
    cuts=st.lists(st.integers(1, 30), max_size=4),
    later=NUMBERS,
    count=st.integers(1, 40),
)
def test_what_was_sent_is_found_however_folds_cut_it(
    numbers: list[int], cuts: list[int], later: list[int], count: int
) -> None:
    connection = opened_store()
    try:
        add(connection, *map(sent, range(1, 61)), device=LAPTOP)
        bounds = [0, *sorted(cuts), len(numbers)]
        for here, end in pairwise(bounds):
            add(connection, *map(sent, numbers[here:end]))
        add(connection, *(copied(number, B, number) for number in later))
        for number in range(62):
            wanted = [sent(number)] if number in numbers else []
            wanted += [copied(number, B, number)] if number in later else []
            assert sorted(found(connection, number)) == sorted(wanted)
        newest, copies = sent_runs.newest_items(connection, PHONE, count)
        assert list(newest.items()) == [(each, sent(each)) for each in numbers[-count:]]
        for number in newest:
            assert copies.get(number) == ([B, number] if number in later else None)
        every = [item for device, item in sent_runs.every_item(connection) if device == PHONE]
        assert len(every) == len(numbers) + len(later)
    finally:
        connection.close()


def test_a_long_run_is_cut_and_whole(connection: sqlite3.Connection) -> None:
    add(connection, *map(sent, range(1, 1201)))
    assert rows(connection) == [(1, 512), (513, 1024), (1025, 1200)]
    assert [found(connection, each) for each in (1, 512, 513, 1200, 1201)] == [
        [sent(1)],
        [sent(512)],
        [sent(513)],
        [sent(1200)],
        [],
    ]
    newest, later = sent_runs.newest_items(connection, PHONE, 200)
    assert (list(newest), later) == (list(range(1001, 1201)), {})


def test_one_message_may_have_copies_of_several_times(connection: sqlite3.Connection) -> None:
    add(connection, sent(5, A, 1))
    add(connection, copied(5, B, 7))
    add(connection, copied(5, B, 9))
    _, later = sent_runs.newest_items(connection, PHONE, CAPACITY)
    assert sorted(later[5]) == sorted([B, 7, B, 9])
    assert len(found(connection, 5)) == 3


@pytest.mark.parametrize(
    ("places", "seq"),
    [
        ((), None),
        ((A, 3), 3),
        ((B, A), None),
        ((B, 1, A, 4), 4),
        ((3, A, 4, B), None),
        ((A, 1, B, 2, A, 5), 5),
    ],
    ids=["nowhere", "alone", "a seq is no log", "second", "elsewhere", "brought back"],
)
def test_the_place_in_one_log(places: tuple[int, ...], seq: int | None) -> None:
    assert sent_runs.seq_in(places, A) == seq


def test_runs_are_dropped_when_every_copy_is_gone_and_no_retry_needs_them(
    connection: sqlite3.Connection,
) -> None:
    add(connection, sent(1, A, 1, B, 1), sent(2, A, 2))
    add(connection, sent(3, A, 3), sent(4, A, 4))
    add(connection, *(sent(number) for number in range(5, 8)))
    trim(connection, A, 3)
    assert rows(connection) == [(1, 2), (3, 4), (5, 7)], "Bob has the first one still"
    trim(connection, B, 1)
    assert rows(connection) == [(3, 4), (5, 7)], "Alice has the fourth one still"
    trim(connection, A, 7)
    assert rows(connection) == [(5, 7)], "so many may be sent again"
    newest, _ = sent_runs.newest_items(connection, PHONE, CAPACITY)
    assert list(newest) == [5, 6, 7]


def test_a_run_that_one_retry_needs_is_kept(connection: sqlite3.Connection) -> None:
    add(connection, sent(1), sent(2))
    add(connection, sent(3), sent(4))
    trim(connection, A, 4)
    assert rows(connection) == [(1, 2), (3, 4)], "the second one is among the newest three"


def test_what_nobody_can_retry_goes_with_its_last_copy(connection: sqlite3.Connection) -> None:
    add(connection, copied(1, A, 1, B, 1), device=PSEUDO)
    add(connection, copied(2, A, 2), device=PSEUDO)
    add(connection, sent(1, A, 1))
    trim(connection, A, 2, device=PSEUDO)
    assert found(connection, 1, PSEUDO), "Bob has it still"
    trim(connection, B, 1, device=PSEUDO)
    assert not found(connection, 1, PSEUDO) + found(connection, 2, PSEUDO)
    assert found(connection, 1) == [sent(1, A, 1)], "another sender's"


def test_one_trim_looks_at_few_runs_and_the_next_goes_on(connection: sqlite3.Connection) -> None:
    for number in range(1, 41):
        add(connection, sent(number))
    left = []
    for _ in range(4):
        trim(connection, A, 40)
        left.append(len(rows(connection)))
    assert left == [24, 8, 3, 3]


def test_a_record_that_cannot_be_read_is_told(connection: sqlite3.Connection) -> None:
    add(connection, sent(1))
    connection.execute("UPDATE sent SET record = x'91c1'")
    with pytest.raises(ValueError, match=r"."):
        found(connection, 1)
    with pytest.raises(msgspec.DecodeError):
        sent_runs.newest_items(connection, PHONE, 1)
