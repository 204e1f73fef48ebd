"""A store's folder and its database file: who holds the folder, how the file is looked at without
writing, copied whole, and made durable under its name.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from syncd.storage import StoreRefused
from syncd.storage.migrate import migrations, version_of

DATABASE_NAME = "syncd.db"
LOCK_NAME = "lock"

Progress = Callable[[int, int], None]
"""Told every now and then how much is done, and of how much."""

_COPIED_PAGES = 2_000
"""Pages (4 KiB) between two reports of progress."""

_BUSY_TIMEOUT_S = 5.0
"""A server that starts or stops holds the file for a moment."""


def claim(folder: Path) -> int:
    """Lock the folder for this process, making it when there is none; the lock's descriptor.

    Raises StoreRefused when another process holds it, and OSError.
    """
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # another may make it just now
        sync_folder(folder.parent)
    lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise StoreRefused(f"the store in {folder} is in use by another process") from None
        raise
    return lock


def make_database(folder: Path) -> None:
    """Make the empty file of a database in the folder, for its owner alone, where there is none.
    SQLite would make it readable for all; the WAL inherits what it finds here."""
    os.close(os.open(folder / DATABASE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    sync_folder(folder)


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the database at `path` that can neither write nor checkpoint, in a
    transaction: everything that is read is one snapshot.

    A server may write meanwhile; its WAL grows while the snapshot is held. Raises sqlite3.Error and
    StoreRefused where `path` is no store of this program's schema.
    """
    place = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not path.with_name(path.name + "-wal").exists() and not _is_in_wal_mode(path):
        # Nobody writes such a file: a backup, which then needs no files beside it.
        place += "&immutable=1"
    connection = sqlite3.connect(place, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
    try:
        connection.execute("PRAGMA query_only = ON")
        _refuse_strangers(path, connection)
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def _is_in_wal_mode(path: Path) -> bool:
    """Whether the file's own header says that changes may lie in a WAL beside it."""
    try:
        with path.open("rb") as file:
            return file.read(20)[18:] == b"\x02\x02"
    except OSError as error:
        raise StoreRefused(f"{path} cannot be read: {error.strerror}") from None


def _refuse_strangers(path: Path, connection: sqlite3.Connection) -> None:
    newest, version = len(migrations()), version_of(connection)
    if version == 0:
        raise StoreRefused(f"{path} is no store of this program")
    if version != newest:
        raise StoreRefused(
            f"{path} has schema version {version}, this program reads version {newest};"
            " a server or a restore brings an older one there"
        )


def copy_database(source: Path, target: Path, told: Progress = lambda done, whole: None) -> None:
    """Copy the database at `source`, one snapshot of it, into the new file `target`, mode 0600.

    The copy is one file with nothing beside it, and durable. A server may run. Raises sqlite3.Error
    and OSError; then there is no `target`. FileExistsError where there was one before.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        place = f"file:{quote(str(source.absolute()))}?mode=ro"
        reading = sqlite3.connect(place, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
        writing = sqlite3.connect(target, isolation_level=None)
        try:
            # The file appears at once or never, so nothing in between need be durable.
            writing.execute("PRAGMA synchronous = OFF")
            # Held over the whole copy: without it every commit of a server would begin it anew.
            reading.execute("BEGIN")
            version_of(reading)
            reading.backup(
                writing,
                pages=_COPIED_PAGES,
                progress=lambda status, left, whole: told(whole - left, whole),
            )
            writing.execute("PRAGMA journal_mode = DELETE")
        finally:
            writing.close()
            reading.close()
        sync_file(target)
    except BaseException:
        remove_database(target)
        raise


def remove_database(path: Path) -> None:
    """Remove a database and what SQLite may have left beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def insist_on_new(path: Path) -> None:
    """Raises FileExistsError where something has this name, FileNotFoundError where no folder can
    hold it; either says so in a sentence of its own."""
    if os.path.lexists(path):
        raise FileExistsError(f"{path} exists; choose another name")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder {path.parent} does not exist")


def free_name(path: Path, word: str) -> Path:
    """A name beside `path` that nothing has: `path.word-1`, `path.word-2` ..."""
    number = 1
    while (found := path.with_name(f"{path.name}.{word}-{number}")).exists():
        number += 1
    return found


def sync_file(path: Path) -> None:
    """Make the file's content durable."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: a file is only as durable as its name."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
