"""A copy of a whole store in one file, of one moment, made while a server runs or not.

The copy gets its name only when it is durable and was checked, so a file of that name is a backup
that can be restored. It holds all that the store holds: whoever reads it reads every message.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from syncd.storage import StorageError
from syncd.storage.check import check_file
from syncd.storage.database_file import (
    Progress,
    copy_database,
    free_name,
    insist_on_new,
    remove_database,
    sync_file,
    sync_folder,
)
from syncd.storage.findings import Report
from syncd.storage.folding import fold_all, load


@dataclass(frozen=True, slots=True)
class Copied:
    """Where the copy lies, and what the check says of it.

    A damaged copy is not where it was asked for: `path` then is a name beside it.
    """

    path: Path
    report: Report


def back_up(database: Path, target: Path, told: Progress = lambda done, whole: None) -> Copied:
    """Copy the store whose file is `database` to the new file `target`, for its owner alone.

    told: how many pages were copied, and of how many.

    Raises FileExistsError where `target` exists, FileNotFoundError where its folder does not,
    OSError, sqlite3.Error, and StoreRefused where `database` is no store; then there is nothing
    new.
    """
    insist_on_new(target)
    unfinished = free_name(target, "unfinished")
    copy_database(database, unfinished, told)
    try:
        _fold(unfinished)
        report = check_file(unfinished)
        place = target if report.sound else free_name(target, "damaged")
        # A link, unlike a renaming, never replaces a file that somebody made meanwhile.
        os.link(unfinished, place)
    except BaseException:
        remove_database(unfinished)
        raise
    unfinished.unlink()
    sync_folder(target.parent)
    return Copied(place, report)


def _fold(copy: Path) -> None:
    """What the store had in its journal moves into pages: the copy is made once and read often."""
    # What cannot be folded is found by the check.
    with (
        closing(sqlite3.connect(copy, isolation_level=None)) as connection,
        suppress(StorageError, sqlite3.Error),
    ):
        fold_all(connection, load(connection))
    sync_file(copy)
