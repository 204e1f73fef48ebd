"""What people allowed apps to know, and the tokens that stand for it.

No token is stored: a token is looked up by its hash, and the access token of a grant is made from
its refresh token, so that refreshing early can give the same one again (identity.md 1.5).
"""

from __future__ import annotations

import hmac
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

ACCESS_TOKEN_S = 7200
REFRESH_TOKEN_S = 30 * 86400
"""From the first grant: refreshing does not extend it."""
MOBILE_REFRESH_TOKEN_S = 180 * 86400

SCHEMA = """
CREATE TABLE IF NOT EXISTS grants (
    refresh_hash BLOB PRIMARY KEY,
    access_hash  BLOB NOT NULL UNIQUE,
    turn         INTEGER NOT NULL,  -- counts the access tokens that were made
    access_until REAL NOT NULL,
    until        REAL NOT NULL,     -- of the refresh token
    appid        TEXT NOT NULL,
    person       TEXT NOT NULL,
    openid       TEXT NOT NULL,
    scope        TEXT NOT NULL,
    snapshot     INTEGER NOT NULL,
    network      TEXT NOT NULL      -- where the refresh token was first given to
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grants_by_end ON grants (until);
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """An app may know this person, as `openid`, to the extent of `scope`."""

    appid: str
    person: str
    openid: str
    scope: str
    snapshot: bool = False
    network: str = ""


class Tokens(NamedTuple):
    """What a grant is used with. expires_in: seconds, of the access token."""

    access_token: str
    refresh_token: str
    expires_in: int = ACCESS_TOKEN_S

    def __repr__(self) -> str:
        return "Tokens()"


class Found(NamedTuple):
    """A grant that a token stood for, and whether that token has expired."""

    grant: Grant
    expired: bool


class Grants:
    """Grants in a database of the caller's. Its methods take the time as Unix seconds.

    Owed by the caller: a transaction around every call that writes, and its commit. draw: so many
    bytes of chance that nobody can guess.
    """

    def __init__(self, db: sqlite3.Connection, draw: Callable[[int], bytes]) -> None:
        db.executescript(SCHEMA)
        self._db = db
        self._draw = draw

    def add(self, grant: Grant, lifetime_s: float, now: float) -> Tokens:
        """A grant of its own for each code: what one device is given ends for no other."""
        self._db.execute("DELETE FROM grants WHERE until <= ?", (now - REFRESH_TOKEN_S,))
        refresh_token = _text(self._draw(64))
        access_token = _access_token(refresh_token, 0)
        self._db.execute(
            "INSERT INTO grants VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _hash(refresh_token),
                _hash(access_token),
                now + ACCESS_TOKEN_S,
                now + lifetime_s,
                grant.appid,
                grant.person,
                grant.openid,
                grant.scope,
                grant.snapshot,
                grant.network,
            ),
        )
        return Tokens(access_token, refresh_token)

    def allowed_by(self, access_token: str, now: float) -> Found | None:
        """What this access token stands for; None when it is none, or one that was replaced."""
        return self._find("access", access_token, now)

    def renewable_by(self, refresh_token: str, now: float) -> Found | None:
        """What this refresh token stands for, or None."""
        return self._find("refresh", refresh_token, now)

    def renew(self, refresh_token: str, now: float) -> Tokens:
        """The same access token, for longer; a new one if that had expired.

        Owed by the caller: a token for which `renewable_by` found a grant, not expired.
        """
        key = _hash(refresh_token)
        [(turn, access_until)] = self._db.execute(
            "SELECT turn, access_until FROM grants WHERE refresh_hash = ?", (key,)
        )
        turn += access_until <= now
        access_token = _access_token(refresh_token, turn)
        self._db.execute(
            "UPDATE grants SET turn = ?, access_hash = ?, access_until = ? WHERE refresh_hash = ?",
            (turn, _hash(access_token), now + ACCESS_TOKEN_S, key),
        )
        return Tokens(access_token, refresh_token)

    def _find(self, kind: str, token: str, now: float) -> Found | None:
        end = "until" if kind == "refresh" else "access_until"
        row = self._db.execute(
            f"SELECT appid, person, openid, scope, snapshot, network, {end} <= ?"
            f" FROM grants WHERE {kind}_hash = ?",
            (now, _hash(token)),
        ).fetchone()
        if row is None:
            return None
        appid, person, openid, scope, snapshot, network, expired = row
        grant = Grant(appid, person, openid, scope, bool(snapshot), network)
        return Found(grant, bool(expired))


def _access_token(refresh_token: str, turn: int) -> str:
    return _text(hmac.digest(refresh_token.encode(), b"access %d" % turn, "sha512"))


def _text(token: bytes) -> str:
    return urlsafe_b64encode(token).decode().rstrip("=")


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
