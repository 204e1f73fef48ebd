"""The register in SQLite: what only files, pages and the journal can do to a merge."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from syncd.heading import ERASED
from syncd.model import Accepted, AccountId, DeviceId, Identity, direct
from syncd.persons import Case, Merging, SignedIn
from syncd.storage import Damaged
from syncd.storage.folding import fold_all, load
from syncd.storage.pages import STAMP, Entry, runs
from syncd.storage.sqlite import SqliteStorage, open_sqlite
from syncd.storage.sqlite_register import SqliteRegister

from .reception import SITE, Visitors, hashed, subject
from .works import BOB, LAPTOP, populate

Damage = Callable[[sqlite3.Connection, int], sqlite3.Cursor]


async def harm(storage: SqliteStorage, account: AccountId, damage: Damage) -> None:
    """Damage the pages of an account's log."""

    def execute(connection: sqlite3.Connection) -> None:
        fold_all(connection, storage._unfolded)
        (log,) = connection.execute(LOG, (account,)).fetchone()
        assert damage(connection, log).rowcount > 0

    await storage._run(storage._writer, execute)


LOG = "SELECT log FROM logs WHERE account = ?"


def runs_as(change: str) -> Damage:
    """A statement about that log."""
    return lambda connection, log: connection.execute(change, (log,))


def page_with(seq: int, field: str, value: object) -> Damage:
    """The page says something else of one entry."""

    def damage(connection: sqlite3.Connection, log: int) -> sqlite3.Cursor:
        [run] = runs(connection, log, 0)
        entries = [
            each
            if each.seq != seq
            else each._replace(**{field: value})
            if field in Entry._fields
            else each._replace(stamp=each.stamp._replace(**{field: value}))
            for each in run.walk()
        ]
        stamps = b"".join(STAMP.pack(*each.stamp) for each in entries)
        written = b"".join(each.header + each.body for each in entries)
        change = "UPDATE pages SET stamps = ?, entries = ? WHERE log = ?"
        return connection.execute(change, (stamps, written, log))

    return damage


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


@pytest.mark.parametrize(
    "damage",
    [
        runs_as("DELETE FROM pages WHERE log = ?"),
        runs_as("UPDATE pages SET last = last - 1 WHERE log = ?"),
        runs_as("UPDATE pages SET last = last + 1 WHERE log = ?"),
        runs_as("UPDATE pages SET before = before + 1 WHERE log = ?"),
        runs_as("UPDATE pages SET stamps = substr(stamps, 1, 52) WHERE log = ?"),
        runs_as("UPDATE pages SET entries = zeroblob(length(entries)) WHERE log = ?"),
        runs_as(f"UPDATE logs SET floor_link = x'{'01' * 32}' WHERE log = ?"),
        runs_as("UPDATE logs SET floor_sum = 1 WHERE log = ?"),
        runs_as("UPDATE logs SET head = head + 1 WHERE log = ?"),
        page_with(3, "chain", bytes(8)),
        page_with(3, "sealed", 7),
        page_with(3, "size", 2**31),
        page_with(3, "header_size", 1),
        page_with(3, "body", b"\xc4\x05other"),
        page_with(3, "body", ERASED),
        page_with(4, "body", ERASED),
    ],
    ids=[
        "no page",
        "a page too early",
        "a page too late",
        "the checksum before it",
        "stamps too few",
        "no entry",
        "the floor's link",
        "the floor's checksum",
        "a head too far",
        "a chain",
        "a checksum",
        "a size",
        "the size of a header",
        "a body",
        "an erased body without its hash",
        "an erased body without its hash, the last one",
    ],
)
async def test_damage_stops_the_merge_and_not_the_login(
    storage: SqliteStorage, visitors: Visitors, guest: SignedIn, damage: Damage
) -> None:
    await harm(storage, guest.account, damage)
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


async def test_devices_whose_ids_begin_alike_stay_two(
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


@pytest.mark.parametrize("pages", ["none", "some", "all"])
async def test_a_log_is_merged_out_of_pages_and_journal(
    storage: SqliteStorage, visitors: Visitors, guest: SignedIn, pages: str
) -> None:
    bobs = SignedIn(BOB, LAPTOP, Case.RETURNED, new_device=False)
    for count in (5, 5):
        for _ in range(count):
            await visitors.write(bobs, direct(guest.account, BOB))
        if pages != "none":
            await storage.trim(BOB, 1)  # folds
    if pages == "some":
        await visitors.write(guest, direct(guest.account, BOB))
    before = await visitors.log(guest.account)
    done = await visitors.sign_in(subject("guest", SITE), "u1", on=guest.device)
    assert (await visitors.log(done.account))[1:] == before
    # Who was killed then comes back with the same.
    reread = await storage._run(storage._reader, load)
    assert reread.tails[done.account].entries == storage._unfolded.tails[done.account].entries


async def test_an_erased_body_is_merged_with_its_hash(
    storage: SqliteStorage, visitors: Visitors, guest: SignedIn
) -> None:
    assert await storage.erase(guest.account, 2) == 2
    done = await visitors.sign_in(subject("guest", SITE), "u1", on=guest.device)
    assert [entry.body for entry in (await visitors.log(done.account))[2:4]] == [
        None,
        b"message",
    ]
    before = len(await visitors.log(done.account))
    # Trimming walks the chain, which the hash is part of; folding comes first.
    assert await storage.trim(done.account, before + 1) == before


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
        SqliteRegister(connection, storage._unfolded).create_account(AccountId("bob"))

    with pytest.raises(KeyError):
        await storage._run(storage._writer, create)
