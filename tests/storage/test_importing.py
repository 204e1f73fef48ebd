"""Importing an account: all of it goes on where it was, or nothing has happened."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd import errors
from syncd.model import Accepted, AccountId, Work, direct
from syncd.persons import Merged, Proof, Shown, SignedIn
from syncd.storage import Storage, StorageError
from syncd.storage.check import check_file
from syncd.storage.database_file import DATABASE_NAME
from syncd.storage.sqlite import SqliteStorage, open_sqlite
from syncd.storage.transfer import TransferRefused

from .reception import Visitors, hashed, subject
from .stores import draft, make_store, send
from .streams import exported, put_together, taken_apart
from .works import ALICE, BOB, LAPTOP, PHONE, PHONE_TOKEN, opened, opening, page, submission


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    written = folder / "alice.syncd"
    written.write_bytes(exported(make_store(folder)))
    return written


@pytest.fixture
def whole(stream: Path) -> bytes:
    return stream.read_bytes()


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    """A store in which Bob lives."""
    storage = await open_sqlite(tmp_path / "other")
    await storage.create_account(BOB)
    await storage.create_device(BOB, LAPTOP, "Bob's laptop", "pc", b"l" * 32)
    yield storage
    await storage.close()


async def test_an_account_goes_on_in_another_store(
    stream: Path, whole: bytes, other: SqliteStorage, tmp_path: Path
) -> None:
    done = await other.import_account(ALICE, stream)
    assert (done.entries, done.devices, done.floor, done.head) == (11, 2, 3, 14)
    assert check_file(tmp_path / "other" / DATABASE_NAME).sound
    got = await page(other, ALICE, 3)
    head, entries, *_ = taken_apart(whole)
    assert got.entries == b"".join(entry[1] + entry[3] for entry in entries[1])  # type: ignore[attr-defined]
    assert got.epoch != head[4]
    found = await other.device_by_token(PHONE_TOKEN)
    assert found is not None
    assert (found.device, found.sent, found.generation) == (PHONE, 13, 1)

    held = await opened(other, opening())
    assert held.cursor_outdated
    retried = submission(draft(13, b"last"), draft(14, b"new"), generation=held.generation)
    [outcomes] = (await other.commit(Work(submissions=(retried,)))).submissions
    assert outcomes == (Accepted(13, 14, True), Accepted(14, 15, False))
    assert check_file(tmp_path / "other" / DATABASE_NAME).sound


async def test_an_empty_account_may_be_filled_once(stream: Path, other: SqliteStorage) -> None:
    await other.create_account(ALICE)
    await other.import_account(ALICE, stream)
    with pytest.raises(TransferRefused, match="The account alice exists"):
        await other.import_account(ALICE, stream)


async def test_an_account_with_a_device_is_left_alone(stream: Path, other: SqliteStorage) -> None:
    await other.create_account(ALICE)
    await other.create_device(ALICE, PHONE, "new", "pc", b"p" * 32)
    with pytest.raises(TransferRefused, match="exists"):
        await other.import_account(ALICE, stream)
    assert (await page(other, ALICE)).head == 0


@pytest.mark.parametrize(("device", "token"), [(PHONE, b"p" * 32), ("7" * 24, PHONE_TOKEN)])
async def test_a_device_that_exists_elsewhere_is_left_alone(
    stream: Path, other: SqliteStorage, device: str, token: bytes
) -> None:
    await other.create_device(BOB, device, "known", "pc", token)  # type: ignore[arg-type]
    with pytest.raises(TransferRefused, match=f"Device {PHONE}, or its token, exists"):
        await other.import_account(ALICE, stream)
    assert await other.heads([ALICE]) == {}
    await send(other, draft(1, b"goes on", conversation="bob~bob", sender=(BOB, LAPTOP)))  # type: ignore[arg-type]


async def test_an_answer_that_names_anothers_entry_is_refused(
    whole: bytes, other: SqliteStorage, tmp_path: Path
) -> None:
    found = taken_apart(whole)
    found[2][11][-1][1] -= 1  # type: ignore[index]
    changed = tmp_path / "changed"
    changed.write_bytes(put_together(found))
    with pytest.raises(TransferRefused, match="which is another one's"):
        await other.import_account(ALICE, changed)
    assert await other.heads([ALICE, BOB]) == {BOB: 0}


async def test_a_broken_stream_leaves_nothing(
    stream: Path, whole: bytes, other: SqliteStorage, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    for content in (b"", whole[:-1], whole[: len(whole) // 2], whole + b"x"):
        broken.write_bytes(content)
        with pytest.raises(TransferRefused):
            await other.import_account(ALICE, broken)
    with pytest.raises(FileNotFoundError):
        await other.import_account(ALICE, tmp_path / "nothing")
    assert await other.heads([ALICE]) == {}
    await other.import_account(ALICE, stream)


async def test_a_full_disk_is_found_before_the_import(stream: Path, tmp_path: Path) -> None:
    full = await open_sqlite(tmp_path / "full", free_bytes_min=1 << 60)
    with pytest.raises(StorageError, match="almost full") as refused:
        await full.import_account(ALICE, stream)
    assert refused.value.definite
    await full.close()


PERSON, GUEST = AccountId(f"p{1:032x}"), AccountId(f"p{2:032x}")


async def merge(storage: Storage) -> None:
    visitors = Visitors(storage)
    await visitors.sign_in("person", "u1")
    guest = await visitors.sign_in("guest")
    await visitors.write(guest, direct(GUEST, GUEST))
    await storage.trim(GUEST, 2)
    await visitors.merge(GUEST, PERSON)


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """A folder with the streams of an account and of the guest that was merged into it."""
    database = make_store(tmp_path / "merged", merge)
    for account in (PERSON, GUEST):
        (tmp_path / account).write_bytes(exported(database, account))
    return tmp_path


async def test_what_signed_a_device_out_goes_along(merged: Path, other: SqliteStorage) -> None:
    await other.import_account(PERSON, merged / PERSON)
    [one, out] = await other.devices(PERSON)
    assert (one.ended, out.ended) == (None, errors.SIGNED_OUT_BY_MERGE)
    visitors = Visitors(other, first=100)
    stranger = await visitors.ask(Proof(subject("new")), Shown(out.device, hashed("secret 2")))
    assert isinstance(stranger, SignedIn)
    assert stranger.device != out.device, "its secret is known, and it is another person's"
    assert await other.people.subjects(PERSON) == [], "subjects are no part of an export"


async def test_what_a_guest_had_can_be_had_by_itself(merged: Path, other: SqliteStorage) -> None:
    await other.import_account(GUEST, merged / GUEST)
    assert (await page(other, GUEST)).head == 1
    assert await other.people.account_of(GUEST) == GUEST


async def test_an_alias_is_left_alone(stream: Path, other: SqliteStorage) -> None:
    await other.create_account(ALICE)
    assert isinstance(await Visitors(other).merge(ALICE, BOB), Merged)
    with pytest.raises(TransferRefused, match="merged into another one"):
        await other.import_account(ALICE, stream)
