"""The one writer: what is gathered, who hears what and when, and what a failure leaves behind."""

import asyncio
import dataclasses
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from syncd import errors, limits
from syncd.committer import Committer, Lane
from syncd.errors import Refusal
from syncd.membership import Action, Change
from syncd.model import (
    Accepted,
    AccountId,
    ConversationId,
    CursorMark,
    Done,
    Draft,
    Epoch,
    Intent,
    Kind,
    Opening,
    OpeningRequest,
    Outcome,
    Publication,
    ReadRequest,
    Record,
    Refused,
    Submission,
    Superseded,
    VerdictNote,
    Work,
    direct,
)
from syncd.storage import Storage, StorageError
from syncd.storage.memory import MemoryStorage
from syncd.storage.sqlite import DATABASE_NAME, open_sqlite
from syncd.wakeups import Wakeups
from tests.drafts import ALICE, BOB, CAROL, LAPTOP, PHONE, device_id, record, submission
from tests.virtual_time import in_virtual_time

INSTANCE = "0011223344556677"
TABLET = device_id("tablet")
DAVE = AccountId("dave")


class GatedStorage(MemoryStorage):
    """The reference backend; every commit waits until the gate is open, and is written down.
    `failure` is what befalls the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.works: list[Work] = []
        self.failure: Exception | None = None

    async def commit(self, work: Work) -> Done:
        self.works.append(work)
        await self.gate.wait()
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return await super().commit(work)


async def peopled(storage: Storage) -> None:
    for account in (ALICE, BOB):
        await storage.create_account(account)
    for device in (PHONE, LAPTOP):
        await storage.create_device(ALICE, device, "", "pc", device.encode())


class Sleeper:
    """Writes down when it was woken."""

    def __init__(self, diary: list[Any]) -> None:
        self._diary = diary

    def woken(self) -> None:
        self._diary.append("woken")


class Office:
    """A committer at work, its storage, and a diary of all that was answered, in order."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.wakeups = Wakeups()
        self.failures: list[StorageError] = []
        self.committer = Committer(storage, self.wakeups, self.failures.append)
        self.diary: list[Any] = []

    def send(self, sent: Submission, lane: Lane | None = None) -> None:
        self.committer.append(lane or Lane(), sent, self.diary.append)

    def open(self, device: Any = PHONE, credential: int | None = 1) -> None:
        request = OpeningRequest(ALICE, device, credential, INSTANCE, None)
        self.committer.open(request, self.diary.append)

    def has_answered(self, count: int) -> bool:
        return len(self.diary) == count

    async def opened(self, device: Any = PHONE) -> Opening:
        self.open(device)
        await self.until(lambda: bool(self.diary))
        opening = self.diary.pop()
        assert isinstance(opening, Opening)
        return opening

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while True:
                if condition():
                    return
                await asyncio.sleep(0)


@asynccontextmanager
async def working(storage: Storage) -> AsyncIterator[Office]:
    await peopled(storage)
    office = Office(storage)
    running = asyncio.create_task(office.committer.run())
    try:
        yield office
    finally:
        if isinstance(storage, GatedStorage):
            storage.gate.set()
        office.committer.drain()
        async with asyncio.timeout(20):
            await running


def accepted(outcomes: Any) -> list[int]:
    assert all(isinstance(each, Accepted) for each in outcomes), outcomes
    return [each.number for each in outcomes]


def refusals(outcomes: tuple[Outcome, ...] | Superseded) -> set[Refusal]:
    assert not isinstance(outcomes, Superseded)
    return {each.refusal for each in outcomes if isinstance(each, Refused)}


def mark(seq: int, epoch: Epoch, generation: int = 1) -> CursorMark:
    return CursorMark(ALICE, PHONE, generation, epoch, seq)


def publication(key: str, account: AccountId = ALICE, number: int = 1) -> Publication:
    return published(key, account, record(number))


def published(key: str, account: AccountId, made: Record) -> Publication:
    return Publication(
        publisher="tests",
        key=key,
        content=b"content-of-16-by",
        device=PHONE,
        number=1,
        intent=Intent(Kind.MESSAGE, direct(account, account)),
        record=made,
        account=account,
    )


