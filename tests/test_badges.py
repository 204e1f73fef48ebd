"""Badges: unread counts out of the store, cold, warm, trimmed, and over a log that was replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from syncd.badges import Badges
from syncd.model import (
    Accepted,
    AccountId,
    DeviceId,
    Draft,
    Identity,
    Intent,
    Kind,
    Page,
    ReadRequest,
    Submission,
    Work,
    direct,
)
from syncd.persons import Merged, Merging
from syncd.server.notices import NoticeWriter
from syncd.storage import Storage
from syncd.storage.memory import MemoryStorage
from syncd.storage.people import People
from syncd.storage.sqlite import open_sqlite
from syncd.wire.codec import content_of, pack_entry
from syncd.wire.frames import Message
from tests.drafts import ALICE, BOB, CAROL, LAPTOP, PHONE

TALK = direct(ALICE, BOB)
CAROLS = DeviceId("c" * 24)


@pytest.fixture(name="storage", params=["memory", "sqlite"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    memory = request.param == "memory"
    made: Storage = MemoryStorage() if memory else await open_sqlite(tmp_path)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(made.close)
        yield await populated(made)


async def populated(storage: Storage) -> Storage:
    for account, device in ((ALICE, PHONE), (BOB, LAPTOP), (CAROL, CAROLS)):
        assert await storage.create_account(account)
        await storage.create_device(account, device, "", "", device.encode())
    return storage


def draft(account: AccountId, device: DeviceId, message: Message) -> Draft:
    record = pack_entry(message, account, device, 0)
    intent = Intent(Kind(message.kind), message.conversation, message.target)
    content = content_of(message, record)
    return Draft(account, device, message.number, content, intent, record)


async def say(
    storage: Storage,
    account: AccountId,
    device: DeviceId,
    numbers: Sequence[int],
    kind: Kind = Kind.MESSAGE,
    target: Identity | None = None,
) -> None:
    """A device sends messages under these numbers to the other one of alice and bob."""
    conversation = TALK if account != CAROL else direct(ALICE, CAROL)
    drafts = tuple(
        draft(account, device, Message(number, kind, conversation, target, b"hello"))
        for number in numbers
    )
    done = await storage.commit(Work(submissions=(Submission(device, 0, drafts),)))
    [outcomes] = done.submissions
    assert isinstance(outcomes, tuple)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes), outcomes


async def test_it_counts_what_the_log_holds(storage: Storage) -> None:
    badges = Badges(storage)
    assert await badges.unread(ALICE) == {}
    await say(storage, BOB, LAPTOP, [1, 2, 3])
    await say(storage, CAROL, CAROLS, [1])
    assert await badges.unread(ALICE) == {TALK: 3, direct(ALICE, CAROL): 1}
    assert await badges.unread(BOB) == {}


async def test_it_goes_on_where_it_stands(storage: Storage) -> None:
    badges = Badges(storage)
    for number in range(1, 4):
        await say(storage, BOB, LAPTOP, [number])
        assert await badges.unread(ALICE) == {TALK: number}
    await say(storage, ALICE, PHONE, [1], Kind.READ, Identity(LAPTOP, 2))
    assert await badges.unread(ALICE) == {TALK: 1}
    await say(storage, BOB, LAPTOP, [4], Kind.RECALL, Identity(LAPTOP, 3))
    assert await badges.unread(ALICE) == await Badges(storage).unread(ALICE) == {}


async def test_a_merge_is_counted_by_old_folds_and_new_ones(storage: Storage) -> None:
    """What carol said is alice's own then, and whoever asks for carol asks for alice."""
    badges = Badges(storage)
    await say(storage, BOB, LAPTOP, [1, 2])
    await say(storage, CAROL, CAROLS, [1])
    assert await badges.unread(ALICE) == {TALK: 2, direct(ALICE, CAROL): 1}
    assert await badges.unread(CAROL) == {}
    merged = await storage.people.merge(Merging(CAROL, ALICE, NoticeWriter()))
    assert isinstance(merged, Merged)
    for asked in (badges, Badges(storage)):
        assert await asked.unread(ALICE) == await asked.unread(CAROL) == {TALK: 2}


async def test_whom_nobody_knows_has_no_counts(storage: Storage) -> None:
    with pytest.raises(KeyError):
        await Badges(storage).unread(AccountId("nobody"))


async def test_a_long_log_takes_many_pages(storage: Storage) -> None:
    await say(storage, BOB, LAPTOP, range(1, 4001))
    await say(storage, BOB, LAPTOP, range(4001, 8001))
    assert await Badges(storage).unread(ALICE) == {TALK: 8000}


