"""Exporting an account: everything that it has, from one moment, and nothing that is damaged."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from syncd.model import AccountId
from syncd.storage import Storage, StorageError
from syncd.storage.database_file import read_only
from syncd.storage.exporting import export_account

from . import damage
from .stores import draft, killed_store, make_store, send, served
from .streams import exported, taken_apart
from .works import ALICE, BOB, NOBODY, PHONE, PHONE_TOKEN, populate


def test_everything_of_the_account_is_there(tmp_path: Path) -> None:
    head, entries, phone, tablet, end = taken_apart(exported(make_store(tmp_path)))
    assert (head[3], head[5], head[8]) == ("alice", 3, 14)
    assert [entry[0] for entry in entries[1]] == list(range(4, 15))  # type: ignore[attr-defined]
    assert phone[1:5] == [PHONE, "Alice's phone", "phone", PHONE_TOKEN]
    assert phone[8:10] == [13, 13]
    assert phone[10][1] == 5  # type: ignore[index]
    assert len(phone[11]) == 13  # type: ignore[arg-type]
    assert (tablet[8], tablet[10], tablet[11]) == (0, None, [])
    assert end[1:3] == [11, 2]
    *_, marks, _ = taken_apart(exported(tmp_path / "syncd.db", BOB))
    assert marks == ["marks", [["alice~bob", 8]]]


def test_what_only_the_journal_knows_is_there_too(tmp_path: Path) -> None:
    killed = killed_store(tmp_path / "killed")
    streams = [exported(killed, account) for account in (ALICE, BOB)]
    head, entries, phone, *_ = taken_apart(streams[0])
    assert (head[8], entries[1][-1][0], phone[9], phone[10][1]) == (17, 17, 15, 15)  # type: ignore[index]
    served(tmp_path / "killed", ALICE)  # opens the store, which folds it
    assert [exported(killed, account) for account in (ALICE, BOB)] == streams


async def large(storage: Storage) -> None:
    await populate(storage)
    await send(storage, *(draft(number, bytes(30_000)) for number in range(1, 41)))


def test_a_long_log_goes_in_pieces(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    pieces: list[bytes] = []
    with read_only(make_store(tmp_path, large)) as connection:
        done = export_account(
            connection,
            AccountId("alice"),
            pieces.append,
            lambda done, whole: told.append((done, whole)),
        )
    assert done.entries == 40
    assert max(map(len, pieces)) < 300_000
    assert told == [(8, 40), (16, 40), (24, 40), (32, 40), (40, 40)]


@pytest.mark.parametrize(
    "script",
    [
        "DELETE FROM entries WHERE seq = 9",
        "UPDATE entries SET body = x'c50001ff' WHERE seq = 9",
        "UPDATE logs SET head_link = zeroblob(32)",
    ],
)
def test_what_is_damaged_is_not_exported(tmp_path: Path, script: str) -> None:
    store = make_store(tmp_path)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        damage.run(connection, script)
    with pytest.raises(StorageError, match="log of alice is damaged"):
        exported(store)


def test_nobody_has_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        exported(make_store(tmp_path), NOBODY)
