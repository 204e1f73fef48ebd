"""Backups: of one moment, whole, checked, and never in the place of another file."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from syncd.storage import StoreRefused
from syncd.storage.backup import back_up
from syncd.storage.check import check_file
from syncd.storage.database_file import DATABASE_NAME
from syncd.storage.sqlite import open_sqlite

from . import damage
from .stores import contents, draft, fill, make_store, send


def test_a_backup_is_one_file_for_its_owner(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    before = store.read_bytes()
    target = tmp_path / "kept" / "monday"
    target.parent.mkdir()
    copied = back_up(store, target)
    assert (copied.path, copied.report.sound, copied.report.entries) == (target, True, 26)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert contents(target.parent).keys() == {"monday"}
    assert store.read_bytes() == before
    assert check_file(target).sound


async def test_a_backup_beside_a_server_that_goes_on_writing(tmp_path: Path) -> None:
    storage = await open_sqlite(tmp_path / "store")
    await fill(storage)
    copied = back_up(tmp_path / "store" / DATABASE_NAME, tmp_path / "copy")
    assert copied.report.sound
    await send(storage, draft(14, b"goes on"))
    later = back_up(tmp_path / "store" / DATABASE_NAME, tmp_path / "later")
    assert later.report.entries == copied.report.entries + 2
    await storage.close()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    target = tmp_path / "copy"
    target.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="copy exists; choose another name"):
        back_up(store, target)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        back_up(store, tmp_path / "link")
    assert target.read_bytes() == b"precious"
    assert {path.name for path in tmp_path.iterdir()} == {"store", "copy", "link"}


def test_a_copy_that_fails_its_check_is_kept_aside(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        damage.run(connection, "DELETE FROM entries WHERE seq = 9")
    copied = back_up(store, tmp_path / "copy")
    assert not copied.report.sound
    assert copied.path == tmp_path / "copy.damaged-1"
    assert {path.name for path in tmp_path.iterdir()} == {"store", "copy.damaged-1"}


def test_what_is_no_store_leaves_no_backup(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(StoreRefused):
        back_up(tmp_path / "other", tmp_path / "copy")
    with pytest.raises(FileNotFoundError, match=r"the folder .* does not exist"):
        back_up(make_store(tmp_path / "store"), tmp_path / "no folder" / "copy")
    assert {path.name for path in tmp_path.iterdir()} == {"store", "other"}