async def test_what_retention_drops_counts_no_more(storage: Storage) -> None:
    badges = Badges(storage)
    await say(storage, BOB, LAPTOP, range(1, 6))
    assert await badges.unread(ALICE) == {TALK: 5}
    await storage.trim(ALICE, 3)
    assert await badges.unread(ALICE) == {TALK: 3}
    await say(storage, BOB, LAPTOP, [6, 7])
    await storage.trim(ALICE, 7)
    assert await badges.unread(ALICE) == {TALK: 1}, "the floor passed the fold"
    await storage.trim(ALICE, 8)
    assert await badges.unread(ALICE) == await Badges(storage).unread(ALICE) == {}
    await say(storage, BOB, LAPTOP, [8])
    assert await badges.unread(ALICE) == {TALK: 1}


async def test_calls_at_once_share_one_fold(storage: Storage) -> None:
    badges = Badges(storage)
    await say(storage, BOB, LAPTOP, range(1, 4001))
    calls = [badges.unread(ALICE) for _ in range(20)]
    assert await asyncio.gather(*calls) == [{TALK: 4000}] * 20


async def test_a_call_that_is_given_up_harms_no_other(storage: Storage) -> None:
    badges = Badges(storage)
    await say(storage, BOB, LAPTOP, range(1, 4001))
    first = asyncio.ensure_future(badges.unread(ALICE))
    second = asyncio.ensure_future(badges.unread(ALICE))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == {TALK: 4000}


async def test_an_unknown_account_is_told_apart_and_not_kept(storage: Storage) -> None:
    badges = Badges(storage, folds_max=1)
    await say(storage, BOB, LAPTOP, [1])
    assert await badges.unread(ALICE) == {TALK: 1}
    with pytest.raises(KeyError):
        await badges.unread(AccountId("nobody"))
    assert await badges.unread(ALICE) == {TALK: 1}


@pytest.mark.parametrize("bounds", [{"folds_max": 1}, {"entries_max": 3}, {"entries_max": 1}])
async def test_what_does_not_fit_is_counted_all_the_same(
    storage: Storage, bounds: dict[str, int]
) -> None:
    badges = Badges(storage, **bounds)
    await say(storage, BOB, LAPTOP, [1, 2, 3])
    for _ in range(3):
        assert await badges.unread(ALICE) == {TALK: 3}
        assert await badges.unread(BOB) == {}
    assert await asyncio.gather(badges.unread(ALICE), badges.unread(BOB)) == [{TALK: 3}, {}]


class Replaced:
    """The reading side of a store whose files may be replaced by another's, as by a restore."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.asked: list[ReadRequest] = []

    @property
    def people(self) -> People:
        return self.storage.people

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        self.asked += requests
        return await self.storage.read(requests)


async def test_a_warm_fold_reads_nothing_twice_but_one_entry(storage: Storage) -> None:
    seen = Replaced(storage)
    badges = Badges(seen)
    await say(storage, BOB, LAPTOP, [1, 2, 3])
    await badges.unread(ALICE)
    seen.asked.clear()
    await say(storage, BOB, LAPTOP, [4])
    assert await badges.unread(ALICE) == {TALK: 4}
    assert [(each.after, each.bytes_max > 0) for each in seen.asked] == [(2, False), (3, True)]


async def test_another_log_in_its_place_is_counted_anew(storage: Storage) -> None:
    """Another epoch: the other store made its logs anew."""
    other = await populated(MemoryStorage())
    seen = Replaced(storage)
    badges = Badges(seen)
    await say(storage, BOB, LAPTOP, [1, 2, 3])
    assert await badges.unread(ALICE) == {TALK: 3}
    await say(other, CAROL, CAROLS, [1])
    seen.storage = other
    assert await badges.unread(ALICE) == {direct(ALICE, CAROL): 1}


async def test_an_older_copy_of_the_log_is_counted_anew(tmp_path: Path) -> None:
    """The same epoch, as after copying files by hand: behind the fold, then forked from it."""
    original = await populated(await open_sqlite(tmp_path / "now"))
    await say(original, BOB, LAPTOP, [1])
    await original.close()
    (tmp_path / "copy").mkdir()
    for file in (tmp_path / "now").iterdir():
        (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    async with AsyncExitStack() as stack:
        now, copy = await open_sqlite(tmp_path / "now"), await open_sqlite(tmp_path / "copy")
        stack.push_async_callback(now.close)
        stack.push_async_callback(copy.close)
        seen = Replaced(now)
        badges = Badges(seen)
        await say(now, BOB, LAPTOP, [2, 3])
        assert await badges.unread(ALICE) == {TALK: 3}
        seen.storage = copy
        assert await badges.unread(ALICE) == {TALK: 1}
        await say(copy, CAROL, CAROLS, [1, 2])
        assert await badges.unread(ALICE) == {TALK: 1, direct(ALICE, CAROL): 2}
        seen.storage = now
        assert await badges.unread(ALICE) == {TALK: 3}
