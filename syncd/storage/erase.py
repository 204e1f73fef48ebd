"""Erasing a body in SQLite: in every log that holds the message, and from the file itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import suppress

from syncd import heading
from syncd.model import AccountId, Identity, Kind, Seq
from syncd.storage import ERASABLE, NotErasable
from syncd.storage.queries import load
from syncd.storage.sqlite_book import find_log
from syncd.storage.transaction import damaged, snapshot, transact

_SQL = load("sqlite")

_SECURE_DELETE = ("OFF", "ON", "FAST")
"""What the pragma is told, by the number that it answers."""


def erase_body(connection: sqlite3.Connection, account: AccountId, seq: Seq) -> int:
    """What the door's `erase` promises. The bytes leave the file, too, not only its rows."""
    # Without it SQLite would leave the body in the free part of its page; always, it would cost
    # every trim.
    (before,) = connection.execute("PRAGMA secure_delete").fetchone()
    connection.execute("PRAGMA secure_delete = ON")
    try:
        erased = transact(connection, lambda within: _erase(within, account, seq))
    finally:
        connection.execute(f"PRAGMA secure_delete = {_SECURE_DELETE[before]}")
    _empty_wal(connection)
    return erased


def _erase(connection: sqlite3.Connection, account: AccountId, seq: Seq) -> int:
    log = find_log(connection, account)
    row = None if log is None else connection.execute(_SQL["copy"], (log.log, seq)).fetchone()
    if row is None:
        raise KeyError(account, seq)
    try:
        kind = heading.unpack(row[2]).kind
    except (TypeError, ValueError):
        raise damaged(account, f"the header of entry {seq} cannot be read") from None
    if kind not in ERASABLE:
        raise NotErasable(kind)
    # The header, too: another device may have the same key in the index.
    erasing = (heading.ERASED, *row, heading.ERASED)
    return connection.execute(_SQL["erase_copies"], erasing).rowcount


def _empty_wal(connection: sqlite3.Connection) -> None:
    """The WAL still holds the pages as they were. Where a reader is in the way, the next checkpoint
    empties it: nobody waits for that."""
    ((patience_ms,),) = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        with suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience_ms:d}")


def find_edits(
    connection: sqlite3.Connection, account: AccountId, seq: Seq
) -> Mapping[Seq, Identity]:
    """What the door's `edits` promises. Walks the log behind the entry."""
    return snapshot(connection, lambda within: _find_edits(within, account, seq))


def _find_edits(
    connection: sqlite3.Connection, account: AccountId, seq: Seq
) -> dict[Seq, Identity]:
    log = find_log(connection, account)
    row = None if log is None else connection.execute(_SQL["copy"], (log.log, seq)).fetchone()
    if log is None or row is None:
        raise KeyError(account, seq)
    target = heading.unpack(row[2]).identity
    found: dict[Seq, Identity] = {}
    for place, header in connection.execute(_SQL["headers_after"], (log.log, seq, heading.ERASED)):
        entry = heading.unpack(header)
        if entry.kind == Kind.EDIT and entry.target == target:
            found[place] = entry.identity
    return found
