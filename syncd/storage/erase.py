"""Erasing a body in SQLite: in every log that holds the message, and from the file itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from syncd import chain, heading
from syncd.model import AccountId, Identity, Kind, Seq
from syncd.storage import ERASABLE, NotErasable
from syncd.storage.contents import Contents
from syncd.storage.pages import keep_body_hash, replace_body
from syncd.storage.queries import load
from syncd.storage.transaction import damaged, snapshot, transact
from syncd.storage.unfolded import LogRow, Unfolded

_SQL = load("sqlite")

_ZEROES_BYTES = 16 * 1024 * 1024

_SECURE_DELETE = ("OFF", "ON", "FAST")
"""What the pragma is told, by the number that it answers."""


def erase_body(connection: sqlite3.Connection, account: AccountId, seq: Seq) -> int:
    """What the door's `erase` promises, of a store whose pages hold everything. The bytes leave the
    file, too, not only its rows. The caller owes `empty_wal`, until that tells that it did so."""
    # Without it SQLite would leave the body in the free part of its page; always, it would cost
    # every trim.
    (before,) = connection.execute("PRAGMA secure_delete").fetchone()
    connection.execute("PRAGMA secure_delete = ON")
    try:
        erased = transact(connection, lambda within: _erase(within, account, seq))
    finally:
        connection.execute(f"PRAGMA secure_delete = {_SECURE_DELETE[before]}")
    transact(connection, _overwrite_free_pages)
    return erased


def _erase(connection: sqlite3.Connection, account: AccountId, seq: Seq) -> int:
    contents = Contents(connection, Unfolded())
    log = contents.own_log(account)
    try:
        entry = None if log is None else contents.entry(log, seq)
        if log is None or entry is None:
            raise KeyError(account, seq)
        found = heading.unpack(entry.header)
    except (TypeError, ValueError):
        raise damaged(account, f"the header of entry {seq} cannot be read") from None
    if found.kind not in ERASABLE:
        raise NotErasable(found.kind)
    places = {
        (number, place)
        for item in contents.items(found.identity)
        for number, place in zip(item.places[::2], item.places[1::2], strict=True)
    }
    return sum(_erase_copy(connection, *place, entry.header) for place in sorted(places))


def _erase_copy(connection: sqlite3.Connection, number: int, seq: Seq, header: bytes) -> int:
    """Erase one copy; 1, or 0 where there was nothing to erase."""
    contents = Contents(connection, Unfolded())
    row = connection.execute(_SQL["log_by_number"], (number,)).fetchone()
    entry = contents.entry(LogRow(*row), seq)
    if entry is None or entry.header != header or entry.body == heading.ERASED:
        return 0
    replace_body(connection, number, seq, heading.ERASED)
    keep_body_hash(connection, number, seq, chain.hash_of(entry.body))
    return 1


def _overwrite_free_pages(connection: sqlite3.Connection) -> None:
    """Rows of the journal that were folded lie in the free pages as they were, until other rows
    take these: zeroes do."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    left = free * size
    while left > 0:
        connection.execute(_SQL["add_to_journal"], (bytes(min(left, _ZEROES_BYTES)), 0))
        left -= _ZEROES_BYTES
    connection.execute(_SQL["empty_journal"])


def empty_wal(connection: sqlite3.Connection) -> bool:
    """Let the WAL, which still holds pages as they were, hold nothing. False where a reader is in
    the way: nobody waits for that. An ordinary checkpoint would leave what it does not overwrite.
    """
    ((patience_ms,),) = connection.execute("PRAGMA busy_timeout").fetchall()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not busy
    except sqlite3.OperationalError:
        return False
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
    contents = Contents(connection, Unfolded())
    log = contents.own_log(account)
    edited = None if log is None else contents.entry(log, seq)
    if log is None or edited is None:
        raise KeyError(account, seq)
    target = heading.unpack(edited.header).identity
    found: dict[Seq, Identity] = {}
    for run in contents.runs(log, seq):
        for entry in run.walk():
            read = heading.unpack(entry.header)
            if read.kind == Kind.EDIT and read.target == target and entry.body != heading.ERASED:
                found[entry.seq] = read.identity
    return found
