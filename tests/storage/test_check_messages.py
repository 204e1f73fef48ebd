"""Entries and runs that do not name each other are found, whichever side is wrong."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from syncd.storage.check import check_file

from . import damage
from .stores import make_store
from .works import PHONE


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        (
            "DELETE FROM places WHERE log = 2 AND number = 5",
            "log bob, entry 5: nothing says that it is message 5 of its device",
        ),
        (
            "UPDATE places SET log = 77 WHERE log = 2 AND number = 5",
            f"device {PHONE}, message 5: it names log number 77, which does not exist",
        ),
        (
            "UPDATE places SET seq = 99 WHERE log = 2 AND number = 5",
            f"device {PHONE}, message 5: its answer names entry 99; the log of bob ends at 15",
        ),
        (
            "UPDATE places SET seq = 6 WHERE log = 2 AND number = 5",
            f"device {PHONE}, message 5: its answer names entry 6 of bob, which is another one",
        ),
        ("DELETE FROM sent", "nothing says that it is message"),
        ("DELETE FROM sent", f"device {PHONE}: its highest number is 13, but 0 is the last"),
        ("UPDATE sent SET record = x'00'", "messages: not everything can be read"),
        (
            "UPDATE sent SET last = last - 1",
            f"device {PHONE}: a run of its messages does not hold 1 to 12",
        ),
        (
            "UPDATE sent SET first = first + 1",
            f"device {PHONE}: a run of its messages does not hold 2 to 13",
        ),
    ],
)
def test_what_does_not_fit_is_found(tmp_path: Path, script: str, finding: str) -> None:
    store = make_store(tmp_path)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        if script.startswith("UPDATE sent"):
            connection.execute(script)
        else:
            damage.run(connection, script)
    assert finding in "\n".join(map(str, check_file(store).findings))


def test_what_was_folded_twice_is_no_fault(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO sent (sender, last, first, record)"
            " SELECT sender, last, first, record FROM sent"
        )
    assert check_file(store).sound
