"""A store of schema 3 comes through with all that it held: erased bodies, copies, answers."""

import sqlite3
from pathlib import Path

import pytest

from syncd import chain, checksum, heading
from syncd.heading import ERASED, Heading
from syncd.model import AccountId, CursorScope, DeviceId, Identity, ReadRequest, direct
from syncd.storage import old_rows
from syncd.storage.check import check_file
from syncd.storage.contents import Contents
from syncd.storage.folding import load
from syncd.storage.identities import sender_key
from syncd.storage.migrate import migrate, migrations, offer_functions
from syncd.storage.sqlite_connection import prepare_writer
from syncd.storage.sqlite_logs import read_pages
from syncd.storage.unfolded import Unfolded

from .works import ALICE, BOB, LAPTOP, PHONE

TWIN = DeviceId(PHONE[:16] + "0" * 8)
"""Shares the first 64 bits of its id, by which the old index found entries, with another device."""
FLOOR, ERASED_SEQ = 3, 7


def old_store(path: Path) -> sqlite3.Connection:
    """Two logs of schema 3 with the same 20 messages of three devices, in one transaction each."""
    connection = sqlite3.connect(path, isolation_level=None)
    offer_functions(connection)
    for step in migrations()[:3]:
        connection.executescript(step.script)
    connection.execute("PRAGMA user_version = 3")
    for number, device in enumerate((PHONE, TWIN, LAPTOP), 1):
        connection.execute(
            "INSERT INTO devices (id, device, log, name, platform, token_hash, credential,"
            " generation, instance, revoked, sent, accepted)"
            " VALUES (?, ?, ?, '', 'pc', ?, 1, 0, NULL, 0, ?, ?)",
            (number, device, 2 if device == LAPTOP else 1, device.encode(), *_sent(device)),
        )
    for log, account in ((1, ALICE), (2, BOB)):
        _fill(connection, log, account, FLOOR if log == 1 else 0)
    connection.execute("INSERT INTO meta VALUES ('cursor_scope', 'device')")
    connection.execute("INSERT INTO meta VALUES ('trimmed_at', '40')")
    return connection


def _sent(device: DeviceId) -> tuple[int, int]:
    numbers = [number for sender, number in MESSAGES if sender == device]
    return max(numbers), len(numbers)


MESSAGES = [((PHONE, TWIN, LAPTOP)[place % 3], place // 3 + 1) for place in range(20)]


def _fill(connection: sqlite3.Connection, log: int, account: AccountId, floor: int) -> None:
    link, total, ends = chain.GENESIS, checksum.START, (chain.GENESIS, checksum.START)
    rows, answers = [], []
    for seq, (device, number) in enumerate(MESSAGES, 1):
        sender = BOB if device == LAPTOP else ALICE
        shown = Heading(1, direct(ALICE, BOB), sender, device, number, None, 1_000 + seq)
        header, body = heading.pack(shown), b"\xc4\x02" + bytes([65 + seq]) * 2
        body_hash = chain.hash_of(body)
        link = chain.link(link, seq, header, body_hash)
        total = checksum.extend(total, header + body)
        if seq == floor:
            ends = (link, total)
        stored = ERASED if seq == ERASED_SEQ else body
        sealed = checksum.sealed(total, chain.shown(link))
        index = (sender_key(device), number, chain.shown(link), sealed)
        if seq > floor:
            rows.append((seq * 2 + log, log, seq, *index, header, body_hash, stored))
        if account == sender:
            owner = (PHONE, TWIN, LAPTOP).index(device) + 1
            answers.append((owner, number - 1, number, seq, bytes([number]) * 16))
    connection.execute(
        "INSERT INTO logs (log, account, epoch, floor, floor_link, head, head_link, floor_sum,"
        " head_sum) VALUES (?, ?, ?, ?, ?, 20, ?, ?, ?)",
        (log, account, bytes([log]) * 8, floor, ends[0], link, ends[1], total),
    )
    connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.executemany("INSERT INTO remembered VALUES (?, ?, ?, ?, ?)", answers)


def test_everything_is_there_and_found(tmp_path: Path) -> None:
    connection = old_store(tmp_path / "store.db")
    served = {
        account: b"".join(
            header + body
            for header, body in connection.execute(
                "SELECT header, body FROM entries WHERE log = ? ORDER BY seq", (log,)
            )
        )
        for log, account in ((1, ALICE), (2, BOB))
    }
    assert prepare_writer(connection, None) is CursorScope.DEVICE
    for account, floor in ((ALICE, FLOOR), (BOB, 0)):
        [page] = read_pages(connection, Unfolded(), [ReadRequest(account, floor, 100_000)])
        assert (page.to, page.entries) == (20, served[account])
    contents = Contents(connection, load(connection))
    for account, floor in ((ALICE, FLOOR), (BOB, 0)):
        log = contents.log(account)
        assert log is not None
        for seq, (device, number) in enumerate(MESSAGES, 1):
            wanted = seq if seq > floor else None
            assert contents.seq_of(log, Identity(device, number)) == wanted
    answered = contents.answered(TWIN, 1024)
    assert [item.content for item in answered.values()] == [bytes([n]) * 16 for n in answered]
    assert list(answered) == [number for device, number in MESSAGES if device == TWIN]
    assert contents.erased_hashes(log).keys() == {ERASED_SEQ}
    assert load(connection).arrival == 42
    connection.close()
    report = check_file(tmp_path / "store.db")
    assert report.sound, report.findings


def test_a_step_that_fails_leaves_the_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = old_store(tmp_path / "store.db")
    before = list(connection.iterdump())
    monkeypatch.setattr(old_rows, "_DROP", ("DROP TABLE nothing",))
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        migrate(connection)
    assert list(connection.iterdump()) == before
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


def test_what_is_missing_stays_missing(tmp_path: Path) -> None:
    connection = old_store(tmp_path / "store.db")
    connection.execute("DELETE FROM entries WHERE log = 2 AND seq = 9")
    migrate(connection)
    connection.close()
    found = [str(each) for each in check_file(tmp_path / "store.db").findings]
    assert "log bob, entry 9: it is missing" in found
