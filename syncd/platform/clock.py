"""The platform's clock: the machine's, moved forward by tests."""

from __future__ import annotations

import sqlite3
import time

_SCHEMA = "CREATE TABLE IF NOT EXISTS moves (id INTEGER PRIMARY KEY, forward_s REAL) STRICT"


class Clock:
    """Unix seconds. It never goes back: what has expired stays so, also in the next process.

    db: where its moves are kept; without one they end with the process.
    """

    def __init__(self, db: sqlite3.Connection | None = None) -> None:
        self._db = db
        self._ahead_s = 0.0
        if db is not None:
            with db:
                db.execute(_SCHEMA)
            [(self._ahead_s,)] = db.execute("SELECT coalesce(sum(forward_s), 0) FROM moves")

    def now(self) -> float:
        return time.time() + self._ahead_s

    def move(self, forward_s: float) -> None:
        """Owed by the caller: nothing negative."""
        self._ahead_s += forward_s
        if self._db is not None:
            with self._db:
                self._db.execute("INSERT INTO moves (forward_s) VALUES (?)", (forward_s,))
