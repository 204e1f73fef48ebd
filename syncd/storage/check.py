"""Whether a store is what it must be: every log from its floor to its head, and every row that
speaks of one; what is wrong, and where.

Reads only, from one snapshot, also a store that is damaged in any way. What nothing else in a store
repeats cannot be checked: a device's name, an epoch, who owns a group.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from syncd.model import AccountId, CursorScope
from syncd.storage import StorageError, StoreRefused
from syncd.storage.check_log import check_log
from syncd.storage.check_messages import Messages
from syncd.storage.check_people import check_people
from syncd.storage.contents import Contents
from syncd.storage.database_file import Progress, read_only
from syncd.storage.findings import FINDINGS_MAX, UNREADABLE, Report
from syncd.storage.folding import load as load_journal
from syncd.storage.queries import load
from syncd.storage.sent_runs import misnamed
from syncd.storage.unfolded import LogRow, Unfolded

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
    contents = Contents(connection, _journal(connection, report))
    messages = Messages(report)
    parts: dict[str, Callable[[], None]] = {
        "database": lambda: _check_database(connection, report, quick),
        "references": lambda: _check_references(connection, report),
        "logs": lambda: _check_logs(contents, report, told, messages),
        "messages": lambda: messages.compare(contents),
        "runs": lambda: _check_runs(connection, report),
        "devices": lambda: _check_devices(connection, contents, report, messages),
        "cursors": lambda: _check_cursors(connection, contents, report),
        "marks": lambda: _check_marks(connection, contents, report),
        "publications": lambda: _check_publications(connection, contents, report),
        "people": lambda: check_people(connection, report),
    }
    try:
        for name, part in parts.items():
            try:
                part()
            except (*UNREADABLE, StorageError) as error:
                report.add(name, f"not everything can be read: {error}")
    finally:
        messages.close()


def _journal(connection: sqlite3.Connection, report: Report) -> Unfolded:
    try:
        return load_journal(connection)
    except (*UNREADABLE, StorageError) as error:
        # What the pages hold is checked all the same.
        report.add("journal", str(error))
        return Unfolded()


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


def _check_logs(contents: Contents, report: Report, told: Progress, messages: Messages) -> None:
    whole = 0
    for log in contents.every_log():
        whole += log.head - log.floor if isinstance(log.head, int) else 0
    for log in contents.every_log():
        report.logs += 1
        try:
            messages.know(log)
            check_log(contents, log, report, lambda done: told(done, whole), messages.see)
        except UNREADABLE as error:
            report.add(f"log {log.account}", f"not everything can be read: {error}")


# ------------------------------------------------------------ what speaks of them


def _check_runs(connection: sqlite3.Connection, report: Report) -> None:
    for device, first, last in misnamed(connection):
        report.add(f"device {device}", f"a run of its messages does not hold {first} to {last}")


def _check_devices(
    connection: sqlite3.Connection, contents: Contents, report: Report, messages: Messages
) -> None:
    for device, sent, accepted in connection.execute(_SQL["check_devices"]).fetchall():
        report.devices += 1
        highest, answers = messages.answers_of(device)
        stated = contents.sent(device, sent)
        if stated != highest:
            report.add(
                f"device {device}",
                f"its highest number is {stated}, but {highest} is the last that was answered",
            )
        given = accepted + contents.unfolded_answers(device)
        if answers > given:
            report.add(f"device {device}", f"{answers} answers, but {given} were given")


def _check_cursors(connection: sqlite3.Connection, contents: Contents, report: Report) -> None:
    (scope,) = connection.execute(_SQL["meta"], ("cursor_scope",)).fetchone()
    for key, epoch, seq in contents.every_cursor():
        log = _log_of_cursor(connection, contents, CursorScope(scope), key)
        if log is None:
            report.add(f"cursor {key}", "nobody has it")
        elif epoch == log.epoch and not 0 <= seq <= log.head:
            report.add(f"cursor {key}", f"it stands at {seq}, its log ends at {log.head}")


def _log_of_cursor(
    connection: sqlite3.Connection, contents: Contents, scope: CursorScope, key: str
) -> LogRow | None:
    """The log that the cursor of `key` is a place in."""
    account = key.partition("/")[0]
    if scope is CursorScope.DEVICE:
        row = connection.execute(_SQL["check_cursor"], (key,)).fetchone()
        if row is None:
            return None
        (account,) = row
    return contents.own_log(AccountId(account))


def _check_marks(connection: sqlite3.Connection, contents: Contents, report: Report) -> None:
    for account, conversation, seq, folded in connection.execute(_SQL["check_marks"]):
        head = contents.head(account, folded)
        if not 0 < seq <= head:
            report.add(
                f"log {account}, mark of {conversation}",
                f"it stands at {seq}, the log ends at {head}",
            )


def _check_publications(connection: sqlite3.Connection, contents: Contents, report: Report) -> None:
    for publisher, key, account, seq, folded in connection.execute(_SQL["check_publications"]):
        head = contents.head(account, folded)
        if not 0 < seq <= head:
            report.add(
                f"publication {key!r} of {publisher!r}",
                f"its answer names entry {seq}; the log of {account} ends at {head}",
            )
