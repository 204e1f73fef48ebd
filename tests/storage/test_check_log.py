"""The walk over one log: progress, and one finding for one fault."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from syncd.storage import check_log
from syncd.storage.check import check_file

from . import damage
from .stores import make_store


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path)
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(check_log, "_ENTRIES_BETWEEN_REPORTS", 5)
    check_file(store, told=lambda done, whole: told.append((done, whole)))
    assert told == [(5, 26), (10, 26), (15, 26), (20, 26), (25, 26)]


def test_after_a_fault_the_walk_goes_on(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        damage.run(
            connection,
            "UPDATE entries SET sum = sum + 1 WHERE log = 2 AND seq = 3;"
            "UPDATE entries SET body = x'c50001ff' WHERE log = 2 AND seq = 9",
        )
    found = [(each.where, each.what.split()[1]) for each in check_file(store).findings]
    assert found == [
        ("log bob, entry 3", "checksum"),
        ("log bob, entry 4", "checksum"),
        ("log bob, entry 9", "chain"),
        ("log bob, entry 9", "checksum"),
        ("log bob, entry 9", "differs"),
    ]


def test_a_page_that_names_another_arrival_is_found(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("UPDATE pages SET arrival = arrival + 1 WHERE log = 2")
    found = [str(each) for each in check_file(store).findings]
    assert found == ["log bob, entry 15: its page names another arrival"]