# ---------------------------------------------------------------- gathering


async def test_what_comes_during_a_commit_goes_into_the_next_one() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        await office.opened(LAPTOP)
        storage.works.clear()
        storage.gate.clear()
        office.send(submission(1))
        await office.until(lambda: len(storage.works) == 1)
        for number in range(2, 12):
            office.send(submission(number))
        office.send(submission(1, device=LAPTOP))
        promise = office.committer.publish(publication("k"))
        office.open(LAPTOP)
        assert office.diary == []
        storage.gate.set()
        assert isinstance(await promise, Accepted)
        assert len(storage.works) == 2
        _, second = storage.works
        assert len(second.submissions) == 11
        assert (len(second.openings), len(second.publications)) == (1, 1)


async def test_a_crowd_is_let_in_by_turns_and_in_order() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        storage.gate.clear()
        office.open()
        await office.until(lambda: len(storage.works) == 1)
        most = limits.COMMIT_OPENINGS_MAX
        crowd = [device_id(f"stranger {place}") for place in range(3)] + [LAPTOP] * most
        for device in crowd:
            office.open(device)
        office.send(submission(1))
        storage.gate.set()
        await office.until(lambda: office.has_answered(most + 5))
        _, second, third = storage.works
        asked = [request.device for work in (second, third) for request in work.openings]
        assert asked == crowd
        assert (len(second.openings), len(third.openings)) == (most, 3)
        assert len(second.submissions) == 1, "nobody who sends waits for all of them"


async def test_submissions_keep_their_order() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        storage.gate.clear()
        for number in range(1, 6):
            office.send(submission(number))
        storage.gate.set()
        await office.until(lambda: len(office.diary) == 5)
        assert [accepted(each) for each in office.diary] == [[1], [2], [3], [4], [5]]


async def test_a_transaction_holds_so_many_messages_and_the_rest_follows_in_order() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        storage.works.clear()
        many = limits.COMMIT_ENTRIES_MAX // 2048 + 2
        for each in range(many):
            office.send(submission(*range(each * 1024 + 1, each * 1024 + 1025)))
        await office.until(lambda: len(office.diary) == many)
        sizes = [sum(len(each.drafts) for each in work.submissions) for work in storage.works]
        assert max(sizes) * 2 <= limits.COMMIT_ENTRIES_MAX
        assert len(sizes) == 2
        numbers = [number for each in office.diary for number in accepted(each)]
        assert numbers == list(range(1, many * 1024 + 1))


async def test_what_was_refused_for_now_is_not_overtaken_by_what_waits_already() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        lane = Lane()
        storage.gate.clear()
        unanswered = submission(1)
        [first] = unanswered.drafts
        asked = structs.replace(first, refusal=errors.POLICY_UNAVAILABLE)
        office.send(structs.replace(unanswered, drafts=(asked,)), lane)
        await office.until(lambda: len(storage.works) == 2)
        office.send(submission(2), lane)  # of the next transaction
        storage.gate.set()
        await office.until(lambda: len(office.diary) == 2)
        assert [refusals(each) for each in office.diary] == [{errors.POLICY_UNAVAILABLE}] * 2
        assert (await storage.heads([ALICE]))[ALICE] == 0


async def test_what_was_accepted_before_holds_nobody_up() -> None:
    async with working(GatedStorage()) as office:
        await office.opened()
        lane = Lane()
        office.send(submission(1), lane)
        await office.until(lambda: len(office.diary) == 1)
        known = submission(1)
        [first] = known.drafts
        asked = structs.replace(first, refusal=errors.POLICY_UNAVAILABLE)
        office.send(structs.replace(known, drafts=(asked,)), lane)
        office.send(submission(2), lane)
        await office.until(lambda: len(office.diary) == 3)
        assert [accepted(each) for each in office.diary] == [[1], [1], [2]]


async def test_everybody_is_answered_before_anybody_is_woken() -> None:
    async with working(MemoryStorage()) as office:
        await office.opened()
        office.wakeups.listen(ALICE, Sleeper(office.diary))
        office.send(submission(1))
        office.send(submission(2))
        office.open(LAPTOP)
        await office.until(lambda: "woken" in office.diary)
        assert office.diary[-1] == "woken"
        assert len(office.diary) == 4


