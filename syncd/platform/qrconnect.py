"""QR codes that log a PC in: opened by a browser, scanned and confirmed by one person.

What keeps a stranger out: the code at the end goes to the browser that opened the QR code and to
nobody else; the first person to scan it is the only one who may confirm; scanning alone does
nothing; it lives five minutes and leads to one code. identity.md 1.6, 5 #11.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable
from enum import IntEnum
from hashlib import sha256
from typing import NamedTuple

QR_LIFETIME_S = 300
QR_CODES_PER_MINUTE_MAX = 300
"""How many may be opened from one place: an office behind one address opens fewer, and whoever
wants to show them to strangers by the thousand is slowed down."""
_REMEMBERED_S = 3600
"""How long an expired QR code is said to have expired, rather than never to have been."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS qr_codes (
    uuid         TEXT PRIMARY KEY,
    browser_hash BLOB NOT NULL,
    appid        TEXT NOT NULL,
    place        TEXT NOT NULL,
    matching     TEXT NOT NULL,
    until        REAL NOT NULL,
    status       INTEGER NOT NULL,
    person       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS qr_codes_by_end ON qr_codes (until);
CREATE INDEX IF NOT EXISTS qr_codes_by_place ON qr_codes (place, until);
"""


class Status(IntEnum):
    """What a poll answers: `window.wx_errcode`."""

    CONFIRMED = 405
    SCANNED = 404
    CANCELLED = 403
    EXPIRED = 402
    WAITING = 408


class Opened(NamedTuple):
    """A QR code for a page. matching: the number that its phone must show too."""

    uuid: str
    matching: str


class Scanned(NamedTuple):
    """What the phone shows: who would log its person in, where, and the number of that page."""

    appid: str
    place: str
    matching: str


class Taken(NamedTuple):
    """A confirmed login, handed to its browser: now it needs a code."""

    appid: str
    person: str


class NotYours(Exception):
    """The QR code is unknown, expired, decided, or another person's to confirm."""


class TooMany(Exception):
    """More QR codes were opened from this place within a minute than anybody needs."""


class QrCodes:
    """QR codes in a database of the caller's. Its methods take the time as Unix seconds.

    Owed by the caller: a transaction around every call that writes, and its commit. draw: so many
    bytes of chance that nobody can guess. browser: a secret that only that browser keeps.
    """

    def __init__(self, db: sqlite3.Connection, draw: Callable[[int], bytes]) -> None:
        db.executescript(SCHEMA)
        self._db = db
        self._draw = draw

    def open(self, appid: str, browser: str, place: str, now: float) -> Opened:
        """A new QR code. Raises TooMany.

        place: where the page was asked for, as its person would know it.
        """
        self._db.execute("DELETE FROM qr_codes WHERE until <= ?", (now - _REMEMBERED_S,))
        [(recent,)] = self._db.execute(
            "SELECT count(*) FROM qr_codes WHERE place = ? AND until > ?",
            (place, now + QR_LIFETIME_S - 60),
        )
        if recent >= QR_CODES_PER_MINUTE_MAX:
            raise TooMany
        uuid = self._draw(12).hex()
        matching = f"{int.from_bytes(self._draw(8), 'big') % 10_000:04}"
        self._db.execute(
            "INSERT INTO qr_codes VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                uuid,
                _hash(browser),
                appid,
                place,
                matching,
                now + QR_LIFETIME_S,
                Status.WAITING,
            ),
        )
        return Opened(uuid, matching)

    def is_open(self, uuid: str, now: float) -> bool:
        """Whether this QR code can still lead somewhere."""
        query = "SELECT 1 FROM qr_codes WHERE uuid = ? AND until > ?"
        return self._db.execute(query, (uuid, now)).fetchone() is not None

    def status(self, uuid: str, browser: str, now: float) -> Status:
        """What a poll of this browser may know. Another browser's QR code has expired for it."""
        row = self._db.execute(
            "SELECT browser_hash, status FROM qr_codes WHERE uuid = ? AND until > ?", (uuid, now)
        ).fetchone()
        if row is None or not hmac.compare_digest(row[0], _hash(browser)):
            return Status.EXPIRED
        return Status(row[1])

    def take(self, uuid: str, browser: str, now: float) -> Taken | None:
        """The confirmed login, once: for the browser that opened it, which then has it no more."""
        taken = self._db.execute(
            "UPDATE qr_codes SET status = ? WHERE uuid = ? AND browser_hash = ? AND until > ?"
            " AND status = ? RETURNING appid, person",
            (Status.EXPIRED, uuid, _hash(browser), now, Status.CONFIRMED),
        ).fetchone()
        return taken and Taken(*taken)

    def scan(self, uuid: str, person: str, now: float) -> Scanned:
        """This person looks at it. The first who does is the only one; raises NotYours.

        After a refusal its person, and only that one, may scan it again.
        """
        scanned = self._db.execute(
            "UPDATE qr_codes SET status = ?, person = ? WHERE uuid = ? AND until > ?"
            " AND (status = ? OR status IN (?, ?) AND person = ?)"
            " RETURNING appid, place, matching",
            (
                Status.SCANNED,
                person,
                uuid,
                now,
                Status.WAITING,
                Status.SCANNED,
                Status.CANCELLED,
                person,
            ),
        ).fetchone()
        if scanned is None:
            raise NotYours
        return Scanned(*scanned)

    def confirm(self, uuid: str, person: str, now: float) -> None:
        """The person who scanned it agrees. Raises NotYours."""
        self._decide(uuid, person, Status.CONFIRMED, now)

    def cancel(self, uuid: str, person: str, now: float) -> None:
        """The person who scanned it refuses. Raises NotYours."""
        self._decide(uuid, person, Status.CANCELLED, now)

    def _decide(self, uuid: str, person: str, status: Status, now: float) -> None:
        decided = self._db.execute(
            "UPDATE qr_codes SET status = ? WHERE uuid = ? AND person = ? AND status = ?"
            " AND until > ?",
            (status, uuid, person, Status.SCANNED, now),
        )
        if not decided.rowcount:
            raise NotYours


def _hash(browser: str) -> bytes:
    return sha256(browser.encode()).digest()
