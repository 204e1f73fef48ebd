"""Codes: what an app is handed for a person, redeemed once, and soon.

One code is redeemed by one conditional UPDATE, so of any number who come with it one wins.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from syncd.platform.errcodes import CODE_BEEN_USED, INVALID_CODE, MINUTE_QUOTA, Failed

LOGIN_CODE_S = 300
"""Of wx.login, and of official accounts."""
OPEN_CODE_S = 600
"""Of websites and mobile apps."""
REDEEMED_PER_MINUTE_MAX = 100
"""Codes of one person that one app redeems within a minute: identity.md 1.1."""
_REMEMBERED_S = 86400
"""How long a used code is said to have been used, rather than never to have been."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS codes (
    code_hash BLOB PRIMARY KEY,
    appid     TEXT NOT NULL,
    person    TEXT NOT NULL,
    scope     TEXT NOT NULL,     -- '' for a code of wx.login
    snapshot  INTEGER NOT NULL,
    until     REAL NOT NULL,
    used_at   REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS codes_by_end ON codes (until);
CREATE INDEX IF NOT EXISTS codes_by_person ON codes (person, appid, used_at);
"""


class Redeemed(NamedTuple):
    """What a code stood for."""

    person: str
    scope: str
    snapshot: bool


class Codes:
    """Codes in a database of the caller's. Its methods take the time as Unix seconds.

    Owed by the caller: a transaction around every call, and its commit. draw: so many bytes of
    chance that nobody can guess.
    """

    def __init__(self, db: sqlite3.Connection, draw: Callable[[int], bytes]) -> None:
        db.executescript(SCHEMA)
        self._db = db
        self._draw = draw

    def issue(self, appid: str, redeemed: Redeemed, lifetime_s: float, now: float) -> str:
        """A code of 32 letters."""
        self._db.execute("DELETE FROM codes WHERE until <= ?", (now - _REMEMBERED_S,))
        code = self._draw(16).hex()
        person, scope, snapshot = redeemed
        self._db.execute(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?, ?, NULL)",
            (_hash(code), appid, person, scope, snapshot, now + lifetime_s),
        )
        return code

    def redeem(self, appid: str, code: str, login: bool, now: float) -> Redeemed:
        """What the code stood for. Raises Failed, and then the code is as it was.

        login: whether it should be a code of wx.login; neither kind opens the other's door.
        """
        row = self._db.execute(
            "SELECT person, scope, snapshot, used_at FROM codes"
            " WHERE code_hash = ? AND appid = ? AND until > ? AND (scope = '') = ?",
            (_hash(code), appid, now, login),
        ).fetchone()
        if row is None:
            raise Failed(INVALID_CODE)
        person, scope, snapshot, used_at = row
        if used_at is not None:
            raise Failed(CODE_BEEN_USED)
        [(recent,)] = self._db.execute(
            "SELECT count(*) FROM codes WHERE person = ? AND appid = ? AND used_at > ?",
            (person, appid, now - 60),
        )
        if recent >= REDEEMED_PER_MINUTE_MAX:
            raise Failed(MINUTE_QUOTA)
        won = self._db.execute(
            "UPDATE codes SET used_at = ? WHERE code_hash = ? AND used_at IS NULL",
            (now, _hash(code)),
        )
        if not won.rowcount:
            raise Failed(CODE_BEEN_USED)
        return Redeemed(person, scope, bool(snapshot))

    def forget(self, person: str) -> None:
        """The person ended: no code of theirs stands for anybody any more."""
        self._db.execute("DELETE FROM codes WHERE person = ?", (person,))


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()
