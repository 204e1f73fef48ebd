"""What a server's store holds, read from its file alone: no part of the server is asked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from client_sim.history import SERVER, Content, Cursor, Log, Record, fingerprint
from syncd import heading
from syncd.model import CursorScope
from syncd.storage.contents import Contents
from syncd.storage.cursors import cursor_key
from syncd.storage.database_file import DATABASE_NAME, read_only
from syncd.storage.folding import load as load_journal

_DEVICES = """
SELECT device, account, platform FROM devices JOIN logs ON logs.log = devices.log ORDER BY device
"""
_SCOPE = "SELECT value FROM meta WHERE key = 'cursor_scope'"


def heads(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Epoch, floor and head of each account's log; a server may run on it.

    Raises sqlite3.Error and StoreRefused, as `remains` does, where there is no store to read.
    """
    with read_only(folder / DATABASE_NAME) as connection:
        logs = _contents(connection).every_log()
        return {log.account: (log.epoch.hex(), log.floor, log.head) for log in logs}


def remains(folder: Path, at: float) -> list[Record]:
    """All logs and cursors of the store, as records of that moment."""
    with read_only(folder / DATABASE_NAME) as connection:
        contents = _contents(connection)
        return [*_logs(contents, at), *_cursors(connection, contents, at)]


def _contents(connection: sqlite3.Connection) -> Contents:
    return Contents(connection, load_journal(connection))


def _logs(contents: Contents, at: float) -> list[Record]:
    return [
        Log(
            at=at,
            by=SERVER,
            account=log.account,
            epoch=log.epoch.hex(),
            floor=log.floor,
            head=log.head,
            entries=tuple(
                _content(entry.header, entry.body)
                for run in contents.runs(log, log.floor)
                for entry in run.walk()
            ),
        )
        for log in sorted(contents.every_log(), key=lambda log: log.account)
    ]


def _content(header: bytes, packed: bytes) -> Content:
    head, body = heading.unpack(header), msgspec.msgpack.decode(packed, type=bytes | None)
    said = None if body is None else fingerprint(body, head.kind, head.target)
    return f"{head.device}#{head.number}", said


def _cursors(connection: sqlite3.Connection, contents: Contents, at: float) -> list[Record]:
    scope = CursorScope(connection.execute(_SCOPE).fetchone()[0])
    found: list[Record] = []
    for device, account, platform in connection.execute(_DEVICES).fetchall():
        row = contents.cursor(cursor_key(scope, device, account, platform))
        if row is not None:
            found.append(Cursor(at=at, by=SERVER, device=device, epoch=row[0].hex(), seq=row[1]))
    return found
