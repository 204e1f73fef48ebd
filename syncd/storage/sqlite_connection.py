"""What a connection to a store is: durable, current, with the pragmas that say so read back."""

from __future__ import annotations

import sqlite3
from functools import partial

from syncd.model import CursorScope
from syncd.storage import StoreRefused
from syncd.storage.keeping import LOG_AHEAD_BYTES_MAX
from syncd.storage.migrate import migrate
from syncd.storage.queries import load
from syncd.storage.transaction import transact

PAGE_BYTES = 16 * 1024
"""Of a new store. Rows of `pages` have a few KiB each where many accounts share the traffic: of
pages of 4 KiB a third would stay empty."""

CHECKPOINT_BYTES = 8 * 1024 * 1024
"""Size of the WAL from which on a commit also copies it into the database: whoever sends then waits
for some 10 ms. Commits and folds write forward, so a longer WAL would save hardly a page."""

CACHE_KIB = 64 * 1024
"""Page cache of the writer: the ends of the logs' index and the rings of active devices."""

_SQL = load("sqlite")
_FULL = 2  # what PRAGMA synchronous answers for FULL


def prepare_writer(connection: sqlite3.Connection, scope: CursorScope | None) -> CursorScope:
    """Make `connection` durable and its store current; the store's cursor scope."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES:d}")  # of a file that is still empty
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    _require(connection, journal_mode="wal", synchronous=_FULL, foreign_keys=1)
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_BYTES // page_bytes:d}")
    # The file is cut down when it begins anew: trouble that is over must not look like trouble.
    connection.execute(f"PRAGMA journal_size_limit = {LOG_AHEAD_BYTES_MAX:d}")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB:d}")
    migrate(connection)
    return transact(connection, partial(_settle_scope, asked=scope))


def prepare_reader(connection: sqlite3.Connection) -> None:
    """Make sure that `connection` can neither write nor checkpoint."""
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    _require(connection, journal_mode="wal", query_only=1, wal_autocheckpoint=0)


def _require(connection: sqlite3.Connection, **wanted: str | int) -> None:
    # SQLite answers a pragma that it cannot honour with silence, so each one is read back.
    for name, value in wanted.items():
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != value:
            raise StoreRefused(f"SQLite keeps {name} at {found}; durability needs {value}")


def _settle_scope(connection: sqlite3.Connection, asked: CursorScope | None) -> CursorScope:
    row = connection.execute(_SQL["meta"], ("cursor_scope",)).fetchone()
    if row is None:
        settled = asked or CursorScope.DEVICE
        connection.execute(_SQL["set_meta"], ("cursor_scope", settled.value))
        return settled
    settled = CursorScope(row[0])
    if asked not in (None, settled):
        raise StoreRefused(
            f"the store was made with cursor scope {settled.value}; {asked.value} was asked for"
        )
    return settled