async def test_both_accounts_are_woken_after_the_entry_can_be_read() -> None:
    storage = MemoryStorage()
    async with working(storage) as office:
        await office.opened()
        heads: list[int] = []

        class Looking:
            def woken(self) -> None:
                heads.extend(page.head for page in storage.read_now([ReadRequest(BOB, 0, 99)]))

        office.wakeups.listen(BOB, Looking())
        office.send(submission(1))
        await office.until(lambda: bool(heads))
        assert heads == [1]


async def test_nobody_is_woken_for_what_did_not_grow() -> None:
    async with working(MemoryStorage()) as office:
        await office.opened()
        office.send(submission(1))
        await office.until(lambda: bool(office.diary))
        office.wakeups.listen(ALICE, Sleeper(office.diary))
        office.send(submission(1))
        await office.until(lambda: len(office.diary) == 2)
        assert office.diary[1] == (Accepted(1, 1, True),)


async def test_an_older_generation_is_dropped_by_the_commit_that_fences_it() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        storage.gate.clear()
        office.send(submission(1))  # taken by the commit that is under way
        await office.until(lambda: len(storage.works) == 2)
        office.send(submission(2))
        office.open()
        storage.gate.set()
        await office.until(lambda: len(office.diary) == 3)
        first, opening, second = office.diary
        assert accepted(first) == [1]
        assert isinstance(opening, Opening)
        assert (opening.generation, opening.sent, opening.head) == (2, 1, 1)
        assert second == Superseded(INSTANCE)


async def test_an_opening_that_is_refused_hears_why() -> None:
    async with working(MemoryStorage()) as office:
        office.open(credential=2)
        await office.until(lambda: bool(office.diary))
        assert office.diary == [errors.TOKEN_ROTATED]


# ---------------------------------------------------------------- lanes


async def test_a_failed_commit_refuses_the_lane_and_what_waits_in_it() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        await office.opened(LAPTOP)
        mine, other = Lane(), Lane()
        storage.gate.clear()
        storage.failure = StorageError("full", definite=True, refusal=errors.STORAGE_FULL)
        office.send(submission(1), mine)
        await office.until(lambda: len(storage.works) == 3)
        office.send(submission(2), mine)  # waits for the next transaction
        office.send(submission(1, device=LAPTOP), other)
        storage.gate.set()
        await office.until(lambda: len(office.diary) == 3)
        office.send(submission(3), mine)  # comes when all is well again
        office.send(submission(3), Lane())
        await office.until(lambda: len(office.diary) == 5)
        first, second, others, third, anew = office.diary
        assert refusals(first) == refusals(second) == {errors.STORAGE_FULL}
        assert refusals(third) == {errors.STORAGE_FULL}
        assert accepted(others) == [1]
        assert accepted(anew) == [3]


async def test_too_much_waiting_is_busy_and_sticks_until_a_new_socket() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        storage.gate.clear()
        lane = Lane()
        body = bytes(limits.BODY_BYTES_MAX)
        sent = 0
        while lane.refusing is None:
            sent += 1
            office.send(submission(sent, body=body), lane)
        assert lane.refusing is errors.BUSY
        assert sent * limits.BODY_BYTES_MAX < limits.COMMITTER_WAITING_BYTES_MAX * 1.1
        assert office.diary == []  # never from inside the call
        promise = office.committer.publish(publication("k"))
        assert await promise is errors.SERVICE_BUSY
        storage.gate.set()
        await office.until(lambda: len(office.diary) == sent)
        assert any(refusals(each) == {errors.BUSY} for each in office.diary)
        office.send(submission(1), Lane())
        await office.until(lambda: len(office.diary) == sent + 1)
        assert refusals(office.diary[-1]) == set()


async def test_messages_without_a_body_cannot_wait_unbounded() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        storage.gate.clear()
        lane, waiting = Lane(), submission(*range(1, 1025), body=b"")
        sent = 0
        while lane.refusing is None:
            sent += 1024
            office.send(waiting, lane)
        assert sent < limits.COMMITTER_WAITING_BYTES_MAX / 512


