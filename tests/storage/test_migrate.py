"""Tests of the schema's way to the newest version."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.storage import StoreRefused
from syncd.storage.migrate import SQLITE_FOLDER, migrate, migrations, version_of


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the schema and its migrations, free to be changed."""
    return Path(shutil.copytree(SQLITE_FOLDER, tmp_path / "sql"))


def schema(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {(kind, name, " ".join(sql.split())) for kind, name, sql in rows}


def test_a_new_store_equals_one_that_walked_all_migrations(
    connection: sqlite3.Connection,
) -> None:
    migrate(connection)
    walked = sqlite3.connect(":memory:", isolation_level=None)
    for step in migrations():
        walked.executescript(step.script)
    assert schema(connection) == schema(walked)
    assert version_of(connection) == migrations()[-1].version
    walked.close()


def test_an_older_store_walks_the_steps_it_lacks(
    connection: sqlite3.Connection, folder: Path
) -> None:
    migrate(connection, folder)
    added = "CREATE TABLE added (key TEXT) STRICT;"
    (folder / "migrations" / "0002_added.sql").write_text(added)
    (folder / "schema.sql").write_text((folder / "schema.sql").read_text() + added)
    migrate(connection, folder)
    assert version_of(connection) == 2
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    migrate(fresh, folder)
    assert schema(connection) == schema(fresh)
    fresh.close()


def test_migrating_twice_changes_nothing(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before = schema(connection)
    migrate(connection)
    assert schema(connection) == before


def test_a_step_that_fails_leaves_nothing(connection: sqlite3.Connection, folder: Path) -> None:
    migrate(connection, folder)
    before = schema(connection)
    broken = "CREATE TABLE half (key TEXT) STRICT;\nINSERT INTO nowhere VALUES (1);"
    (folder / "migrations" / "0002_broken.sql").write_text(broken)
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, folder)
    assert schema(connection) == before
    assert version_of(connection) == 1
    assert not connection.in_transaction


def test_a_newer_store_is_refused(connection: sqlite3.Connection) -> None:
    newest = migrations()[-1].version
    connection.execute(f"PRAGMA user_version = {newest + 1}")
    with pytest.raises(StoreRefused, match=f"version {newest + 1}.*up to {newest}"):
        migrate(connection)
    assert schema(connection) == set()


def test_a_foreign_database_is_refused(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(StoreRefused, match="no store of this program"):
        migrate(connection)


@pytest.mark.parametrize("name", ["0003_gap.sql", "0001_twice.sql", "second.sql"])
def test_steps_are_numbered_without_gaps(folder: Path, name: str) -> None:
    (folder / "migrations" / name).write_text("SELECT 1;")
    with pytest.raises(ValueError, match="does not follow"):
        migrations(folder)
