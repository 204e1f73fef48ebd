"""What a connection to a store is made to be, in new stores and in old ones."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.model import CursorScope
from syncd.storage import StoreRefused
from syncd.storage.sqlite_connection import (
    CHECKPOINT_BYTES,
    PAGE_BYTES,
    prepare_reader,
    prepare_writer,
)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    yield opened
    opened.close()


def pragma(connection: sqlite3.Connection, name: str) -> object:
    (found,) = connection.execute(f"PRAGMA {name}").fetchone()
    return found


def test_a_new_store_has_large_pages(writer: sqlite3.Connection) -> None:
    assert prepare_writer(writer, None) is CursorScope.DEVICE
    assert pragma(writer, "page_size") == PAGE_BYTES
    assert pragma(writer, "wal_autocheckpoint") == CHECKPOINT_BYTES // PAGE_BYTES
    assert (pragma(writer, "journal_mode"), pragma(writer, "synchronous")) == ("wal", 2)


def test_an_old_store_keeps_its_pages_and_is_copied_as_often(writer: sqlite3.Connection) -> None:
    writer.execute("PRAGMA page_size = 4096")
    writer.execute("VACUUM")
    prepare_writer(writer, None)
    assert pragma(writer, "page_size") == 4096
    assert pragma(writer, "wal_autocheckpoint") == CHECKPOINT_BYTES // 4096


def test_a_reader_neither_writes_nor_copies(writer: sqlite3.Connection, tmp_path: Path) -> None:
    prepare_writer(writer, None)
    reader = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    prepare_reader(reader)
    assert pragma(reader, "wal_autocheckpoint") == 0
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM journal")
    reader.close()


def test_a_store_keeps_its_scope(writer: sqlite3.Connection) -> None:
    assert prepare_writer(writer, CursorScope.ACCOUNT) is CursorScope.ACCOUNT
    assert prepare_writer(writer, None) is CursorScope.ACCOUNT
    with pytest.raises(StoreRefused, match="cursor scope account; device was asked for"):
        prepare_writer(writer, CursorScope.DEVICE)


def test_what_cannot_be_durable_is_refused() -> None:
    in_memory = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(StoreRefused, match="journal_mode"):
        prepare_writer(in_memory, None)
    in_memory.close()
