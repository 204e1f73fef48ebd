"""Whether a store is what it must be: every log from its floor to its head, and every row that
speaks of one; what is wrong, and where.

Reads only, from one snapshot, also a store that is damaged in any way. What nothing else in a store
repeats cannot be checked: a device's name, an epoch, who owns a group.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

from syncd import heading
from syncd.model import AccountId, CursorScope, Epoch, Identity, Seq
from syncd.storage import StoreRefused
from syncd.storage.check_log import check_log
from syncd.storage.check_people import check_people
from syncd.storage.database_file import Progress, read_only
from syncd.storage.findings import FINDINGS_MAX, UNREADABLE, Report
from syncd.storage.queries import load
from syncd.storage.sqlite_book import LogRow, find_log

_SQL = load("sqlite")


def check_file(
    path: Path, *, quick: bool = False, told: Progress = lambda done, whole: None
) -> Report:
    """Check the database file at `path`, while a server runs or not; nothing is written to it.

    quick: leave out comparing SQLite's indexes with their tables.
    told: how many entries were looked at, and of how many.

    Raises StoreRefused where the file cannot be opened or is no store of this program.
    """
    report = Report()
    try:
        with read_only(path) as connection:
            _check_store(connection, report, quick, told)
    except sqlite3.OperationalError as error:
        raise StoreRefused(f"{path} cannot be opened: {error}") from error
    except sqlite3.DatabaseError as error:
        stranger = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB
        report.add("database", f"it is no store: {error}" if stranger else str(error))
    return report


def _check_store(
    connection: sqlite3.Connection, report: Report, quick: bool, told: Progress
) -> None:
    parts: dict[str, Callable[[], None]] = {
        "database": lambda: _check_database(connection, report, quick),
        "references": lambda: _check_references(connection, report),
        "logs": lambda: _check_logs(connection, report, told),
        "copies": lambda: _check_copies(connection, report),
        "devices": lambda: _check_devices(connection, report),
        "answers": lambda: _check_answers(connection, report),
        "cursors": lambda: _check_cursors(connection, report),
        "marks": lambda: _check_marks(connection, report),
        "publications": lambda: _check_publications(connection, report),
        "people": lambda: check_people(connection, report),
    }
    for name, part in parts.items():
        try:
            part()
        except UNREADABLE as error:
            report.add(name, f"not everything can be read: {error}")


def _check_database(connection: sqlite3.Connection, report: Report, quick: bool) -> None:
    statement = "quick_check" if quick else "integrity_check"
    for (lines,) in connection.execute(f"PRAGMA {statement}({FINDINGS_MAX:d})"):
        if lines != "ok":
            for line in str(lines).splitlines():
                report.add("database", line)


def _check_references(connection: sqlite3.Connection, report: Report) -> None:
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        where = f"table {table}" if row is None else f"table {table}, row {row}"
        report.add(where, f"names a row of {parent} that does not exist")


# ------------------------------------------------------------ entries


def _check_logs(connection: sqlite3.Connection, report: Report, told: Progress) -> None:
    (whole,) = connection.execute(_SQL["check_size"]).fetchone()
    # Read at once, so that one log's damage does not end the walk over the others.
    for (number,) in connection.execute(_SQL["check_logs"]).fetchall():
        report.logs += 1
        where = f"log number {number}"
        try:
            log = LogRow(*connection.execute(_SQL["check_log"], (number,)).fetchone())
            where = f"log {log.account}"
            check_log(connection, log, report, lambda done: told(done, whole))
        except UNREADABLE as error:
            report.add(where, f"not everything can be read: {error}")


def _check_copies(connection: sqlite3.Connection, report: Report) -> None:
    rows = connection.execute(_SQL["check_copies"])
    for _, group in groupby(rows, lambda row: row[:2]):
        copies = list(group)
        if len(copies) > 1:
            _compare(copies, report)


def _compare(copies: list[tuple[Any, ...]], report: Report) -> None:
    """Two devices may share an index key, so what is compared is what has one header's identity.

    A body is compared by its hash: whether it has that hash was seen in its log.
    """
    first: dict[Identity, tuple[Any, ...]] = {}
    places: dict[tuple[Identity, AccountId], Seq] = {}
    for *_, header, body_hash, account, seq in copies:
        identity = heading.unpack(header).identity
        known = first.setdefault(identity, (header, body_hash, account, seq))
        if known[:2] != (header, body_hash):
            report.add(
                f"log {account}, entry {seq}",
                f"it differs from its copy, entry {known[3]} of {known[2]}",
            )
        place = places.setdefault((identity, account), seq)
        if place != seq:
            report.add(f"log {account}, entry {seq}", f"the same message is entry {place}, too")


# ------------------------------------------------------------ what speaks of them


def _check_devices(connection: sqlite3.Connection, report: Report) -> None:
    for device, sent, accepted, highest, remembered in connection.execute(_SQL["check_devices"]):
        report.devices += 1
        if sent != highest:
            report.add(
                f"device {device}",
                f"its highest number is {sent}, but {highest} is the last that was answered",
            )
        if remembered > accepted:
            report.add(f"device {device}", f"{remembered} answers, but {accepted} were given")


def _check_answers(connection: sqlite3.Connection, report: Report) -> None:
    for device, account, number, seq, floor, head, header in connection.execute(
        _SQL["check_answers"]
    ):
        where = f"device {device}, message {number}"
        if not 0 <= seq <= head:  # 0 stands for an entry that a merge did not bring along
            report.add(where, f"its answer names entry {seq}; the log of {account} ends at {head}")
        elif seq > floor and (header is None or not _is_of(header, device, number)):
            report.add(where, f"its answer names entry {seq} of {account}, which is another one")


def _is_of(header: bytes, device: str, number: int) -> bool:
    found = heading.unpack(header)
    return (found.device, found.number) == (device, number)


def _check_cursors(connection: sqlite3.Connection, report: Report) -> None:
    (scope,) = connection.execute(_SQL["meta"], ("cursor_scope",)).fetchone()
    for key, epoch, seq in connection.execute(_SQL["check_cursors"]).fetchall():
        log = _log_of_cursor(connection, CursorScope(scope), key)
        if log is None:
            report.add(f"cursor {key}", "nobody has it")
        elif epoch == log[0] and not 0 <= seq <= log[1]:
            report.add(f"cursor {key}", f"it stands at {seq}, its log ends at {log[1]}")


def _log_of_cursor(
    connection: sqlite3.Connection, scope: CursorScope, key: str
) -> tuple[Epoch, Seq] | None:
    """Epoch and head of the log that the cursor of `key` is a place in."""
    if scope is CursorScope.DEVICE:
        row: tuple[Epoch, Seq] | None = connection.execute(_SQL["check_cursor"], (key,)).fetchone()
        return row
    log = find_log(connection, AccountId(key.partition("/")[0]))
    return None if log is None else (log.epoch, log.head)


def _check_marks(connection: sqlite3.Connection, report: Report) -> None:
    for account, conversation, seq, head in connection.execute(_SQL["check_marks"]):
        if not 0 < seq <= head:
            report.add(
                f"log {account}, mark of {conversation}",
                f"it stands at {seq}, the log ends at {head}",
            )


def _check_publications(connection: sqlite3.Connection, report: Report) -> None:
    for publisher, key, account, seq, head in connection.execute(_SQL["check_publications"]):
        if not 0 < seq <= head:
            report.add(
                f"publication {key!r} of {publisher!r}",
                f"its answer names entry {seq}; the log of {account} ends at {head}",
            )
