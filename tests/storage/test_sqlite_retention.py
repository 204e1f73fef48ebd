"""Tests of retention in SQLite, beyond the contract in test_keeping.py: queries, damage, files."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model import CursorScope, Work
from syncd.persisted_clock import ClockReading
from syncd.storage.folding import load
from syncd.storage.keeping import Keep
from syncd.storage.pages import STAMP, add_run
from syncd.storage.queries import load as load_queries
from syncd.storage.sqlite import DATABASE_NAME, open_sqlite
from syncd.storage.sqlite_retention import drop_keys, keep, kept_for, look, note, saved_clock, thin

from .test_sqlite_commit import Pair, at_once
from .works import ALICE, BOB, populate, publication, sending

DAY_MS = 24 * 60 * 60 * 1000
SQL = load_queries("sqlite")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
    yield opened
    opened.close()


async def filled(folder: Path, *numbers: int) -> None:
    storage = await open_sqlite(folder)
    await populate(storage)
    for number in numbers:
        await storage.commit(sending(number))
    await storage.close()


@pytest.mark.parametrize(
    ("query", "parameters", "table"),
    [
        ("stamps_at", (1, 1), "pages"),
        ("page_at", (1, 1), "pages"),
        ("drop_pages", (1, 1), "pages"),
        ("retained_logs", (0, 1), "logs"),
        ("drop_keys", (1, 1), "publications"),
    ],
)
async def test_nothing_is_found_by_a_scan(
    tmp_path: Path, connection: sqlite3.Connection, query: str, parameters: tuple[int], table: str
) -> None:
    await filled(tmp_path)
    steps = connection.execute(f"EXPLAIN QUERY PLAN {SQL[query]}", parameters).fetchall()
    assert [step for *_, step in steps if step.startswith(f"SCAN {table}")] == []


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(0, 20), st.integers(1, 20))
def test_the_floor_by_age_is_that_of_a_walk(
    ours: list[bool], old: int, entries_of_a_page: int
) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(
        """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
        CREATE TABLE ages (clock_ms INTEGER PRIMARY KEY, arrival INTEGER);
        CREATE TABLE publications (arrival INTEGER);
        CREATE TABLE pages (log, last, arrival, before, stamps, entries, UNIQUE (log, last));
        CREATE TABLE logs (log INTEGER PRIMARY KEY, account, floor, head, retain_entries,
                           retain_ms);
        """
    )
    arrivals = [arrival for arrival, mine in enumerate(ours, 1) if mine]
    for begin in range(0, len(arrivals), entries_of_a_page):
        stamps = [
            STAMP.pack(bytes(8), 0, arrival, 2, 1)
            for arrival in arrivals[begin : begin + entries_of_a_page]
        ]
        add_run(connection, 1, (4 + begin, 0), stamps, [b"hb"] * len(stamps))
    head = 3 + len(arrivals)
    connection.execute("INSERT INTO logs VALUES (1, 'alice', 3, ?, NULL, NULL)", (head,))
    connection.execute("INSERT INTO ages VALUES (0, ?)", (old,))
    found = look(connection, 0, 1, Keep(age_ms=1))
    gone = sum(1 for arrival in arrivals if arrival <= old)
    assert [each.new_floor for each in found.trimmings] == ([3 + gone] if gone else [])
    connection.close()


steps = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from([ALICE, BOB]), st.integers(1, 3)),
    st.tuples(st.just("note"), st.integers(0, 3 * DAY_MS)),
    st.tuples(st.just("look")),
    st.tuples(st.just("thin")),
    st.tuples(st.just("fold"), st.integers(1, 5)),
    st.tuples(st.just("reopen")),
    st.tuples(st.just("trim"), st.sampled_from([ALICE, BOB]), st.integers(0, 10)),
    st.tuples(
        st.just("keep"),
        st.sampled_from([ALICE, BOB]),
        st.none() | st.integers(0, 5),
        st.none() | st.integers(0, 5 * DAY_MS),
    ),
    st.tuples(st.just("drop_keys")),
)
keeps = st.builds(Keep, st.integers(0, 5), st.integers(0, 5 * DAY_MS))


@given(st.lists(steps, max_size=30), keeps)
def test_random_histories_match_the_reference(
    history: list[tuple[Any, ...]], default: Keep
) -> None:
    pair = Pair(sqlite3.connect(":memory:", isolation_level=None), CursorScope.DEVICE)
    memory, connection = pair.memory.keeping, pair.connection
    clock_ms, keys = 0, 0
    for step, *arguments in [*history, ("look",)]:
        match step, *arguments:
            case "publish", account, count:
                names = [str(keys + each) for each in range(count)]
                keys += count
                made = tuple(publication(name, account=account) for name in names)
                pair.commit(Work(publications=made))
            case "note", passed_ms:
                clock_ms += passed_ms
                reading = ClockReading(clock_ms, clock_ms)
                pair.settle()
                note(connection, pair.unfolded, reading)
                at_once(memory.note(reading))
            case "fold", entries:
                pair.fold_some(entries)
            case ("reopen",):
                pair.reopen()
            case ("thin",):
                thin(connection, clock_ms)
                at_once(memory.thin(clock_ms))
            case "trim", account, before:
                pair.trim(account, before)
            case "keep", account, entries, age_ms:
                keep(connection, account, entries, age_ms)
                at_once(memory.keep(account, entries, age_ms))
                assert kept_for(connection, account) == at_once(memory.kept_for(account))
            case ("drop_keys",):
                assert drop_keys(connection, clock_ms) == at_once(memory.drop_keys(clock_ms))
            case ("look",):
                pair.settle()
                expected = at_once(memory.look(0, clock_ms, default))
                assert look(connection, 0, clock_ms, default) == expected
        assert saved_clock(connection) == at_once(memory.saved_clock())
    connection.close()


async def test_what_is_missing_is_not_taken_for_old(
    tmp_path: Path, connection: sqlite3.Connection
) -> None:
    await filled(tmp_path)
    for number in (1, 2, 3):  # each in a page of its own
        storage = await open_sqlite(tmp_path)
        await storage.commit(sending(number))
        await storage.close()
    note(connection, load(connection), ClockReading(0, 0))
    connection.execute("DELETE FROM pages WHERE log = 1 AND last = 2")
    connection.execute("DELETE FROM pages WHERE log = 2 AND last = 3")
    found = look(connection, 0, 10, Keep(age_ms=1))
    assert [(each.account, each.new_floor) for each in found.trimmings] == [(ALICE, 1), (BOB, 2)]


async def test_samples_and_arrivals_survive_the_process(tmp_path: Path) -> None:
    await filled(tmp_path, 1)
    first = await open_sqlite(tmp_path)
    await first.keeping.note(ClockReading(100, 5))
    for account in (ALICE, BOB):
        await first.trim(account, 2)
    await first.close()
    second = await open_sqlite(tmp_path)
    assert await second.keeping.saved_clock() == ClockReading(100, 5)
    await second.commit(sending(2))
    assert (await second.keeping.look(0, 10**6, Keep(age_ms=1))).trimmings == ()
    await second.close()


async def test_what_is_written_ahead_is_the_size_of_its_file(tmp_path: Path) -> None:
    storage = await open_sqlite(tmp_path)
    await populate(storage)
    file = tmp_path / f"{DATABASE_NAME}-wal"
    assert storage.keeping.log_ahead_bytes() == file.stat().st_size > 0
    await storage.close()
    assert storage.keeping.log_ahead_bytes() == 0


async def test_no_arrival_is_given_twice(tmp_path: Path, connection: sqlite3.Connection) -> None:
    storage = await open_sqlite(tmp_path)
    await populate(storage)
    await storage.commit(sending(1, 2, 3))
    for account in (ALICE, BOB):
        await storage.trim(account, 4)
    await storage.close()
    storage = await open_sqlite(tmp_path)
    await storage.commit(sending(4))
    await storage.close()
    assert connection.execute("SELECT log, arrival FROM pages ORDER BY log").fetchall() == [
        (1, 7),
        (2, 8),
    ]


async def test_a_quiet_store_grows_by_no_sample(
    tmp_path: Path, connection: sqlite3.Connection
) -> None:
    await filled(tmp_path, 1)
    unfolded = load(connection)
    for clock_ms in range(100):
        note(connection, unfolded, ClockReading(clock_ms, clock_ms))
    assert connection.execute("SELECT clock_ms, arrival FROM ages").fetchall() == [(0, 2)]
