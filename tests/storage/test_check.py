"""Checking a store: a sound one is found sound, and what is planted in a copy is found."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from syncd.storage import StorageError, StoreRefused
from syncd.storage.check import check_file
from syncd.storage.database_file import DATABASE_NAME
from syncd.storage.findings import Report
from syncd.storage.sqlite import open_sqlite

from . import damage
from .stores import contents, draft, fill, make_store, send, served
from .works import ALICE, BOB, PHONE

Plant = Callable[[str], Report]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def plant(sound: Path, tmp_path: Path) -> Plant:
    """Runs SQL over a copy of the sound store, and checks it."""

    def run(script: str) -> Report:
        copy = Path(shutil.copy(sound, tmp_path / DATABASE_NAME))
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            damage.run(connection, f"PRAGMA foreign_keys = OFF; {script};")
        return check_file(copy)

    return run


def test_a_sound_store_is_sound(sound: Path) -> None:
    for quick in (False, True):
        report = check_file(sound, quick=quick)
        assert report.sound, report.findings
        assert (report.logs, report.devices, report.erased) == (2, 3, 2)
        assert report.entries == 26


ALICES = "log = (SELECT log FROM logs WHERE account = 'alice')"


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        (f"DELETE FROM entries WHERE {ALICES} AND seq = 7", "log alice, entry 7: it is missing"),
        (
            f"DELETE FROM entries WHERE {ALICES} AND seq IN (4, 5)",
            "log alice, entries 4 to 5: they are missing",
        ),
        (f"DELETE FROM entries WHERE {ALICES} AND seq > 12", "log alice, entries 13 to 14: "),
        (
            f"UPDATE entries SET seq = -5 WHERE {ALICES} AND seq = 5;"
            f"UPDATE entries SET seq = 5 WHERE {ALICES} AND seq = 8;"
            f"UPDATE entries SET seq = 8 WHERE {ALICES} AND seq = -5",
            "log alice, entry 5: the chain does not continue",
        ),
        (
            f"UPDATE entries SET body = x'c50001ff' WHERE {ALICES} AND seq = 5",
            "log alice, entry 5: the chain does not continue",
        ),
        (
            f"UPDATE entries SET sum = sum + 1 WHERE {ALICES} AND seq = 5",
            "log alice, entry 5: its checksum does not fit",
        ),
        (
            f"UPDATE places SET number = 99 WHERE {ALICES} AND seq = 5",
            "log alice, entry 5: nothing says that it is message 5 of its device",
        ),
        (
            f"UPDATE entries SET chain = x'0000000000000000' WHERE {ALICES} AND seq = 5",
            "log alice, entry 5: the chain does not continue",
        ),
        (
            f"UPDATE entries SET header = x'00' WHERE {ALICES} AND seq = 5",
            "log alice, entry 5: its header cannot be read",
        ),
        (
            f"UPDATE erased SET body_hash = zeroblob(32) WHERE {ALICES}",
            "log alice, entry 6: the chain does not continue",
        ),
        (f"DELETE FROM erased WHERE {ALICES}", "log alice, entry 6: the hash of its erased"),
        (
            f"INSERT INTO erased SELECT log, 7, body_hash FROM erased WHERE {ALICES}",
            "log alice, entry 7: its body is noted as erased, and is there",
        ),
        (
            f"INSERT INTO erased SELECT log, 70, body_hash FROM erased WHERE {ALICES}",
            "log alice, entry 70: its body is noted as erased, but there is no such entry",
        ),
        (
            f"UPDATE entries SET arrival = 1 WHERE {ALICES} AND seq = 7",
            "log alice, entry 7: it arrived before its predecessor",
        ),
        (
            "UPDATE pages SET before = before + 1",
            "log alice, entry 4: its page begins with another checksum than the log has there",
        ),
        ("UPDATE logs SET head = head + 1", "log bob, entry 16: it is missing"),
        ("UPDATE logs SET head = head - 1", "log alice, entry 14: it lies outside"),
        ("UPDATE logs SET floor = 0", "log alice: it does not begin as every log does"),
        ("UPDATE logs SET floor_link = zeroblob(32)", "log alice, entry 4: the chain does not"),
        ("UPDATE logs SET floor_sum = 7", "log alice, entry 4: its checksum does not fit"),
        ("UPDATE logs SET head_link = zeroblob(32)", "log alice: its chain does not end"),
        ("UPDATE logs SET head_sum = 0", "log alice: its checksum does not end"),
        ("UPDATE logs SET epoch = x'00'", "log alice: its epoch has 1 bytes"),
        ("UPDATE logs SET account = 'a b' WHERE account = 'bob'", "log a b: its name is no"),
        ("UPDATE cursors SET seq = 15", f"cursor {PHONE}: it stands at 15, its log ends at 14"),
        ("UPDATE cursors SET key = 'nobody'", "cursor nobody: nobody has it"),
        (
            "UPDATE places SET seq = seq + 1 WHERE number = 5",
            f"device {PHONE}, message 5: its answer names entry 6 of alice, which is another one",
        ),
        ("UPDATE places SET seq = 99 WHERE number = 5", "its answer names entry 99; the log"),
        ("UPDATE devices SET sent = 14 WHERE sent = 13", f"device {PHONE}: its highest number is"),
        ("UPDATE devices SET accepted = 1", "13 answers, but 1 were given"),
        ("UPDATE marks SET seq = 99", "log bob, mark of alice~bob: it stands at 99, the log ends"),
        ("DELETE FROM conversations", "names a row of conversations that does not exist"),
        ("UPDATE members SET log = 77 WHERE owner = 1", "names a row of logs that does not exist"),
        (
            "INSERT INTO publications VALUES ('p', 'k', x'00', 1, 99, 1)",
            "publication 'k' of 'p': its answer names entry 99; the log of alice ends at 14",
        ),
        (
            "INSERT INTO entries SELECT log, 16, 1000, chain, sum, header, body FROM entries"
            " WHERE log = 2 AND seq = 8;"
            "UPDATE logs SET head = 16 WHERE log = 2",
            "log bob, entry 16: the same message is entry 8, too",
        ),
        ("UPDATE logs SET floor = 99", "log alice: its floor 99 and its head 14 cannot be"),
        ("DELETE FROM meta", "cursors: not everything can be read"),
    ],
)
def test_what_is_planted_is_found(plant: Plant, script: str, finding: str) -> None:
    report = plant(script)
    assert not report.sound
    assert finding in "\n".join(map(str, report.findings))


def test_copies_that_differ_are_found(plant: Plant) -> None:
    report = plant("UPDATE entries SET body = x'c50001ff' WHERE log = 2 AND seq = 8")
    where = [str(each) for each in report.findings]
    assert "log bob, entry 8: it differs from its copy, entry 8 of alice" in where


def test_one_flipped_bit_is_not_a_thousand_findings(plant: Plant) -> None:
    report = plant(
        f"UPDATE entries SET header = CAST(header || x'00' AS BLOB) WHERE {ALICES} AND seq = 5"
    )
    assert len(report.findings) <= 4, report.findings


@pytest.mark.parametrize("seed", range(4))
def test_whatever_bit_is_flipped_what_is_called_sound_is_served_as_it_was(
    sound: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    truth = served(sound.parent, ALICE, BOB)
    original = sound.read_bytes()
    found = 0
    for flip in range(60):
        folder = tmp_path / str(flip)
        folder.mkdir()
        copy = folder / DATABASE_NAME
        flipped = bytearray(original)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        copy.write_bytes(flipped)
        try:
            report = check_file(copy)
        except StoreRefused:
            found += 1
            continue
        if not report.sound:
            found += 1
            continue
        assert served(folder, ALICE, BOB) == truth
    assert found > 0


def test_what_a_check_finds_or_not_a_server_never_serves_damage(
    sound: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)
    truth = served(sound.parent, ALICE, BOB)
    original = sound.read_bytes()
    # The bodies and headers lie in the pages of entries; anything else is met by the test above.
    place = original.index(b"long long")
    for flip in range(10):
        folder = tmp_path / str(flip)
        folder.mkdir()
        flipped = bytearray(original)
        flipped[place + chance.randrange(1_000)] ^= 1 << chance.randrange(8)
        (folder / DATABASE_NAME).write_bytes(flipped)
        assert not check_file(folder / DATABASE_NAME).sound
        with pytest.raises(StorageError, match="damaged"):
            assert served(folder, ALICE, BOB) == truth


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 5000, 20_000])
def test_a_file_that_was_cut_off_is_found(sound: Path, tmp_path: Path, size: int) -> None:
    copy = tmp_path / DATABASE_NAME
    copy.write_bytes(sound.read_bytes()[:size])
    try:
        report = check_file(copy)
    except StoreRefused:
        return
    assert not report.sound


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused):
        check_file(tmp_path / "nothing")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(StoreRefused, match="no store of this program"):
        check_file(tmp_path / "other.db")
    (tmp_path / "text").write_bytes(b"no database " * 1000)
    assert [str(each) for each in check_file(tmp_path / "text").findings] == [
        "database: it is no store: file is not a database"
    ]


async def test_what_a_killed_server_left_in_its_wal_is_checked(tmp_path: Path) -> None:
    storage = await open_sqlite(tmp_path / "running")
    await fill(storage)
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal"):
        name = DATABASE_NAME + suffix
        shutil.copy(tmp_path / "running" / name, killed / name)
    await storage.close()
    report = check_file(killed / DATABASE_NAME)
    assert (report.sound, report.entries) == (True, 26)


async def test_a_damaged_journal_is_found_and_the_pages_are_checked_all_the_same(
    tmp_path: Path,
) -> None:
    storage = await open_sqlite(tmp_path / "running")
    await fill(storage)
    await send(storage, draft(14, b"only in the journal"))
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal"):
        name = DATABASE_NAME + suffix
        shutil.copy(tmp_path / "running" / name, killed / name)
    await storage.close()
    with closing(sqlite3.connect(killed / DATABASE_NAME, isolation_level=None)) as connection:
        [last] = connection.execute("SELECT max(number) FROM journal").fetchone()
        connection.execute("UPDATE journal SET sum = sum + 1 WHERE number = ?", (last,))
        report = check_file(killed / DATABASE_NAME)
    assert f"journal: row {last} of the journal is damaged; restore a backup" in [
        str(each) for each in report.findings
    ]
    assert report.logs == 2
    with pytest.raises(StoreRefused, match="journal"):
        await open_sqlite(killed)


async def test_a_check_beside_a_server_writes_nothing(tmp_path: Path) -> None:
    storage = await open_sqlite(tmp_path)
    await fill(storage)
    before = contents(tmp_path)
    assert check_file(tmp_path / DATABASE_NAME).sound
    after = contents(tmp_path)
    assert before.keys() == after.keys()
    for name in (DATABASE_NAME, DATABASE_NAME + "-wal"):
        assert before[name] == after[name]
    await send(storage, draft(14, b"goes on"))
    await storage.close()
