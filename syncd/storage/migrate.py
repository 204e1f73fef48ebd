"""Brings a SQLite store to the newest schema, or refuses one that is newer than this program.

A new store gets schema.sql at once; an older one walks through the numbered files of migrations/,
each in one transaction with its version, so that a crash leaves a whole step or none.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from syncd import checksum, heading
from syncd.model import Chain
from syncd.storage import StoreRefused
from syncd.storage.identities import sender_key
from syncd.storage.old_rows import carry_over
from syncd.storage.queries import SQL_FOLDER

SQLITE_FOLDER = SQL_FOLDER / "sqlite"

_OLD_ROWS = 4
"""The version with which rows of entries became pages."""

_FILE = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: the store is at `version` once `script` ran."""

    version: int
    script: str


def migrations(folder: Path = SQLITE_FOLDER) -> list[Migration]:
    """All steps in their order. Raises ValueError unless they are numbered 1, 2, 3 ..."""
    steps: list[Migration] = []
    for path in sorted((folder / "migrations").glob("*.sql")):
        named = _FILE.fullmatch(path.name)
        if named is None or int(named[1]) != len(steps) + 1:
            raise ValueError(f"{path.name} does not follow migration {len(steps)}")
        steps.append(Migration(int(named[1]), path.read_text(encoding="utf-8")))
    return steps


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of a store; 0 for one that is new."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection, folder: Path = SQLITE_FOLDER) -> None:
    """Bring the store behind `connection` to the newest schema.

    Raises StoreRefused for a store of a newer program, and for a database that is no store of ours.
    """
    steps = migrations(folder)
    newest = steps[-1].version
    version = version_of(connection)
    if version > newest:
        raise StoreRefused(
            f"the store has schema version {version}; this program knows versions up to {newest}"
        )
    if version == 0:
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
            raise StoreRefused("the database holds tables, but it is no store of this program")
        steps = [Migration(newest, (folder / "schema.sql").read_text(encoding="utf-8"))]
    for step in steps:
        if step.version > version:
            _apply(connection, step)


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    offer_functions(connection)
    try:
        # As one script, because executescript would first commit a transaction begun outside.
        connection.executescript(f"BEGIN IMMEDIATE;\n{step.script}")
        if step.version == _OLD_ROWS and _has_old_rows(connection):
            carry_over(connection)
        connection.execute(f"PRAGMA user_version = {step.version:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _has_old_rows(connection: sqlite3.Connection) -> bool:
    """Not so in a new store, which gets the newest schema at once."""
    found = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'remembered'")
    (count,) = found.fetchone()
    return bool(count)


def offer_functions(connection: sqlite3.Connection) -> None:
    """What migrations compute from stored bytes, which SQL cannot read."""
    sums: dict[int, int] = {}

    def running_sum(log: int, chain: Chain, header: bytes, body: bytes) -> int:
        # Called in the order of (log, seq): the statement that calls it says so.
        sums[log] = checksum.extend(sums.get(log, checksum.START), header + body)
        return checksum.sealed(sums[log], chain)

    offered: dict[str, Callable[..., int]] = {
        "sender_of": lambda header: sender_key(heading.unpack(header).device),
        "number_of": lambda header: heading.unpack(header).number,
        "running_sum": running_sum,
        "opened_sum": checksum.opened,
    }
    for name, function in offered.items():
        connection.create_function(name, -1, function)