async def test_publications_count_as_waiting() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        storage.gate.clear()
        large = record(1, bytes(limits.BODY_BYTES_MAX))
        promises = []
        for each in range(4096):
            made = published(str(each), ALICE, large)
            promises.append(office.committer.publish(made))
            if promises[-1].done():
                break
        assert promises[-1].result() is errors.SERVICE_BUSY
        storage.gate.set()
        durable = await asyncio.gather(*promises[:-1])
        assert all(isinstance(each, Accepted) for each in durable)
        assert isinstance(await office.committer.publish(publication("later")), Accepted)


# ---------------------------------------------------------------- failures


async def test_a_disk_that_is_really_full_is_definite_and_service_goes_on(tmp_path: Path) -> None:
    storage = await open_sqlite(tmp_path / "store", free_bytes_min=0)
    async with working(storage) as office:
        await office.opened()
        lane = Lane()
        office.send(submission(1), lane)
        await office.until(lambda: len(office.diary) == 1)

        def fill(connection: sqlite3.Connection) -> None:
            [(pages,)] = connection.execute("PRAGMA page_count")
            connection.execute(f"PRAGMA max_page_count = {pages:d}")

        def make_room(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA max_page_count = 1000000")

        await storage._run(storage._writer, fill)
        sent = 1
        while not refusals(office.diary[-1]):
            sent += 1
            office.send(submission(sent, body=bytes(30_000)), lane)
            await office.until(partial(office.has_answered, sent))
        assert refusals(office.diary[-1]) == {errors.STORAGE_FULL}
        large = published("k", ALICE, record(1, bytes(30_000)))
        assert await office.committer.publish(large) is errors.SERVICE_FULL
        assert office.failures == []

        await storage._run(storage._writer, make_room)
        office.send(submission(sent), lane)
        await office.until(lambda: len(office.diary) == sent + 1)
        assert refusals(office.diary[-1]) == {errors.STORAGE_FULL}  # the same socket
        office.send(submission(sent, body=bytes(30_000)), Lane())
        await office.until(lambda: len(office.diary) == sent + 2)
        assert accepted(office.diary[-1]) == [sent]
    await storage.close()


async def test_damage_refuses_whoever_asks_for_what_is_damaged_and_nobody_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = await open_sqlite(tmp_path, free_bytes_min=0)
    async with working(storage) as office:
        for account in (ALICE, CAROL, DAVE):
            await storage.create_account(account)
            device = device_id(account)
            await storage.create_device(account, device, "", "pc", account.encode())
        damage(tmp_path / DATABASE_NAME, CAROL)
        answers: dict[AccountId, list[Any]] = {each: [] for each in (ALICE, CAROL, DAVE)}
        lanes = {account: Lane() for account in answers}
        for number in (1, 2):
            for account in answers:
                sent = to_oneself(account, number)
                office.committer.append(lanes[account], sent, answers[account].append)
        office.committer.open(
            OpeningRequest(DAVE, device_id(DAVE), 1, INSTANCE, None), office.diary.append
        )
        await office.until(lambda: all(len(each) == 2 for each in answers.values()))
        assert [accepted(each) for each in answers[ALICE]] == [[1], [2]]
        assert [refusals(each) for each in answers[CAROL]] == [{errors.BUSY}, {errors.BUSY}]
        [opening] = office.diary
        assert isinstance(opening, Opening)
        # Its opening came before: what the older generation left is dropped, as always.
        assert answers[DAVE] == [Superseded(INSTANCE), Superseded(INSTANCE)]
        await storage.close()
    alarms = [each for each in caplog.records if "alarm" in each.getMessage()]
    assert len(alarms) == 1


def damage(database: Path, account: AccountId) -> None:
    """A bit of the account's row is flipped: its head is where an entry lies already."""
    foreign = sqlite3.connect(database, isolation_level=None)
    foreign.execute("UPDATE logs SET head = ? WHERE account = ?", (2**63 - 1, account))
    foreign.close()


def to_oneself(account: AccountId, number: int) -> Submission:
    device, made = device_id(account), record(number)
    intent = Intent(Kind.MESSAGE, direct(account, account))
    draft = Draft(account, device, number, b"content-of-16-by", intent, made)
    return Submission(device, 0, (draft,))


async def test_a_definite_failure_tells_openings_and_publications_too() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        storage.failure = StorageError("busy", definite=True)
        office.open()
        promise = office.committer.publish(publication("k"))
        assert await promise is errors.SERVICE_BUSY
        assert office.diary == [errors.STORAGE_UNAVAILABLE]
        assert isinstance(await office.committer.publish(publication("k")), Accepted)


async def test_an_unknown_outcome_is_told_once_and_nobody_is_answered_ever_again() -> None:
    storage = GatedStorage()
    await peopled(storage)
    office = Office(storage)
    running = asyncio.create_task(office.committer.run())
    failure = storage.failure = StorageError("COMMIT failed", definite=False)
    office.open()
    promise = office.committer.publish(publication("k"))
    await running
    office.open()
    office.send(submission(1))
    late = office.committer.publish(publication("late"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert office.failures == [failure]
    assert office.diary == []
    assert not promise.done()
    assert not late.done()
    assert len(storage.works) == 1


async def test_a_publisher_that_goes_away_leaves_its_publication() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        storage.gate.clear()
        waiting = asyncio.ensure_future(office.committer.publish(publication("k")))
        await office.until(lambda: len(storage.works) == 1)
        waiting.cancel()
        storage.gate.set()
        assert await office.committer.publish(publication("k")) == Accepted(0, 1, True)


# ---------------------------------------------------------------- cursors


async def cursor_of(storage: Storage) -> int:
    return (await storage.devices(ALICE))[0].cursor


def test_a_cursor_is_saved_with_the_next_commit() -> None:
    async def play() -> None:
        storage = GatedStorage()
        async with working(storage) as office:
            opening = await office.opened()
            office.send(submission(1, 2, 3))
            await office.until(lambda: len(office.diary) == 1)
            before = asyncio.get_running_loop().time()
            office.committer.save_cursor(mark(2, opening.epoch))
            assert await cursor_of(storage) == 0
            office.send(submission(4))
            await office.until(lambda: len(office.diary) == 2)
            assert await cursor_of(storage) == 2
            assert asyncio.get_running_loop().time() == before

    in_virtual_time(play())


def test_without_a_commit_a_cursor_is_saved_within_a_second() -> None:
    async def play() -> None:
        storage = GatedStorage()
        async with working(storage) as office:
            opening = await office.opened()
            office.send(submission(1, 2, 3))
            await office.until(lambda: len(office.diary) == 1)
            for seq in (1, 3, 2):
                office.committer.save_cursor(mark(seq, opening.epoch))
            commits = len(storage.works)
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 0.99)
            assert len(storage.works) == commits
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 0.02)
            assert await cursor_of(storage) == 3
            assert storage.works[-1].cursors == (mark(3, opening.epoch),)
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 10)
            assert len(storage.works) == commits + 1  # an idle service writes nothing

    in_virtual_time(play())


