"""What lies on a pretended disk, told without the server's own reading: for both kinds of disk."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random

import pytest

from client_sim.history import fingerprint
from client_sim.pretend.disk import Disk, LogState, MemoryDisk, StoredCursor, content, named
from client_sim.pretend.sqlite_disk import SqliteDisk
from syncd.model import (
    AccountId,
    CursorMark,
    CursorScope,
    DeviceId,
    Identity,
    OpeningRequest,
    ReadRequest,
    Submission,
    Work,
)
from syncd.storage import Storage
from syncd.wire.codec import pack_entry
from tests.client_sim.pretend.rooms import world
from tests.drafts import ALICE, BOB, PHONE, draft, message


@pytest.fixture(params=[MemoryDisk, SqliteDisk])
def disk(request: pytest.FixtureRequest) -> Iterator[Disk]:
    kind: Callable[[Random, CursorScope], Disk] = request.param
    with ExitStack() as stack:
        made = kind(Random(1), CursorScope.DEVICE)
        stack.callback(made.close)
        yield made


async def furnished(disk: Disk) -> Storage:
    """With two accounts and one device, whose session is open."""
    storage = disk.open()
    for account in (ALICE, BOB):
        await storage.create_account(account)
    await storage.create_device(ALICE, PHONE, "", "phone", b"hash")
    await storage.commit(Work(openings=(OpeningRequest(ALICE, PHONE, 1, "1" * 16, None),)))
    return storage


async def say(storage: Storage, *numbers: int) -> None:
    drafts = tuple(draft(number) for number in numbers)
    await storage.commit(Work(submissions=(Submission(PHONE, 1, drafts),)))


def state(disk: Disk, account: AccountId = ALICE) -> LogState:
    return next(log for log in disk.logs() if log.account == account)


def test_entries_are_told_as_records_name_them(disk: Disk) -> None:
    async def play() -> None:
        storage = await furnished(disk)
        await say(storage, 1, 2, 3)
        await storage.trim(ALICE, 2)

    world().loop.run_until_complete(play())
    assert [(log.account, log.floor, log.head) for log in disk.logs()] == [
        (ALICE, 1, 3),
        (BOB, 0, 3),
    ]
    assert [(seq, each[0]) for seq, each in disk.entries(ALICE, 2)] == [(3, f"{PHONE}#3")]
    assert [seq for seq, _ in disk.entries(BOB, 0)] == [1, 2, 3]


def test_a_cursor_is_told_with_its_generation(disk: Disk) -> None:
    async def play() -> None:
        storage = await furnished(disk)
        await say(storage, 1, 2)
        [nothing] = disk.cursors([PHONE])
        assert nothing == StoredCursor(PHONE, None, 0, 1)
        mark = CursorMark(ALICE, PHONE, 1, state(disk).epoch, 2)
        await storage.commit(Work(cursors=(mark,)))

    world().loop.run_until_complete(play())
    assert disk.cursors([PHONE]) == [StoredCursor(PHONE, state(disk).epoch, 2, 1)]


def test_a_backup_by_hand_has_its_old_epochs(disk: Disk) -> None:
    async def play() -> None:
        storage = await furnished(disk)
        await say(storage, 1)
        disk.back_up()
        before = state(disk)
        await say(storage, 2)
        disk.put_back()
        assert state(disk) == before
        await say(disk.open(), 2, 3)

    world().loop.run_until_complete(play())
    assert state(disk).head == 3


def test_a_restored_backup_has_new_epochs_and_generations(disk: Disk) -> None:
    async def play() -> None:
        storage = await furnished(disk)
        await say(storage, 1)
        disk.back_up()
        before = state(disk)
        for _ in range(2):
            disk.restore()
            assert state(disk).epoch != before.epoch
            assert state(disk).head == 1
        disk.open()

    world().loop.run_until_complete(play())
    [cursor] = disk.cursors([PHONE])
    assert cursor.generation == 2


def test_the_same_seed_gives_the_same_epochs() -> None:
    async def epochs(disk: Disk) -> list[LogState]:
        await furnished(disk)
        return disk.logs()

    memory, sqlite = (kind(Random(5), CursorScope.DEVICE) for kind in (MemoryDisk, SqliteDisk))
    found = [world().loop.run_until_complete(epochs(disk)) for disk in (memory, sqlite)]
    sqlite.close()
    assert found[0] == found[1]


def test_an_entry_is_told_by_its_identity_and_its_body() -> None:
    sent = message(3, b"hello")
    record = pack_entry(sent, ALICE, PHONE, 0)
    assert content(record.header, record.body) == (f"{PHONE}#3", fingerprint(b"hello"))
    assert content(record.header, b"\xc0") == (f"{PHONE}#3", None)
    assert named(Identity(DeviceId("a" * 24), 7)) == "a" * 24 + "#7"


def test_reading_goes_on_after_a_restart(disk: Disk) -> None:
    async def play() -> int:
        await say(await furnished(disk), 1)
        [page] = await disk.open().read([ReadRequest(ALICE, 0, 1000)])
        return page.to

    assert world().loop.run_until_complete(play()) == 1
