"""Tests of retention: what a pass drops, what it refuses to drop, and the clock across stops."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from syncd import errors, retention
from syncd.limits import (
    CLOCK_STOP_S_MAX,
    IDEMPOTENCY_WINDOW_DAYS,
    RETAIN_DAYS_MAX,
    RETAIN_ENTRIES_MAX,
)
from syncd.model import AccountId, Seq, Work
from syncd.persisted_clock import ClockReading
from syncd.retention import DAY_MS, Retention, kept
from syncd.storage import Storage, StorageError
from syncd.storage.keeping import Keep
from syncd.storage.memory import MemoryStorage
from syncd.storage.sqlite import DATABASE_NAME, open_sqlite
from tests.storage.works import ALICE, BOB, NOBODY, opened, page, populate, publication, sending
from tests.virtual_time import in_virtual_time

DAY_S, HOUR_S = 24 * 60 * 60.0, 60 * 60.0
EVERYTHING = Keep()


class Operator:
    """A store with its retention, and whoever is woken by it."""

    def __init__(self, storage: Storage, default: Keep = EVERYTHING) -> None:
        self.storage = storage
        self.wall_s = 1.7e9
        self.woken: list[AccountId] = []
        self.failures: list[StorageError] = []
        self.retention = self.started(default)

    def started(self, default: Keep) -> Retention:
        return Retention(
            self.storage,
            self.wake,
            default,
            on_failure=self.failures.append,
            wall_s=lambda: self.wall_s,
        )

    def wake(self, accounts: Iterable[AccountId]) -> None:
        self.woken += accounts

    async def stopped_for(self, days: int, default: Keep) -> None:
        """So many stops of a day each: the only way to let time pass without waiting for it."""
        await self.retention.tick()
        for _ in range(days):
            self.wall_s += DAY_S
            self.retention = self.started(default)
            await self.retention.tick()

    async def floors(self) -> tuple[Seq, Seq]:
        return (await page(self.storage)).floor, (await page(self.storage, BOB)).floor


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    async with AsyncExitStack() as stack:
        made: Storage = (
            MemoryStorage() if request.param == "memory" else await open_sqlite(tmp_path / "store")
        )
        stack.push_async_callback(made.close)
        await populate(made)
        yield made


async def fill(storage: Storage, first: int, last: int) -> None:
    await storage.commit(sending(*range(first, last + 1)))


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "alarm" in each.getMessage()]


# ---------------------------------------------------------------- what a pass drops


async def test_by_default_everything_is_kept(storage: Storage) -> None:
    operator = Operator(storage)
    await fill(storage, 1, 3)
    await operator.stopped_for(400, kept(0, 0))
    facts = await operator.retention.sweep()
    assert facts == {
        "swept": True,
        "entries": 6,
        "logs": 0,
        "dropped": 0,
        "failed": 0,
        "keys": 0,
    }
    assert await operator.floors() == (0, 0)


async def test_a_pass_drops_by_age_and_wakes(storage: Storage) -> None:
    default = kept(0, 7)
    operator = Operator(storage, default)
    await fill(storage, 1, 2)
    await operator.stopped_for(6, default)
    await fill(storage, 3, 12)
    assert (await operator.retention.sweep())["dropped"] == 0
    await operator.stopped_for(1, default)
    facts = await operator.retention.sweep()
    assert (facts["swept"], facts["entries"], facts["logs"], facts["dropped"]) == (True, 24, 2, 4)
    assert await operator.floors() == (2, 2)
    assert set(operator.woken) == {ALICE, BOB}


async def test_a_pass_drops_by_count(storage: Storage) -> None:
    operator = Operator(storage, kept(9, 0))
    await fill(storage, 1, 10)
    assert (await operator.retention.sweep())["dropped"] == 2
    assert await operator.floors() == (1, 1)
    assert (await operator.retention.sweep())["dropped"] == 0


async def test_an_account_has_a_rule_of_its_own(storage: Storage) -> None:
    operator = Operator(storage, kept(9, 0))
    await fill(storage, 1, 10)
    kept_facts = await operator.retention.keep(ALICE, 0, None)
    assert kept_facts == {
        "account": ALICE,
        "entries": 0,
        "days": None,
        "default_entries": 9,
        "default_days": 0,
    }
    await operator.retention.sweep()
    assert await operator.floors() == (0, 1)
    await operator.retention.keep(ALICE, 8, 30)
    await operator.retention.sweep()
    assert await operator.floors() == (2, 1)
    await operator.retention.keep_default(ALICE)
    await operator.retention.sweep()
    assert await operator.floors() == (2, 1)


async def test_what_is_not_given_is_kept_as_it_was(storage: Storage) -> None:
    operator = Operator(storage, kept(9, 7))
    told = []
    for entries, days in ((None, 30), (5, None), (None, None), (0, None), (None, 0)):
        told.append(await operator.retention.keep(ALICE, entries, days))
        assert await operator.retention.rule(ALICE) == told[-1]
    told.append(await operator.retention.keep_default(ALICE))
    assert [(each["entries"], each["days"]) for each in told] == [
        (None, 30),
        (5, 30),
        (5, 30),
        (0, 30),
        (0, 0),
        (None, None),
    ]
    assert {(each["default_entries"], each["default_days"]) for each in told} == {(9, 7)}


@pytest.mark.parametrize(
    ("entries", "days"),
    [(-1, 0), (RETAIN_ENTRIES_MAX + 1, 0), (0, -1), (0, RETAIN_DAYS_MAX + 1)],
)
async def test_rules_that_cannot_be_meant(
    storage: Storage, entries: int | None, days: int | None
) -> None:
    with pytest.raises(ValueError, match="kept"):
        await Operator(storage).retention.keep(ALICE, entries, days)


async def test_a_rule_for_nobody(storage: Storage) -> None:
    with pytest.raises(KeyError):
        await Operator(storage).retention.keep(NOBODY, 1, 1)
    with pytest.raises(KeyError):
        await Operator(storage).retention.keep_default(NOBODY)
    with pytest.raises(KeyError):
        await Operator(storage).retention.rule(NOBODY)


async def test_a_device_that_is_far_behind_holds_up_nobody(storage: Storage) -> None:
    await opened(storage)
    operator = Operator(storage, kept(8, 0))
    await fill_opened(storage, 10)
    await operator.retention.sweep()
    assert await operator.floors() == (2, 2)


async def fill_opened(storage: Storage, count: int) -> None:
    await storage.commit(sending(*range(1, count + 1), generation=1))


async def test_a_long_pass_takes_small_steps(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_TRIM_ENTRIES", 3)
    operator = Operator(storage, kept(2, 0))
    await fill(storage, 1, 10)
    await operator.retention.sweep(anyway=True)
    assert await operator.floors() == (8, 8)
    assert operator.woken == [ALICE] * 3 + [BOB] * 3


async def test_idempotency_keys_are_forgotten(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("storage.sqlite_retention", "storage.memory_retention", "retention"):
        monkeypatch.setattr(f"syncd.{place}.KEYS_PER_CALL", 2)
    operator = Operator(storage)
    await storage.commit(Work(publications=tuple(publication(key) for key in "abcde")))
    await operator.stopped_for(IDEMPOTENCY_WINDOW_DAYS - 1, kept(0, 0))
    assert (await operator.retention.sweep())["keys"] == 0
    await operator.stopped_for(1, kept(0, 0))
    assert (await operator.retention.sweep())["keys"] == 5


# ---------------------------------------------------------------- what a pass refuses


async def test_a_fifth_of_the_store_is_not_dropped_without_asking(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    operator = Operator(storage, kept(7, 0))
    await fill(storage, 1, 10)
    facts = await operator.retention.sweep()
    assert (facts["swept"], facts["dropped"]) == (False, 6)
    assert await operator.floors() == (0, 0)
    [alarm] = alarms(caplog)
    assert alarm.startswith("! alarm: retention would drop more than 20 %")
    facts = await operator.retention.sweep(anyway=True)
    assert (facts["swept"], facts["dropped"]) == (True, 6)
    assert await operator.floors() == (3, 3)


async def test_exactly_a_fifth_may_go(storage: Storage) -> None:
    operator = Operator(storage, kept(8, 0))
    await fill(storage, 1, 10)
    assert (await operator.retention.sweep())["swept"] is True
    assert await operator.floors() == (2, 2)


async def test_a_wall_clock_that_is_wrong_by_years_ages_by_a_day(storage: Storage) -> None:
    default = kept(0, 30)
    operator = Operator(storage, default)
    await fill(storage, 1, 3)
    await operator.retention.tick()
    operator.wall_s += 10 * 365 * DAY_S
    operator.retention = operator.started(default)
    assert await operator.retention.tick() <= DAY_MS + 60_000
    assert (await operator.retention.sweep())["dropped"] == 0


async def test_while_running_the_wall_may_do_anything(storage: Storage) -> None:
    operator = Operator(storage, kept(0, 1))
    await fill(storage, 1, 3)
    begun = await operator.retention.tick()
    for years in (10, -20):
        operator.wall_s += years * 365 * DAY_S
        assert await operator.retention.tick() - begun < 60_000
    assert (await operator.retention.sweep())["dropped"] == 0


# ---------------------------------------------------------------- faults


async def test_one_damaged_log_does_not_keep_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = await open_sqlite(tmp_path)
    await populate(storage)
    await fill(storage, 1, 10)
    await storage.trim(ALICE, 1)  # drops nothing, and folds what was appended
    with sqlite3.connect(tmp_path / DATABASE_NAME) as foreign:
        # The chain of the second entry, in the second stamp of its page.
        foreign.execute(
            "UPDATE pages SET stamps = CAST("
            " substr(stamps, 1, 26) || x'0011223344556677' || substr(stamps, 35) AS BLOB)"
            " WHERE log = 1"
        )
    foreign.close()
    operator = Operator(storage, kept(8, 0))
    facts = await operator.retention.sweep()
    assert (facts["failed"], facts["logs"]) == (1, 2)
    assert await operator.floors() == (0, 2)
    assert any("alice could not be trimmed" in each.getMessage() for each in caplog.records)
    await storage.close()


@pytest.mark.parametrize("default", [kept(8, 0), kept(0, 1)], ids=["by count", "by age"])
async def test_neither_does_one_whose_pages_nobody_can_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, default: Keep
) -> None:
    storage = await open_sqlite(tmp_path)
    await populate(storage)
    await fill(storage, 1, 10)
    await storage.trim(ALICE, 1)
    with sqlite3.connect(tmp_path / DATABASE_NAME) as foreign:
        # Half a stamp is no stamp.
        foreign.execute(
            "UPDATE pages SET stamps = substr(stamps, 1, length(stamps) - 9) WHERE log = 1"
        )
    foreign.close()
    operator = Operator(storage, default)
    await operator.stopped_for(2, default)
    facts = await operator.retention.sweep(anyway=True)
    assert facts["failed"] == 1
    assert (await page(storage, BOB)).floor > 0
    assert any("the log of alice is damaged" in each.getMessage() for each in caplog.records)
    await storage.close()


class FailingStorage(MemoryStorage):
    """A store whose trims fail, as a disk makes them."""

    definite = True

    async def trim(self, account: AccountId, before: Seq) -> Seq:
        raise StorageError("the disk said no", definite=self.definite, refusal=errors.BUSY)


async def crowd(storage: Storage, size: int) -> None:
    for number in range(size):
        account = AccountId(f"member-{number}")
        await storage.create_account(account)
        news = [publication(str(each), account=account, publisher=account) for each in range(10)]
        await storage.commit(Work(publications=tuple(news)))


async def test_a_pass_gives_up_where_everything_fails() -> None:
    storage = FailingStorage()
    await crowd(storage, 12)
    operator = Operator(storage, kept(9, 0))
    with pytest.raises(StorageError, match="the disk said no"):
        await operator.retention.sweep()


async def test_the_background_survives_what_is_definite(caplog: pytest.LogCaptureFixture) -> None:
    def play() -> list[StorageError]:
        storage = FailingStorage()
        operator = Operator(storage, kept(9, 0))

        async def run() -> None:
            await crowd(storage, 12)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(4 * 60 * 60):
                    await operator.retention.run()

        in_virtual_time(run())
        return operator.failures

    assert await asyncio.to_thread(play) == []
    said = [each for each in caplog.records if each.getMessage() == "! retention: the disk said no"]
    assert len(said) == 4, "a pass an hour"


async def test_an_unknown_outcome_stops_the_process() -> None:
    storage = FailingStorage()
    storage.definite = False
    await crowd(storage, 1)
    operator = Operator(storage, kept(9, 0))

    def play() -> None:
        in_virtual_time(operator.retention.run())

    # The lock of the retention belongs to no loop before it is first used.
    await asyncio.to_thread(play)
    [failure] = operator.failures
    assert not failure.definite


async def test_a_write_ahead_log_that_grows_is_an_alarm_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOG_AHEAD_BYTES_MAX", 1_000_000)
    storage = await open_sqlite(tmp_path)
    await populate(storage)
    operator = Operator(storage)
    await operator.retention.tick()
    assert alarms(caplog) == []
    stalled = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
    stalled.execute("BEGIN")
    stalled.execute("SELECT count(*) FROM journal").fetchone()
    for number in range(1, 60):
        await storage.commit(sending(number))
    for _ in range(3):
        await operator.retention.tick()
    [alarm] = alarms(caplog)
    assert "write-ahead log grows" in alarm
    # What a stalled reader holds up is the copying, never the service.
    assert (await page(storage)).head == 59
    stalled.close()
    await storage.close()


# ---------------------------------------------------------------- in the background


def test_in_the_background_it_notes_every_minute_and_sweeps_every_hour() -> None:
    storage = MemoryStorage()
    operator = Operator(storage, Keep(age_ms=3 * DAY_MS))

    async def run() -> None:
        await populate(storage)
        background = asyncio.create_task(operator.retention.run())
        for number in range(1, 24 * 5):
            await fill(storage, number, number)
            await asyncio.sleep(HOUR_S)
        background.cancel()
        saved = await storage.keeping.saved_clock()
        assert saved is not None
        assert 0 <= 119 * HOUR_S * 1000 - saved.clock_ms <= retention.CLOCK_TICK_S * 1000

    in_virtual_time(run())
    held = len(storage._logs[ALICE].entries)
    # Three days of an entry an hour; late by an age's 64th and a sweep's hour.
    assert 72 <= held <= 75


# ---------------------------------------------------------------- across stops


async def test_a_restart_goes_on_where_the_clock_was(tmp_path: Path) -> None:
    wall_s = 1.7e9
    clocks = []
    for pause_s in (0.0, 3600.0, 3 * DAY_S, -5 * DAY_S):
        wall_s += pause_s
        storage = await open_sqlite(tmp_path)
        if not clocks:
            await populate(storage)
        started = Retention(
            storage, lambda _: None, Keep(), on_failure=_never, wall_s=_standing(wall_s)
        )
        clocks.append(await started.tick())
        await storage.close()
    steps = [after - before for before, after in pairwise(clocks)]
    stops = (3600_000, int(CLOCK_STOP_S_MAX * 1000), 0)
    for step, stop in zip(steps, stops, strict=True):
        assert stop <= step < stop + 60_000, "the stop, and the little that passed while it ran"


async def test_a_store_of_another_clock_is_believed(storage: Storage) -> None:
    await storage.keeping.note(ClockReading(5 * DAY_MS, int(1.7e12)))
    assert await Operator(storage).retention.tick() >= 5 * DAY_MS


def _never(error: StorageError) -> None:
    raise AssertionError(error)


def _standing(wall_s: float) -> Callable[[], float]:
    return lambda: wall_s


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
