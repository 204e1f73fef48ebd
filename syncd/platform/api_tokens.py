"""access_token of /cgi-bin: what an app shows to call the API, in two kinds that do not meet.

A token of /cgi-bin/token replaces the previous one, which lives five more minutes. A stable token
stays the same until five minutes before its end. No token is stored: they are made under the
world's key. identity.md 1.4.
"""

from __future__ import annotations

import hmac
import re
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from syncd.platform.errcodes import (
    ACCESS_TOKEN_EXPIRED,
    DAILY_QUOTA,
    INVALID_ACCESS_TOKEN,
    INVALID_CREDENTIAL,
    MINUTE_QUOTA,
    Failed,
)

TOKEN_S = 7200
OVERLAP_S = 300
"""How long the previous token still works."""
FORCED_PER_DAY_MAX = 20
FORCED_APART_S = 30
_REMEMBERED_S = 86400
_TOKEN = re.compile(r"[\w-]{32,1024}", re.ASCII)

SCHEMA = """
CREATE TABLE IF NOT EXISTS api_tokens (
    token_hash BLOB PRIMARY KEY,
    appid      TEXT NOT NULL,
    stable     INTEGER NOT NULL,
    salt       BLOB NOT NULL,     -- of which, with the world's key, the token is made
    forced     INTEGER NOT NULL,
    made       REAL NOT NULL,
    until      REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS api_tokens_by_app ON api_tokens (appid, stable, made);
CREATE INDEX IF NOT EXISTS api_tokens_by_end ON api_tokens (until);
"""


class ApiToken(NamedTuple):
    """expires_in: seconds."""

    access_token: str
    expires_in: int

    def __repr__(self) -> str:
        return f"ApiToken(expires_in={self.expires_in})"


class ApiTokens:
    """API tokens in a database of the caller's. Its methods take the time as Unix seconds.

    Owed by the caller: a transaction around every call, and its commit. key: the world's secret.
    """

    def __init__(self, db: sqlite3.Connection, key: bytes, draw: Callable[[int], bytes]) -> None:
        db.executescript(SCHEMA)
        self._db = db
        self._key = key
        self._draw = draw

    def plain(self, appid: str, now: float) -> ApiToken:
        """A new token; the one before ends in five minutes."""
        self._end_others(appid, False, now)
        return self._add(appid, stable=False, forced=False, now=now)

    def stable(self, appid: str, force: bool, now: float) -> ApiToken:
        """The token that there is, or a new one where that nears its end. Raises Failed.

        force: a new one all the same; the one before ends at once, as it may have leaked.
        """
        newest = self._db.execute(
            "SELECT salt, until FROM api_tokens WHERE appid = ? AND stable = 1 AND until > ?"
            " ORDER BY made DESC LIMIT 1",
            (appid, now + OVERLAP_S),
        ).fetchone()
        if newest is not None and not force:
            salt, until = newest
            return ApiToken(self._token(salt), int(until - now))
        if force:
            self._check_forced(appid, now)
            self._end_others(appid, True, now - OVERLAP_S)
        return self._add(appid, stable=True, forced=force, now=now)

    def appid_of(self, token: str, now: float) -> str:
        """The app that shows this token. Raises Failed."""
        if not _TOKEN.fullmatch(token):
            raise Failed(INVALID_ACCESS_TOKEN)
        row = self._db.execute(
            "SELECT appid, until, until < made + ? FROM api_tokens WHERE token_hash = ?",
            (TOKEN_S, _hash(token)),
        ).fetchone()
        if row is None:
            raise Failed(INVALID_CREDENTIAL)
        appid, until, replaced = row
        if now >= until:
            raise Failed(INVALID_CREDENTIAL if replaced else ACCESS_TOKEN_EXPIRED)
        return str(appid)

    def _check_forced(self, appid: str, now: float) -> None:
        [(today, last)] = self._db.execute(
            "SELECT count(*), max(made) FROM api_tokens"
            " WHERE appid = ? AND stable = 1 AND forced = 1 AND made > ?",
            (appid, now - _REMEMBERED_S),
        )
        if today >= FORCED_PER_DAY_MAX:
            raise Failed(DAILY_QUOTA)
        if last is not None and now < last + FORCED_APART_S:
            raise Failed(MINUTE_QUOTA)

    def _end_others(self, appid: str, stable: bool, now: float) -> None:
        self._db.execute(
            "UPDATE api_tokens SET until = min(until, ?) WHERE appid = ? AND stable = ?",
            (now + OVERLAP_S, appid, stable),
        )

    def _add(self, appid: str, *, stable: bool, forced: bool, now: float) -> ApiToken:
        self._db.execute("DELETE FROM api_tokens WHERE until <= ?", (now - _REMEMBERED_S,))
        salt = self._draw(32)
        token = self._token(salt)
        self._db.execute(
            "INSERT INTO api_tokens VALUES (?, ?, ?, ?, ?, ?, ?)",
            (_hash(token), appid, stable, salt, forced, now, now + TOKEN_S),
        )
        return ApiToken(token, TOKEN_S)

    def _token(self, salt: bytes) -> str:
        mac = hmac.digest(self._key, b"api token" + salt, "sha512")
        return urlsafe_b64encode(mac).decode().rstrip("=")


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