def test_a_cursor_that_falls_due_during_a_slow_commit_is_not_forgotten() -> None:
    async def play() -> None:
        storage = GatedStorage()
        async with working(storage) as office:
            opening = await office.opened()
            storage.gate.clear()
            office.send(submission(1))
            await office.until(lambda: len(storage.works) == 2)
            office.committer.save_cursor(mark(1, opening.epoch))
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 3)
            storage.gate.set()
            await office.until(lambda: len(office.diary) == 1)
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S)
            assert await cursor_of(storage) == 1

    in_virtual_time(play())


def test_a_cursor_outlives_a_refused_commit() -> None:
    async def play() -> None:
        storage = GatedStorage()
        async with working(storage) as office:
            opening = await office.opened()
            office.send(submission(1))
            await office.until(lambda: len(office.diary) == 1)
            office.committer.save_cursor(mark(1, opening.epoch))
            storage.failure = StorageError("full", definite=True)
            office.send(submission(2))
            await office.until(lambda: len(office.diary) == 2)
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 1.01)
            assert await cursor_of(storage) == 1

    in_virtual_time(play())


def test_the_newest_generation_speaks_for_a_device() -> None:
    async def play() -> None:
        storage = GatedStorage()
        async with working(storage) as office:
            await office.opened()
            office.send(submission(1, 2, 3))
            await office.until(lambda: len(office.diary) == 1)
            office.diary.clear()
            opening = await office.opened()
            office.committer.save_cursor(mark(2, opening.epoch, generation=2))
            office.committer.save_cursor(mark(3, opening.epoch, generation=1))
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 1.01)
            assert await cursor_of(storage) == 2

    in_virtual_time(play())


