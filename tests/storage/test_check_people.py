"""What login keeps is checked: a merged store is sound, and what is planted is found."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from syncd.storage import Storage
from syncd.storage.check import check_file
from syncd.storage.database_file import DATABASE_NAME

from .reception import SITE, Visitors, subject
from .stores import fill, make_store


async def populate(storage: Storage) -> None:
    await fill(storage)
    visitors = Visitors(storage)
    await visitors.sign_in("person", "u1")
    guest = await visitors.sign_in(subject("guest", SITE), grant="code")
    await visitors.sign_in(subject("guest", SITE))
    await visitors.sign_in(subject("guest", SITE), "u1", on=guest.device)


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("merged"), populate)


def test_a_merged_store_is_sound(merged: Path) -> None:
    report = check_file(merged)
    assert report.sound, report.findings


GUEST = "(SELECT log FROM logs WHERE merged_into IS NOT NULL)"


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        (f"UPDATE devices SET log = {GUEST}", "which was merged"),
        (f"UPDATE subjects SET log = {GUEST}", f"subject {SITE} guest: it belongs to p"),
        (f"UPDATE links SET log = {GUEST}", "link open u1: it belongs to p"),
        (f"INSERT INTO members VALUES (1, {GUEST}, 0)", "membership 1: it belongs to p"),
        ("UPDATE logs SET merged_into = log WHERE merged_into > 0", "merged into itself"),
        ("UPDATE logs SET standing = 'sitting'", "account alice: nobody stands as 'sitting'"),
        ("UPDATE devices SET ended = 'bored'", "nothing is signed out as 'bored'"),
        ("DELETE FROM subjects", "names a row of subjects that does not exist"),
        ("UPDATE logs SET merged_into = 99", "names a row of logs that does not exist"),
    ],
)
def test_what_is_planted_is_found(merged: Path, tmp_path: Path, script: str, finding: str) -> None:
    copy = Path(shutil.copy(merged, tmp_path / DATABASE_NAME))
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA foreign_keys = OFF; {script};")
    assert finding in "\n".join(map(str, check_file(copy).findings))
