"""One SQLite transaction, and what a failure at each of its points means.

    BEGIN fails              nothing was written: definite
    the work inside fails    ROLLBACK; when that succeeds nothing was written: definite
    ROLLBACK fails           unknown
    COMMIT fails             unknown: the transaction may be found whole after a restart

After an unknown outcome the connection must not be used again.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from syncd import errors
from syncd.model import AccountId
from syncd.storage import Damaged, StorageError
from syncd.storage.queries import load

Result = TypeVar("Result")

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT)
"""No work of ours violates a constraint of the schema, but on top of rows that are wrong."""

CHANGED = (TypeError, ValueError, OverflowError, struct.error)
"""What is raised where a flipped bit in a row, or in its own description, has changed the type or
the size of a value."""

_SQL = load("sqlite")


def transact(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Result]
) -> Result:
    """Run `work` in one write transaction; durable when this returns.

    Whatever `work` raises is raised after a ROLLBACK, an error of SQLite as StorageError.
    """
    try:
        connection.execute(_SQL["begin_write"])
    except sqlite3.Error as error:
        raise definite(error) from error
    try:
        result = work(connection)
    except BaseException as error:
        _roll_back(connection)
        if isinstance(error, sqlite3.Error):
            raise definite(error) from error
        raise
    try:
        connection.execute(_SQL["commit"])
    except sqlite3.Error as error:
        raise StorageError(f"COMMIT failed: {error}", definite=False) from error
    return result


def snapshot(
    connection: sqlite3.Connection, question: Callable[[sqlite3.Connection], Result]
) -> Result:
    """Answer `question` from one consistent snapshot. It must only read."""
    try:
        connection.execute(_SQL["begin_read"])
        try:
            return question(connection)
        finally:
            _end(connection)
    except sqlite3.Error as error:
        raise definite(error) from error


def definite(error: sqlite3.Error) -> StorageError:
    """What an error means when it is certain that nothing was written."""
    # What Python itself cannot read of a row, text that is no UTF-8, has no code of SQLite's.
    unreadable = isinstance(error, sqlite3.OperationalError)
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT if unreadable else 0)
    if code & 0xFF in _DAMAGE:
        return Damaged(str(error))
    full = code == sqlite3.SQLITE_FULL
    refusal = errors.STORAGE_FULL if full else errors.BUSY
    return StorageError(str(error), definite=True, refusal=refusal)


@contextmanager
def believing() -> Iterator[None]:
    """Around what reads rows and makes something of them. Raises Damaged where they do not hold
    what was stored: whoever asked hears of it, and the process goes on."""
    try:
        yield
    except CHANGED as error:
        raise Damaged(f"a row does not hold what was stored: {error}") from error


def damaged(account: AccountId, what: str) -> Damaged:
    """A log that contradicts itself. Served or dropped in silence, the damage would spread."""
    return Damaged(f"the log of {account} is damaged: {what}")


def _roll_back(connection: sqlite3.Connection) -> None:
    try:
        _end(connection)
    except sqlite3.Error as error:
        raise StorageError(f"ROLLBACK failed: {error}", definite=False) from error


def _end(connection: sqlite3.Connection) -> None:
    # After some errors, a full disk among them, SQLite has rolled back by itself already.
    if connection.in_transaction:
        connection.execute(_SQL["roll_back"])
