"""Erasing a body, on every backend: gone wherever it was, and everything else as before."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from syncd import heading
from syncd.membership import Action, Change
from syncd.model import Identity, Kind, ReadRequest
from syncd.storage import ERASABLE, Damaged, NotErasable, Storage
from syncd.storage.check import check_file
from syncd.storage.database_file import DATABASE_NAME
from syncd.storage.erase import erase_body
from syncd.storage.sqlite import open_sqlite
from syncd.wire.codec import MsgpackCodec

from . import damage
from .stores import GROUP, contents, draft, make_store, send
from .works import ALICE, BOB, NOBODY, PHONE, page, populate

CODEC = MsgpackCodec()


async def read_bodies(storage: Storage, bytes_max: int = 1_000_000) -> list[bytes | None]:
    """Bodies of Bob's log, page by page, as a device reads them."""
    found: list[bytes | None] = []
    after = 0
    while (got := await page(storage, BOB, after, bytes_max)).to > after:
        count = got.to - after
        frame = CODEC.batch(after, got.to, got.entries, got.chain, got.head)
        entries = CODEC.decode_server(frame).entries  # type: ignore[union-attr]
        assert len(entries) == count
        found += [entry.body for entry in entries]
        after = got.to
    return found


@pytest.mark.parametrize("erased", [[1], [5], [3], [2, 3], [1, 2], [4, 5], [1, 2, 3, 4, 5]])
@pytest.mark.parametrize("bytes_max", [1, 150, 1_000_000])
async def test_an_erased_body_is_null_and_the_rest_is_as_it_was(
    storage: Storage, erased: list[int], bytes_max: int
) -> None:
    await send(storage, *(draft(number, b"body %d" % number) for number in range(1, 6)))
    before = await page(storage, BOB)
    for seq in erased:
        assert await storage.erase(ALICE, seq) == 2
    expected = [None if seq in erased else b"body %d" % seq for seq in range(1, 6)]
    assert await read_bodies(storage, bytes_max) == expected
    after = await page(storage, BOB)
    assert (after.chain, after.head, after.epoch) == (before.chain, before.head, before.epoch)
    await send(storage, draft(6, b"goes on"))
    assert await read_bodies(storage, bytes_max) == [*expected, b"goes on"]


async def test_a_log_is_trimmed_up_to_an_erased_entry_and_beyond(storage: Storage) -> None:
    await send(storage, *(draft(number, b"body %d" % number) for number in range(1, 6)))
    await storage.erase(BOB, 3)
    for before in (3, 4, 5):
        assert await storage.trim(BOB, before) == before - 1
        [got] = await storage.read([ReadRequest(BOB, before - 1, 1_000_000)])
        assert got.to == 5


async def test_only_the_logs_that_still_hold_it_count(storage: Storage) -> None:
    await send(storage, draft(1, b"one"), draft(2, b"two", conversation="alice~alice"))  # type: ignore[arg-type]
    await storage.trim(BOB, 2)
    assert await storage.erase(ALICE, 1) == 1
    assert await storage.erase(ALICE, 1) == 0, "it was erased already"
    assert await storage.erase(ALICE, 2) == 1


async def test_only_a_message_or_an_edit_has_a_body_to_erase(storage: Storage) -> None:
    create = Change(Action.CREATE, (ALICE, BOB))
    first = Identity(PHONE, 1)
    await send(
        storage,
        draft(1, b"one"),
        draft(2, b"better", kind=Kind.EDIT, target=first),
        draft(3, b"create", kind=Kind.SYSTEM, conversation=GROUP, change=create),
        draft(4, b"", kind=Kind.READ, target=first),
        draft(5, b"", kind=Kind.DELETE, target=first),
        draft(6, b"", kind=Kind.RECALL, target=first),
    )
    before = await page(storage)
    for seq, kind in ((3, Kind.SYSTEM), (4, Kind.READ), (5, Kind.DELETE), (6, Kind.RECALL)):
        with pytest.raises(NotErasable) as refused:
            await storage.erase(ALICE, seq)
        assert refused.value.kind == kind
    assert await page(storage) == before
    for seq, kind in ((1, Kind.MESSAGE), (2, Kind.EDIT)):
        assert kind in ERASABLE
        assert await storage.erase(ALICE, seq) == 2


@pytest.mark.parametrize(("account", "seq"), [(NOBODY, 1), (ALICE, 0), (ALICE, 3), (ALICE, -1)])
async def test_what_is_not_there_cannot_be_erased(storage: Storage, account: str, seq: int) -> None:
    await send(storage, draft(1, b"one"), draft(2, b"two"))
    with pytest.raises(KeyError):
        await storage.erase(account, seq)  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        await storage.edits(account, seq)  # type: ignore[arg-type]


async def test_edits_are_found_behind_the_message(storage: Storage) -> None:
    edit = {"kind": Kind.EDIT, "target": Identity(PHONE, 1)}
    await send(
        storage,
        draft(1, b"one"),
        draft(2, b"two"),
        draft(3, b"better", **edit),  # type: ignore[arg-type]
        draft(4, b"other", kind=Kind.EDIT, target=Identity(PHONE, 2)),
        draft(5, b"best", **edit),  # type: ignore[arg-type]
    )
    assert await storage.edits(ALICE, 1) == {3: Identity(PHONE, 3), 5: Identity(PHONE, 5)}
    assert await storage.edits(ALICE, 5) == {}
    await storage.erase(ALICE, 3)
    assert await storage.edits(ALICE, 1) == {5: Identity(PHONE, 5)}


def test_a_header_that_is_none_is_damage(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        damage.run(connection, "UPDATE entries SET header = x'00' WHERE log = 1 AND seq = 5")
        with pytest.raises(Damaged, match="the header of entry 5"):
            erase_body(connection, ALICE, 5)


async def test_the_bytes_leave_the_files_and_the_store_is_sound(tmp_path: Path) -> None:
    storage = await open_sqlite(tmp_path)
    await populate(storage)
    await send(storage, draft(1, b"kept"), draft(2, b"S3CRET" * 4_000), draft(3, b"S3CRET"))
    for seq in (2, 3):
        await storage.erase(ALICE, seq)
    assert [name for name, held in contents(tmp_path).items() if b"S3CRET" in held] == []
    report = check_file(tmp_path / DATABASE_NAME)
    assert report.sound, report.findings
    assert report.erased == 4
    await storage.close()


def test_the_marker_is_no_body_that_can_be_sent() -> None:
    assert heading.ERASED == b"\xc0"
    assert draft(1, b"").record.body != heading.ERASED
