"""How old entries are and what may go, in SQLite: small functions over a connection, one door.

They know nothing of the journal; `look`, which asks how old entries are, finds it folded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from syncd.limits import IDEMPOTENCY_WINDOW_DAYS
from syncd.model import AccountId, Seq
from syncd.persisted_clock import ClockReading
from syncd.storage.keeping import (
    KEYS_PER_CALL,
    LOGS_PER_LOOK,
    AccountKeep,
    AgeSample,
    Keep,
    Look,
    Trimming,
    arrived_by,
    floor_by_count,
    superfluous,
)
from syncd.storage.pages import stamp_at
from syncd.storage.queries import load
from syncd.storage.transaction import CHANGED, damaged, snapshot, transact
from syncd.storage.unfolded import Unfolded

Run: TypeAlias = Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]
"""Runs a function over one of the store's connections, on that connection's thread."""

_SQL = load("sqlite")
_DAY_MS = 24 * 60 * 60 * 1000


class SqliteKeeping:
    """The door of keeping.py over the two connections of a store. read_settled: reads when pages
    hold everything. tidy: called whenever the clock is noted, on the thread that writes."""

    def __init__(
        self,
        write: Run,
        read: Run,
        read_settled: Run,
        tidy: Callable[[sqlite3.Connection], None],
        unfolded: Unfolded,
        log_ahead: Path,
    ) -> None:
        self._write = write
        self._read = read
        self._read_settled = read_settled
        self._tidy = tidy
        self._unfolded = unfolded
        self._log_ahead = log_ahead

    async def saved_clock(self) -> ClockReading | None:
        found: ClockReading | None = await self._read(saved_clock)
        return found

    async def note(self, reading: ClockReading) -> None:
        await self._write(partial(note, unfolded=self._unfolded, reading=reading))
        await self._write(self._tidy)

    async def thin(self, clock_ms: int) -> None:
        await self._write(partial(thin, clock_ms=clock_ms))

    async def look(self, begin: int, clock_ms: int, default: Keep) -> Look:
        question = partial(look, begin=begin, clock_ms=clock_ms, default=default)
        found: Look = await self._read_settled(question)
        return found

    async def keep(self, account: AccountId, entries: int | None, age_ms: int | None) -> None:
        await self._write(partial(keep, account=account, entries=entries, age_ms=age_ms))

    async def kept_for(self, account: AccountId) -> AccountKeep:
        found: AccountKeep = await self._read(partial(kept_for, account=account))
        return found

    async def drop_keys(self, clock_ms: int) -> int:
        dropped: int = await self._write(partial(drop_keys, clock_ms=clock_ms))
        return dropped

    def log_ahead_bytes(self) -> int:
        try:
            return self._log_ahead.stat().st_size
        except FileNotFoundError:
            return 0


def saved_clock(connection: sqlite3.Connection) -> ClockReading | None:
    def find(within: sqlite3.Connection) -> ClockReading | None:
        row = within.execute(_SQL["saved_clock"]).fetchone()
        return None if row is None else ClockReading(*row)

    return snapshot(connection, find)


def note(connection: sqlite3.Connection, unfolded: Unfolded, reading: ClockReading) -> None:
    def write(within: sqlite3.Connection) -> None:
        within.execute(_SQL["save_meta"], ("clock_ms", str(reading.clock_ms)))
        within.execute(_SQL["save_meta"], ("wall_ms", str(reading.wall_ms)))
        arrival = unfolded.arrival
        within.execute(_SQL["add_sample"], (reading.clock_ms, arrival, arrival))

    transact(connection, write)


def thin(connection: sqlite3.Connection, clock_ms: int) -> None:
    def drop(within: sqlite3.Connection) -> None:
        dropped = superfluous(_samples(within), clock_ms)
        within.executemany(_SQL["drop_sample"], [(each.clock_ms,) for each in dropped])

    transact(connection, drop)


def look(connection: sqlite3.Connection, begin: int, clock_ms: int, default: Keep) -> Look:
    return snapshot(connection, lambda within: _look(within, begin, clock_ms, default))


def _look(connection: sqlite3.Connection, begin: int, clock_ms: int, default: Keep) -> Look:
    samples = _samples(connection)
    rows = connection.execute(_SQL["retained_logs"], (begin, LOGS_PER_LOOK)).fetchall()
    held, trimmings, damages = 0, [], []
    for log, account, floor, head, entries, age_ms in rows:
        held += head - floor
        new_floor = floor_by_count(floor, head, default.entries if entries is None else entries)
        kept_ms = default.age_ms if age_ms is None else age_ms
        if kept_ms:
            old = arrived_by(samples, clock_ms - kept_ms)
            try:
                new_floor = max(new_floor, _floor_by_age(connection, log, (floor, head), old))
            except CHANGED as error:
                damages.append(
                    str(damaged(account, f"a row does not hold what was stored: {error}"))
                )
        if new_floor > floor:
            trimmings.append(Trimming(account, floor, new_floor))
    following = rows[-1][0] + 1 if len(rows) == LOGS_PER_LOOK else None
    return Look(held, tuple(trimmings), following, tuple(damages))


def _floor_by_age(
    connection: sqlite3.Connection, log: int, bounds: tuple[Seq, Seq], old: int
) -> Seq:
    """The last of a log's entries that arrived no later than `old`: arrivals rise with the seqs."""
    low, high = bounds
    # The oldest is looked at first: most logs have nothing to drop, most of the time.
    middle = low + 1
    while low < high:
        stamp = stamp_at(connection, log, middle)
        if stamp is not None and stamp.arrival <= old:
            low = middle
        else:
            # A missing entry is damage; what is not known to be old is kept.
            high = middle - 1
        middle = (low + high + 1) // 2
    return low


def keep(
    connection: sqlite3.Connection, account: AccountId, entries: int | None, age_ms: int | None
) -> None:
    def write(within: sqlite3.Connection) -> None:
        if not within.execute(_SQL["keep"], (entries, age_ms, account)).rowcount:
            raise KeyError(account)

    transact(connection, write)


def kept_for(connection: sqlite3.Connection, account: AccountId) -> AccountKeep:
    def find(within: sqlite3.Connection) -> AccountKeep:
        row = within.execute(_SQL["kept_for"], (account,)).fetchone()
        if row is None:
            raise KeyError(account)
        return AccountKeep(*row)

    return snapshot(connection, find)


def drop_keys(connection: sqlite3.Connection, clock_ms: int) -> int:
    def drop(within: sqlite3.Connection) -> int:
        old = arrived_by(_samples(within), clock_ms - IDEMPOTENCY_WINDOW_DAYS * _DAY_MS)
        return within.execute(_SQL["drop_keys"], (old, KEYS_PER_CALL)).rowcount

    return transact(connection, drop)


def _samples(connection: sqlite3.Connection) -> list[AgeSample]:
    return [AgeSample(*row) for row in connection.execute(_SQL["samples"])]
