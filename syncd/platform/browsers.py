"""Whose browser it is, and proof that a form comes from a page that this browser was shown."""

from __future__ import annotations

import hmac
import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

SCHEMA = """
CREATE TABLE IF NOT EXISTS browsers (
    browser_hash BLOB PRIMARY KEY,  -- of a ticket, until that is used
    person       TEXT NOT NULL,
    entered      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


class Browsers:
    """The browsers of people's phones, in a database of the caller's.

    A browser is known by a secret in a cookie. Owed by the caller: a transaction around every call
    that writes, and its commit. draw: so many bytes of chance that nobody can guess.
    """

    def __init__(self, db: sqlite3.Connection, draw: Callable[[int], bytes]) -> None:
        db.executescript(SCHEMA)
        self._db = db
        self._draw = draw

    def invite(self, person: str) -> str:
        """A ticket that makes one browser this person's. It may stand in a link: it works once."""
        ticket = self.stranger()
        self._db.execute("INSERT INTO browsers VALUES (?, ?, 0)", (_hash(ticket), person))
        return ticket

    def enter(self, ticket: str) -> str | None:
        """The secret of the browser that came with this ticket; None if it is used up, or none."""
        browser = self.stranger()
        entered = self._db.execute(
            "UPDATE browsers SET browser_hash = ?, entered = 1"
            " WHERE browser_hash = ? AND entered = 0",
            (_hash(browser), _hash(ticket)),
        )
        return browser if entered.rowcount else None

    def stranger(self) -> str:
        """The secret of a new browser that is nobody's, such as a PC's; it is not remembered."""
        return urlsafe_b64encode(self._draw(32)).decode().rstrip("=")

    def person_of(self, browser: str) -> str | None:
        """Whose browser this is, or None."""
        row = self._db.execute(
            "SELECT person FROM browsers WHERE browser_hash = ? AND entered = 1", (_hash(browser),)
        ).fetchone()
        return row and str(row[0])


def sealed(browser: str, text: str) -> str:
    """A form's hidden field: only `unsealed` with the same browser gives the text back.

    Other sites can make a browser send forms; they cannot make this, as they do not know it.
    """
    return f"{urlsafe_b64encode(text.encode()).decode()}.{_seal(browser, text)}"


def unsealed(browser: str, field: str) -> str | None:
    """The text of a field that this browser was given, or None."""
    encoded, _, seal = field.partition(".")
    try:
        text = urlsafe_b64decode(encoded).decode()
    except ValueError:
        return None
    genuine = hmac.compare_digest(seal.encode(), _seal(browser, text).encode())
    return text if browser and genuine else None


def _seal(browser: str, text: str) -> str:
    return hmac.digest(browser.encode(), text.encode(), "sha256").hex()


def _hash(browser: str) -> bytes:
    return sha256(browser.encode()).digest()
