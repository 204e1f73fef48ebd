"""What only the durable shelf does: survive, refuse strangers, roll back. Else: test_store.py."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from syncd import errors
from syncd.client.exceptions import StoreUnusable
from syncd.client.sqlite_shelf import READ_BYTES_MAX, VERSION, SqliteShelf
from syncd.client.store import PendingState
from syncd.limits import BODY_BYTES_MAX
from syncd.model import Refused
from syncd.protocol import client_commands as commands
from syncd.protocol.client_events import Mark
from syncd.wire.frames import Entry
from tests.client.shelves import INSTANCE, SERVER, begun, bodies, entry, outgoing, stores
from tests.protocol.client_plays import NEW_EPOCH, at, reset


def opened(path: Path) -> tuple[SqliteShelf, sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    return SqliteShelf(connection), connection


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    shelf, connection = opened(path)
    begun(shelf)
    shelf.enqueue([outgoing(b"one"), outgoing(b"two")])
    shelf.store_answers(commands.StoreAnswers((Refused(1, errors.CONFLICT),)))
    shelf.store_batch(stores(0, entry(7), entry(8)))
    shelf.take_verdict(commands.TakeVerdict(reset(start=0, floor=0, head=2), 1))
    shelf.store_batch(stores(0, entry(7), epoch=NEW_EPOCH))
    connection.close()

    again, connection = opened(path)
    loaded, token = again.begin(SERVER, INSTANCE, None)
    assert token == "a token"
    assert loaded.position == at(1, NEW_EPOCH)
    assert [each.state for each in again.pending()] == [PendingState.REFUSED, PendingState.WAITING]
    assert [each.number for each in again.enqueue([outgoing()]).messages] == [3]
    assert [old.entry.number for old in again.old()] == [8]
    assert bodies(again, era=-1) == [7]
    # The reset is not over: its head is still awaited.
    done = again.store_batch(stores(1, entry(9), epoch=NEW_EPOCH))
    assert done.marked is not None
    assert done.marked.mark is Mark.NOT_ON_SERVER
    connection.close()


def test_a_store_of_the_first_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    shelf, connection = opened(path)
    begun(shelf)
    shelf.store_batch(stores(0, entry(7)))
    current = columns(connection)
    for column in ("secret", "aliases"):
        connection.execute(f"ALTER TABLE kept DROP COLUMN {column}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()

    again, connection = opened(path)
    loaded, token = again.begin(SERVER, INSTANCE, None)
    assert (loaded.position, loaded.aliases, token) == (at(1), (), "a token")
    assert again.credentials().secret is None
    assert bodies(again) == [7]
    assert columns(connection) == current
    connection.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def columns(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("PRAGMA table_info(kept)").fetchall()


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    shelf, connection = opened(path)
    begun(shelf)
    shelf.store_batch(stores(0, entry(1)))
    with pytest.raises(sqlite3.IntegrityError):
        shelf.store_batch(stores(0, entry(2)))  # seq 1 a second time
    connection.close()
    again, connection = opened(path)
    assert bodies(again) == [1]
    assert again.begin(SERVER, INSTANCE, None)[0].position == at(1)
    connection.close()


def test_large_logs_are_read_in_pieces() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    shelf = SqliteShelf(connection)
    begun(shelf)
    large = Entry(1, entry(1).conversation, entry(1).account, entry(1).device, 1, None, 0, b"")
    body = bytes(BODY_BYTES_MAX)
    count = 2 * READ_BYTES_MAX // BODY_BYTES_MAX
    for seq in range(count):
        fields = (large.kind, large.conversation, large.account, large.device)
        shelf.store_batch(stores(seq, Entry(*fields, seq + 1, None, 0, body)))
    first = shelf.read(0, 0)
    assert first is not None
    assert 1 < len(first.entries) < count
    assert bodies(shelf) == list(range(1, count + 1))
    connection.close()


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    _, connection = opened(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(StoreUnusable, match="version 99"):
        SqliteShelf(connection)
    connection.close()


def test_a_database_of_something_else_is_refused() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE letters (text TEXT)")
    with pytest.raises(StoreUnusable, match="something else"):
        SqliteShelf(connection)
    connection.close()