# ---------------------------------------------------------------- draining


async def test_draining_makes_everything_durable_first() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        opening = await office.opened()
        storage.gate.clear()
        office.send(submission(1))
        await office.until(lambda: len(storage.works) == 2)
        office.send(submission(2))
        office.committer.save_cursor(mark(1, opening.epoch))
        promise = office.committer.publish(publication("k"))
        office.committer.drain()
        storage.gate.set()
    assert isinstance(promise.result(), Accepted)
    assert [accepted(each) for each in office.diary] == [[1], [2]]
    assert await cursor_of(storage) == 1


async def test_an_idle_committer_drains_at_once() -> None:
    async with working(MemoryStorage()):
        pass


async def test_draining_with_a_full_disk_ends() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        opening = await office.opened()
        storage.failure = StorageError("full", definite=True)
        office.committer.save_cursor(mark(1, opening.epoch))
        office.send(submission(1))


# ---------------------------------------------------------------- fairness


def writing_to(group: str, count: int, device: Any = PHONE, first: int = 1) -> Submission:
    """Messages to a group, drafted as if they were direct ones."""
    made = submission(*range(first, first + count), device=device)
    intent = Intent(Kind.MESSAGE, ConversationId(group))
    drafts = tuple(structs.replace(each, intent=intent) for each in made.drafts)
    return structs.replace(made, drafts=drafts)


async def founded(storage: Storage, members: int) -> None:
    """A group of Alice's."""
    others = tuple(AccountId(f"member-{each}") for each in range(members - 1))
    for each in others:
        await storage.create_account(each)
    change = Change(Action.CREATE, others, ())
    intent = Intent(Kind.SYSTEM, ConversationId("team"), None, change)
    made = dataclasses.replace(publication("founded"), intent=intent, account=None, actor=ALICE)
    assert isinstance((await storage.commit(Work(publications=(made,)))).publications[0], Accepted)


async def opened_by_bob(office: Office) -> None:
    await office.storage.create_device(BOB, TABLET, "", "pc", b"bob's")
    office.committer.open(OpeningRequest(BOB, TABLET, 1, INSTANCE, None), office.diary.append)
    await office.until(lambda: bool(office.diary))
    assert isinstance(office.diary.pop(), Opening)


def from_bob(*numbers: int) -> Submission:
    made = submission(*numbers, device=TABLET)
    drafts = tuple(structs.replace(each, account=BOB) for each in made.drafts)
    return structs.replace(made, drafts=drafts)


async def test_a_flood_leaves_room_for_whoever_comes_next() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        await opened_by_bob(office)
        storage.works.clear()
        for each in range(4):
            office.send(submission(*range(each * 1024 + 1, each * 1024 + 1025)))
        office.send(from_bob(1))
        flooded: list[int] = []
        async with asyncio.timeout(20):
            while len(flooded) < 4096:
                await asyncio.sleep(0)
                flooded = [each.number for piece in office.diary for each in piece][:-1]
        share = limits.COMMIT_SHARE_ENTRIES_MAX // 2
        first = storage.works[0].submissions
        assert [len(each.drafts) for each in first] == [share, 1]
        assert all(
            sum(len(each.drafts) for each in work.submissions) <= share + 1
            for work in storage.works
        )
        pieces = [
            each.drafts[0].number
            for work in storage.works
            for each in work.submissions
            if each.device == PHONE
        ]
        assert pieces == sorted(pieces)


