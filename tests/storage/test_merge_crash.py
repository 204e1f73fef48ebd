"""A process that dies anywhere in a merge leaves the guest as it was, or merged completely.

What a merge writes is appended to the WAL, in order, and nothing else is touched: so whatever a
killed process leaves is the database beside a piece of that WAL, cut off somewhere.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from syncd.model import direct
from syncd.persons import Case
from syncd.storage.check import check_file
from syncd.storage.database_file import DATABASE_NAME
from syncd.storage.sqlite import open_sqlite
from syncd.storage.sqlite_connection import PAGE_BYTES

from .reception import SITE, Visitors, subject
from .works import BOB, populate

WAL = DATABASE_NAME + "-wal"
FRAME_BYTES = PAGE_BYTES + 24
WAL_HEADER_BYTES = 32


@pytest.fixture
async def killed(tmp_path: Path) -> tuple[Path, int, Visitors]:
    """The files of a store after a merge, as they lie there; the WAL's length before it."""
    storage = await open_sqlite(tmp_path / "running")
    await populate(storage)
    visitors = Visitors(storage)
    await visitors.sign_in("person", "u1")
    guest = await visitors.sign_in(subject("guest", SITE))
    await visitors.sign_in(subject("guest", SITE))
    for _ in range(60):
        await visitors.write(guest, direct(guest.account, BOB))
    before = (tmp_path / "running" / WAL).stat().st_size
    database = (tmp_path / "running" / DATABASE_NAME).read_bytes()
    done = await visitors.sign_in(subject("guest", SITE), "u1", on=guest.device, grant="code")
    assert done.case is Case.MERGED
    assert (tmp_path / "running" / DATABASE_NAME).read_bytes() == database
    shutil.copytree(tmp_path / "running", tmp_path / "killed")
    await storage.close()
    return tmp_path / "killed", before, visitors


def cut(killed: Path, folder: Path, length: int) -> Path:
    """What is left where the last byte written is this one of the WAL."""
    folder.mkdir()
    shutil.copy(killed / DATABASE_NAME, folder)
    (folder / WAL).write_bytes((killed / WAL).read_bytes()[:length])
    return folder / DATABASE_NAME


def dump(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return "\n".join(connection.iterdump())


def test_every_write_is_followed_by_all_of_it_or_nothing(
    killed: tuple[Path, int, Visitors], tmp_path: Path
) -> None:
    files, before, _ = killed
    whole = (files / WAL).stat().st_size
    nothing = dump(cut(files, tmp_path / "before", before))
    everything = dump(cut(files, tmp_path / "after", whole))
    assert nothing != everything
    assert (before - WAL_HEADER_BYTES) % FRAME_BYTES == 0
    assert whole - before > 10 * FRAME_BYTES
    for length in range(before, whole, FRAME_BYTES // 2):
        database = cut(files, tmp_path / str(length), length)
        assert dump(database) == nothing, f"cut off at {length} of {whole}"
    for folder in ("before", "after"):
        assert check_file(tmp_path / folder / DATABASE_NAME).sound


async def test_the_login_that_was_not_answered_is_done_once(
    killed: tuple[Path, int, Visitors], tmp_path: Path
) -> None:
    files, before, visitors = killed
    _, guest, _ = visitors.secrets
    logs = []
    for name, length, case in (("lost", before + 100, Case.MERGED), ("done", None, Case.RETURNED)):
        whole = (files / WAL).stat().st_size
        cut(files, tmp_path / name, whole if length is None else length)
        storage = await open_sqlite(tmp_path / name)
        visitors.move(storage)
        done = await visitors.sign_in(subject("guest", SITE), "u1", on=guest)
        assert (done.case, done.device) == (case, guest)
        log = await visitors.log(done.account)
        logs.append([entry for entry in log if entry.account])
        assert len({(entry.device, entry.number) for entry in log}) == len(log)
        await storage.close()
    assert logs[0] == logs[1]
