"""The commands that need no server's help: check, backup and export only read, and restore takes
the folder's lock.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from syncd.commands.outcome import (
    DAMAGED,
    DECLINED,
    DONE,
    UNREACHABLE,
    USAGE,
    CommandFailed,
    complain,
    note,
    progress,
    show,
)
from syncd.config import Config
from syncd.identity import words
from syncd.identity.words import Declined
from syncd.storage import StorageError, StoreRefused
from syncd.storage.backup import back_up
from syncd.storage.check import check_file
from syncd.storage.database_file import (
    DATABASE_NAME,
    free_name,
    insist_on_new,
    read_only,
    sync_file,
    sync_folder,
)
from syncd.storage.exporting import Exported, export_account
from syncd.storage.findings import Report
from syncd.storage.restore import DamagedCopy, restore


def care(given: argparse.Namespace, config: Config) -> int:
    """Run one of these commands; its exit status. Raises CommandFailed."""
    try:
        match given.command:
            case "check":
                return _check(given, config)
            case "backup":
                return _back_up(given, config)
            case "restore":
                return _restore(given, config)
            case "export":
                return _export(given, config)
    except StoreRefused as refused:
        raise CommandFailed(DECLINED, f"{refused}.") from None
    except Declined as declined:
        raise CommandFailed(DECLINED, str(declined)) from None
    except OSError as error:
        raise CommandFailed(DECLINED, _sentence(error)) from None
    except sqlite3.OperationalError as error:  # no room, no right: nothing about what is stored
        raise CommandFailed(UNREACHABLE, f"The store failed: {error}.") from None
    except (sqlite3.Error, StorageError) as error:
        raise CommandFailed(DAMAGED, f"The store cannot be read: {error}.") from None
    raise AssertionError(given.command)


def _sentence(error: OSError) -> str:
    if error.strerror is None:
        return f"{error}."  # a sentence of our own
    # Of two names the second is the one that could not be taken.
    place = error.filename2 or error.filename
    return f"{error.strerror}." if place is None else f"{error.strerror}: {place}."


def _store(config: Config) -> Path:
    found = config.data / DATABASE_NAME
    if not found.exists():
        raise CommandFailed(DECLINED, f"There is no store in {config.data}.")
    return found


# ------------------------------------------------------------ check


def _check(given: argparse.Namespace, config: Config) -> int:
    path = _store(config) if given.file is None else Path(given.file)
    report = check_file(path, quick=given.quick, told=progress("entries checked"))
    lines = [*_lines(report), f"{path}: {summary(report)}"]
    show(_facts(report), "\n".join(lines), as_json=given.json)
    return DONE if report.sound else DAMAGED


def _facts(report: Report) -> dict[str, Any]:
    return {
        "sound": report.sound,
        "logs": report.logs,
        "entries": report.entries,
        "erased": report.erased,
        "devices": report.devices,
        "findings": [{"where": each.where, "what": each.what} for each in report.findings],
        "unlisted": report.unlisted,
    }


def _lines(report: Report) -> list[str]:
    more = [f"and {report.unlisted} more"] if report.unlisted else []
    return [*map(str, report.findings), *more]


def summary(report: Report) -> str:
    """What a check has come to, in one line."""
    found = len(report.findings) + report.unlisted
    findings = "1 finding" if found == 1 else f"{found} findings"
    return (
        f"{report.logs} logs, {report.entries} entries ({report.erased} erased),"
        f" {report.devices} devices: {'sound' if report.sound else f'DAMAGED, {findings}'}"
    )


# ------------------------------------------------------------ backup and restore


def _back_up(given: argparse.Namespace, config: Config) -> int:
    copied = back_up(_store(config), Path(given.file), progress("pages copied"))
    facts = {"file": str(copied.path), **_facts(copied.report)}
    if copied.report.sound:
        note(f"{copied.path}: {summary(copied.report)}")
        show(facts, str(copied.path), as_json=given.json)
        return DONE
    for line in _lines(copied.report):
        note(line)
    if given.json:
        show(facts, "", as_json=True)
    return complain(
        DAMAGED, f"the copy is damaged, as the store may be; it is kept as {copied.path}"
    )


def _restore(given: argparse.Namespace, config: Config) -> int:
    source = Path(given.file)
    try:
        restored = restore(
            source,
            config.data,
            replace=given.replace,
            anyway=given.anyway,
            told=progress("pages copied"),
        )
    except DamagedCopy as damaged:
        for line in _lines(damaged.report):
            note(line)
        return complain(DAMAGED, f"{damaged}, so nothing was changed; --anyway restores it")
    newest = "none" if restored.newest_ms is None else _moment(restored.newest_ms)
    text = (
        f"{config.data}: {restored.accounts} accounts, {restored.entries} entries,"
        f" the newest of {newest}"
    )
    facts = {
        "accounts": restored.accounts,
        "entries": restored.entries,
        "newest_ms": restored.newest_ms,
        "replaced": None if restored.replaced is None else str(restored.replaced),
        "sound": restored.report.sound,
    }
    for line in _lines(restored.report):
        note(line)
    if restored.replaced is not None:
        note(f"what was there before is kept as {restored.replaced}")
    note(
        "every log has a new epoch: each device is told so, keeps what it holds, and sends again"
        " what was accepted from it after the copy was made; what no device holds any more is lost"
    )
    note("bodies that were erased after the copy was made are back: erase them again")
    show(facts, text, as_json=given.json)
    return DONE


def _moment(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        return f"{milliseconds} ms after 1970"


# ------------------------------------------------------------ export


def _export(given: argparse.Namespace, config: Config) -> int:
    account = words.account_id(given.account)
    with read_only(_store(config)) as connection:
        try:
            with _output(given.output) as stream:
                exported = export_account(
                    connection, account, stream.write, progress("entries written")
                )
        except KeyError:
            raise CommandFailed(DECLINED, "The account does not exist.") from None
    _tell_exported(given, exported)
    return DONE


def _tell_exported(given: argparse.Namespace, exported: Exported) -> None:
    note(
        f"{exported.entries} entries and {exported.devices} devices of {given.account};"
        " memberships of groups are not part of it"
    )
    if given.output is not None:
        facts = {
            "account": given.account,
            "file": given.output,
            "entries": exported.entries,
            "devices": exported.devices,
        }
        show(facts, given.output, as_json=given.json)


@contextmanager
def _output(name: str | None) -> Iterator[BinaryIO]:
    """Where the stream goes; a file appears when it is whole, and durable, or not at all."""
    if name is None:
        if sys.stdout.isatty():
            raise CommandFailed(USAGE, "The stream is no text: give --output, or redirect it.")
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            _let_go_of_standard_output()
            raise CommandFailed(
                DECLINED, "Whoever read the stream went away; it is cut off."
            ) from None
        return
    target = Path(name)
    insist_on_new(target)
    unfinished = free_name(target, "unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            yield stream
        sync_file(unfinished)
        os.link(unfinished, target)
        sync_folder(target.parent)
    finally:
        unfinished.unlink()


def _let_go_of_standard_output() -> None:
    """What is still in its buffer would be written, and fail again, when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
