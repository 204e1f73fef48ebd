"""session_key: the secret that an app shares with the platform about one person.

One is valid at a time; it lives longer the more it is used; wx.login replaces it, but not twice in
a short while. identity.md 1.2 and 1.3.
"""

from __future__ import annotations

import hmac
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple

from syncd.platform.errcodes import (
    INVALID_SIG_METHOD,
    INVALID_SIGNATURE,
    MINUTE_QUOTA,
    SESSION_KEY_EXPIRED,
    Failed,
)

SESSION_KEY_S = 3 * 86400
"""Since it was last used. The platform never told; three days is what clients have seen."""
REFRESH_MIN_S = 60
"""How old a key must be before wx.login replaces it."""
RESET_MIN_S = 10
"""How old a key must be before a reset replaces it again."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS session_keys (
    appid  TEXT NOT NULL,
    person TEXT NOT NULL,
    key    TEXT NOT NULL,   -- base64, as it is handed out
    made   REAL NOT NULL,
    reset  REAL,            -- when it replaced another one by a reset
    until  REAL NOT NULL,
    PRIMARY KEY (appid, person)
) STRICT, WITHOUT ROWID;
"""


class _Key(NamedTuple):
    text: str
    made: float
    reset: float | None
    until: float


class SessionKeys:
    """Session keys in a database of the caller's. Its methods take the time as Unix seconds.

    Owed by the caller: a transaction around every call, and its commit.
    """

    def __init__(self, db: sqlite3.Connection, draw: Callable[[int], bytes]) -> None:
        db.executescript(SCHEMA)
        self._db = db
        self._draw = draw

    def renew(self, appid: str, person: str, now: float) -> None:
        """The person's phone asked for a code."""
        key = self._find(appid, person, now)
        if key is None or now >= key.made + REFRESH_MIN_S:
            fresh = _Key(self._fresh(), now, None, now + SESSION_KEY_S)
            self._keep(appid, person, fresh)

    def forget(self, person: str) -> None:
        """The person ended: whoever comes back under that name shares no secret yet."""
        self._db.execute("DELETE FROM session_keys WHERE person = ?", (person,))

    def use(self, appid: str, person: str, now: float) -> str:
        """The key, which thereby lives longer. Raises Failed where there is none any more."""
        key = self._find(appid, person, now)
        if key is None:
            raise Failed(SESSION_KEY_EXPIRED)
        self._keep(appid, person, key._replace(until=now + SESSION_KEY_S))
        return key.text

    def check(self, appid: str, person: str, signature: str, method: str, now: float) -> None:
        """Whether the app still holds the valid key; raises Failed, if not.

        signature: hex of an HMAC over nothing, under the base64 text itself.
        """
        if method != "hmac_sha256":
            raise Failed(INVALID_SIG_METHOD)
        key = self._find(appid, person, now)
        expected = hmac.digest((key.text if key else "").encode(), b"", "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature.encode()) or key is None:
            raise Failed(INVALID_SIGNATURE)

    def reset(self, appid: str, person: str, now: float) -> str:
        """A new key that dies when the old one would have. Raises Failed when it comes too soon.

        Owed by the caller: a `check` that passed.
        """
        key = self._find(appid, person, now)
        if key is None:
            raise Failed(SESSION_KEY_EXPIRED)
        if key.reset is not None and now < key.reset + RESET_MIN_S:
            raise Failed(MINUTE_QUOTA)
        fresh = key._replace(text=self._fresh(), reset=now)
        self._keep(appid, person, fresh)
        return fresh.text

    def _fresh(self) -> str:
        return b64encode(self._draw(16)).decode()

    def _find(self, appid: str, person: str, now: float) -> _Key | None:
        row = self._db.execute(
            "SELECT key, made, reset, until FROM session_keys"
            " WHERE appid = ? AND person = ? AND until > ?",
            (appid, person, now),
        ).fetchone()
        return None if row is None else _Key(*row)

    def _keep(self, appid: str, person: str, key: _Key) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO session_keys VALUES (?, ?, ?, ?, ?, ?)", (appid, person, *key)
        )
