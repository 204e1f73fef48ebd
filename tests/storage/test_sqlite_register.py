"""The register in SQLite: what only files and index keys can do to a merge."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.model import Accepted, AccountId, DeviceId, Identity, direct
from syncd.persons import Case, Merging, SignedIn
from syncd.storage import Damaged
from syncd.storage.sqlite import SqliteStorage, open_sqlite
from syncd.storage.sqlite_register import SqliteRegister

from .reception import SITE, Visitors, hashed, subject
from .works import BOB, LAPTOP, populate


async def run(storage: SqliteStorage, script: str) -> None:
    def execute(connection: sqlite3.Connection) -> None:
        assert connection.execute(script).rowcount > 0

    await storage._run(storage._writer, execute)


@pytest.fixture
async def visitors(storage: SqliteStorage) -> Visitors:
    return Visitors(storage)


@pytest.fixture
async def guest(visitors: Visitors) -> SignedIn:
    """Four entries of one, and somebody that it will turn out to be."""
    await visitors.sign_in("person", "u1")
    guest = await visitors.sign_in(subject("guest", SITE))
    for _ in range(4):
        await visitors.write(guest, direct(guest.account, BOB))
    return guest


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    opened = await open_sqlite(tmp_path / "store")
    await populate(opened)
    yield opened
    await opened.close()


GUESTS = f"log = (SELECT log FROM logs WHERE account = 'p{2:032x}')"


@pytest.mark.parametrize(
    "script",
    [
        f"DELETE FROM entries WHERE {GUESTS} AND seq = 2",
        f"DELETE FROM entries WHERE {GUESTS} AND seq = 4",
        f"UPDATE entries SET header = x'00' WHERE {GUESTS} AND seq = 3",
        f"UPDATE entries SET body = x'00' WHERE {GUESTS} AND seq = 3",
        f"UPDATE entries SET body_hash = zeroblob(32) WHERE {GUESTS} AND seq = 3",
        f"UPDATE entries SET sum = -1 WHERE {GUESTS} AND seq = 3",
        f"UPDATE logs SET floor_link = x'00' WHERE {GUESTS}",
    ],
)
async def test_damage_stops_the_merge_and_not_the_login(
    storage: SqliteStorage, visitors: Visitors, guest: SignedIn, script: str
) -> None:
    await run(storage, script)
    done = await visitors.sign_in(subject("guest", SITE), "u1", on=guest.device)
    assert (done.case, done.account, done.device) == (Case.PENDING, guest.account, guest.device)
    [waiting] = await visitors.people.pending()
    assert (waiting.account, waiting.linked) == (guest.account, None)
    owner = await visitors.people.find(subject("person"))
    assert owner is not None
    assert await visitors.log(owner) == []
    with pytest.raises(Damaged):
        await visitors.people.merge(Merging(guest.account, owner, visitors.writer))
    assert await visitors.people.account_of(guest.account) == guest.account


async def test_devices_that_share_an_index_key_stay_two(
    storage: SqliteStorage, visitors: Visitors, guest: SignedIn
) -> None:
    person = await visitors.sign_in("person")
    twins = [DeviceId("a" * 16 + digit * 8) for digit in "123"]
    for owner, twin in zip((guest, person, person), twins, strict=True):
        await storage.create_device(owner.account, twin, "twin", "pc", hashed(twin))
        known = SignedIn(owner.account, twin, Case.RETURNED, new_device=False)
        done = await visitors.write(known, direct(owner.account, BOB))
        assert isinstance(done, Accepted)
    merged = await visitors.sign_in(subject("guest", SITE), "u1", on=guest.device)
    assert merged.merged is not None
    assert merged.merged.entries == 5
    log = [Identity(each.device, each.number) for each in await visitors.log(person.account)]
    assert {Identity(twin, 1) for twin in twins} <= set(log)
    assert len(log) == len(set(log))


async def test_a_long_log_is_merged_piece_by_piece(
    storage: SqliteStorage, visitors: Visitors, guest: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.storage.sqlite_register._GRAFT_ROWS", 3)
    bobs = SignedIn(BOB, LAPTOP, Case.RETURNED, new_device=False)
    for _ in range(10):
        await visitors.write(bobs, direct(guest.account, BOB))
    before = await visitors.log(guest.account)
    done = await visitors.sign_in(subject("guest", SITE), "u1", on=guest.device)
    assert (await visitors.log(done.account))[1:] == before


async def test_so_many_codes_are_remembered(
    visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.storage.sqlite_register.GRANTS_REMEMBERED", 3)
    for number in range(5):
        await visitors.sign_in(f"person {number}", grant=f"code {number}")
    ended = [await visitors.people.replayed(hashed(f"code {number}")) for number in range(5)]
    assert [each is not None for each in ended] == [False, False, True, True, True]


async def test_an_account_is_made_once(storage: SqliteStorage) -> None:
    def create(connection: sqlite3.Connection) -> None:
        SqliteRegister(connection).create_account(AccountId("bob"))

    with pytest.raises(KeyError):
        await storage._run(storage._writer, create)