async def test_an_opening_never_waits_behind_a_flood() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        storage.gate.clear()
        for each in range(8):
            office.send(submission(*range(each * 1024 + 1, each * 1024 + 1025)))
        await office.until(lambda: len(storage.works) == 2)
        office.open(LAPTOP)
        storage.gate.set()
        await office.until(lambda: any(isinstance(each, Opening) for each in office.diary))
        assert len(storage.works[2].openings) == 1


async def test_a_transaction_is_bounded_by_the_entries_that_it_writes() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        await founded(storage, 300)
        storage.works.clear()
        for each in range(3):
            office.send(writing_to("team", 40, first=each * 40 + 1))
        await office.until(lambda: sum(map(len, office.diary)) == 120)
        sizes = [sum(len(each.drafts) for each in work.submissions) for work in storage.works]
        unknown, *known = sizes
        assert unknown == limits.COMMIT_ENTRIES_MAX // limits.MEMBERS_MAX
        assert known[0] == limits.COMMIT_ENTRIES_MAX // 300
        assert [number for each in office.diary for number in accepted(each)] == list(range(1, 121))


async def test_a_group_that_was_small_and_grew_is_known_to_have_grown() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        charged: list[int] = []
        office.committer._charge = lambda account, entries: charged.append(entries)
        await office.opened()
        await founded(storage, 2)
        office.send(writing_to("team", 1))
        await office.until(partial(office.has_answered, 1))
        others = tuple(AccountId(f"member-{each}") for each in range(99))
        for each in others:
            await storage.create_account(each)
        grown = Intent(Kind.SYSTEM, ConversationId("team"), None, Change(Action.ADD, others))
        [added] = writing_to("team", 1, first=2).drafts
        office.send(Submission(PHONE, 1, (structs.replace(added, intent=grown),)))
        await office.until(partial(office.has_answered, 2))
        storage.works.clear()
        office.send(writing_to("team", 300, first=3))
        await office.until(lambda: sum(map(len, office.diary)) == 302)
        sizes = [sum(len(each.drafts) for each in work.submissions) for work in storage.works]
        assert max(sizes) * 100 <= limits.COMMIT_ENTRIES_MAX
        assert sum(charged) == 301 * 98


async def test_who_writes_to_a_group_is_charged_for_its_size() -> None:
    storage = MemoryStorage()
    async with working(storage) as office:
        charged: list[tuple[AccountId, int]] = []
        office.committer._charge = lambda account, entries: charged.append((account, entries))
        await office.opened()
        await founded(storage, 30)
        office.send(submission(1))
        office.send(writing_to("team", 2, first=2))
        office.send(writing_to("nowhere", 1, first=4))
        await office.until(lambda: len(office.diary) == 3)
        assert [each for each in charged if each[1]] == [(ALICE, 56)]


async def test_an_account_with_much_waiting_is_crowded_and_nobody_else() -> None:
    storage = GatedStorage()
    async with working(storage) as office:
        await office.opened()
        storage.gate.clear()
        sent = 0
        while not office.committer.crowded(ALICE):
            sent += 1
            office.send(submission(sent, body=bytes(limits.BODY_BYTES_MAX)))
        assert sent * limits.BODY_BYTES_MAX < limits.COMMITTER_ACCOUNT_CROWDED_BYTES * 1.1
        assert not office.committer.crowded(BOB)
        storage.gate.set()
        await office.until(lambda: sum(map(len, office.diary)) == sent)
        assert not office.committer.crowded(ALICE)


# ---------------------------------------------------------------- notes


def test_a_note_is_saved_as_a_cursor_is() -> None:
    async def play() -> None:
        storage = GatedStorage()
        async with working(storage) as office:
            await office.opened()
            commits = len(storage.works)
            office.committer.note_verdict(VerdictNote(PHONE, 1, "welcome"))
            office.committer.note_verdict(VerdictNote(PHONE, 0, "of an older session"))
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 0.99)
            assert len(storage.works) == commits
            storage.failure = StorageError("full", definite=True)
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 2.1)
            assert [work.notes for work in storage.works[commits:]] == [
                (VerdictNote(PHONE, 1, "welcome"),)
            ] * 2
            await asyncio.sleep(limits.CURSOR_SAVE_DELAY_S * 5)
            assert len(storage.works) == commits + 2

    in_virtual_time(play())
