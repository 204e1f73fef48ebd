"""What a server's store holds, read from its file alone: no part of the server is asked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from client_sim.history import SERVER, Content, Cursor, Log, Record, fingerprint
from syncd import heading
from syncd.model import CursorScope
from syncd.storage.cursors import cursor_key
from syncd.storage.database_file import DATABASE_NAME, read_only

_LOGS = "SELECT log, account, epoch, floor, head FROM logs ORDER BY account"
_ENTRIES = "SELECT header, body FROM entries WHERE log = ? ORDER BY seq"
_DEVICES = """
SELECT device, account, platform FROM devices JOIN logs ON logs.log = devices.log ORDER BY device
"""
_CURSOR = "SELECT epoch, seq FROM cursors WHERE key = ?"
_SCOPE = "SELECT value FROM meta WHERE key = 'cursor_scope'"


def heads(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Epoch, floor and head of each account's log; a server may run on it.

    Raises sqlite3.Error and StoreRefused, as `remains` does, where there is no store to read.
    """
    with read_only(folder / DATABASE_NAME) as connection:
        rows = connection.execute(_LOGS).fetchall()
    return {account: (epoch.hex(), floor, head) for _, account, epoch, floor, head in rows}


def remains(folder: Path, at: float) -> list[Record]:
    """All logs and cursors of the store, as records of that moment."""
    with read_only(folder / DATABASE_NAME) as connection:
        return [*_logs(connection, at), *_cursors(connection, at)]


def _logs(connection: sqlite3.Connection, at: float) -> list[Record]:
    return [
        Log(
            at=at,
            by=SERVER,
            account=account,
            epoch=epoch.hex(),
            floor=floor,
            head=head,
            entries=tuple(
                _content(header, body) for header, body in connection.execute(_ENTRIES, (log,))
            ),
        )
        for log, account, epoch, floor, head in connection.execute(_LOGS).fetchall()
    ]


def _content(header: bytes, packed: bytes) -> Content:
    identity = heading.unpack(header).identity
    body = msgspec.msgpack.decode(packed, type=bytes | None)
    return f"{identity.device}#{identity.number}", None if body is None else fingerprint(body)


def _cursors(connection: sqlite3.Connection, at: float) -> list[Record]:
    scope = CursorScope(connection.execute(_SCOPE).fetchone()[0])
    found: list[Record] = []
    for device, account, platform in connection.execute(_DEVICES).fetchall():
        row = connection.execute(
            _CURSOR, (cursor_key(scope, device, account, platform),)
        ).fetchone()
        if row is not None:
            found.append(Cursor(at=at, by=SERVER, device=device, epoch=row[0].hex(), seq=row[1]))
    return found
