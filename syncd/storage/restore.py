"""Puts a copy of a store in the place of a store.

The copy is made ready beside it and then takes its name in one step, so that a crash leaves the old
state or the new. Every log gets a new epoch, because its past may have changed, and every device a
new generation: what an old session still has under way is dropped.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from syncd import heading
from syncd.model import EPOCH_BYTES
from syncd.storage import Damaged, StoreRefused
from syncd.storage.check import check_file
from syncd.storage.database_file import (
    DATABASE_NAME,
    Progress,
    claim,
    copy_database,
    free_name,
    remove_database,
    sync_file,
    sync_folder,
)
from syncd.storage.findings import UNREADABLE, Report
from syncd.storage.folding import fold_all
from syncd.storage.folding import load as load_journal
from syncd.storage.migrate import migrate
from syncd.storage.pages import Run
from syncd.storage.queries import load
from syncd.storage.transaction import transact

_SQL = load("sqlite")


class DamagedCopy(Exception):
    """What was to be restored is damaged. `report` says how."""

    def __init__(self, path: Path, report: Report) -> None:
        super().__init__(f"{path} is damaged")
        self.report = report


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in place now."""

    accounts: int
    entries: int
    newest_ms: int | None
    """When the newest entry was taken, in milliseconds since 1970; None where that is unknown."""
    replaced: Path | None
    """Where the store lies that was there before; None where there was none."""
    report: Report


def restore(
    source: Path,
    folder: Path,
    *,
    replace: bool = False,
    anyway: bool = False,
    told: Progress = lambda done, whole: None,
    draw: Callable[[int], bytes] = os.urandom,
) -> Restored:
    """Make the copy in the file `source` the store of `folder`, which nobody may be using.

    replace: whether a store may be there already; it is kept under another name.
    anyway: whether a damaged copy is taken, too.
    draw: gives the random bytes of epochs.

    Raises StoreRefused, DamagedCopy, OSError, sqlite3.Error; then nothing has changed.
    """
    if not source.is_file():
        raise StoreRefused(f"there is no file {source}")
    there = folder / DATABASE_NAME
    lock = _claim(folder)
    try:
        if _holds_a_store(there) and not replace:
            raise StoreRefused(
                f"there is a store in {folder} already; --replace keeps it under another name"
            )
        if there.exists() and there.samefile(source):
            raise StoreRefused(f"{source} is the very store of {folder}")
        made = free_name(there, "restoring")
        try:
            _copy(source, made, told)
            report, accounts, newest = _make_ready(source, made, anyway, draw)
            replaced = _put_in_place(made, there)
        finally:
            remove_database(made)
    finally:
        os.close(lock)
    return Restored(accounts, report.entries, newest, replaced, report)


def _claim(folder: Path) -> int:
    try:
        return claim(folder)
    except StoreRefused as held:
        raise StoreRefused(f"{held}; stop the server first") from None


def _copy(source: Path, made: Path, told: Progress) -> None:
    try:
        copy_database(source, made, told)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise StoreRefused(f"{source} is no backup") from None
        raise


def _holds_a_store(database: Path) -> bool:
    # A process that died while it made a store leaves an empty file, which is none.
    return database.exists() and database.stat().st_size > 0


def _make_ready(
    source: Path, made: Path, anyway: bool, draw: Callable[[int], bytes]
) -> tuple[Report, int, int | None]:
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            raise StoreRefused(f"{source} is no backup: it is empty")
        migrate(connection)
    report = check_file(made)
    if not (report.sound or anyway):
        raise DamagedCopy(source, report)
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        _fold(connection)
        accounts = transact(connection, lambda within: _renew(within, draw))
        newest = _newest_ms(connection)
        # As every store is: a check that meets it before its server does must expect a writer.
        connection.execute("PRAGMA journal_mode = WAL")
    sync_file(made)
    return report, accounts, newest


def _fold(connection: sqlite3.Connection) -> None:
    # Of a damaged copy, which is wanted anyway, what comes before the damage. The report that its
    # owner gets names the row.
    with suppress(Damaged):
        fold_all(connection, load_journal(connection, anyway=True))
    connection.execute(_SQL["empty_journal"])


def _renew(connection: sqlite3.Connection, draw: Callable[[int], bytes]) -> int:
    logs = connection.execute(_SQL["check_logs"]).fetchall()
    connection.executemany(_SQL["renew_epoch"], [(draw(EPOCH_BYTES), log) for (log,) in logs])
    connection.execute(_SQL["renew_generations"])
    return len(logs)


def _newest_ms(connection: sqlite3.Connection) -> int | None:
    try:
        row = connection.execute(_SQL["newest_page"]).fetchone()
        if row is None:
            return None
        *_, newest = Run.of_row(*row).walk()
        return heading.unpack(newest.header).time
    except UNREADABLE:
        return None  # of a damaged copy that was wanted anyway


def _put_in_place(made: Path, there: Path) -> Path | None:
    replaced = _keep(there) if _holds_a_store(there) else None
    # In this order: a new database beside an old WAL would be taken for one store.
    for suffix in ("-wal", "-shm"):
        there.with_name(there.name + suffix).unlink(missing_ok=True)
    sync_folder(there.parent)
    made.replace(there)
    sync_folder(there.parent)
    return replaced


def _keep(there: Path) -> Path:
    """Give the store a second name, whole and in one file where it can still be read."""
    kept = free_name(there, "replaced")
    wal = there.with_name(there.name + "-wal")
    try:
        with closing(sqlite3.connect(there, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise StoreRefused(f"another command still reads {there}") from None
        # Nothing can read it any more: what is left of it is kept as it is.
    if wal.exists():
        os.link(wal, kept.with_name(kept.name + "-wal"))
    os.link(there, kept)
    sync_folder(there.parent)
    return kept
