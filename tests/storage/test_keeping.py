"""The contract of what retention needs, held by every backend; and the pure rules below it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.limits import IDEMPOTENCY_WINDOW_DAYS
from syncd.model import Accepted, VerdictNote, Work
from syncd.persisted_clock import ClockReading
from syncd.storage import Storage
from syncd.storage.keeping import (
    AGE_STEPS,
    AccountKeep,
    AgeSample,
    Keep,
    Look,
    Trimming,
    arrived_by,
    floor_by_count,
    superfluous,
)

from .works import (
    ALICE,
    BOB,
    LOST,
    NOBODY,
    PHONE,
    PHONE_TOKEN,
    opened,
    publication,
    sending,
)

MINUTE_MS, DAY_MS = 60_000, 24 * 60 * 60 * 1000
ALL = Keep()


async def note(storage: Storage, clock_ms: int) -> None:
    await storage.keeping.note(ClockReading(clock_ms, clock_ms + 10**12))


async def to_drop(storage: Storage, clock_ms: int, default: Keep = ALL) -> dict[str, int]:
    """Of each log that a plan would trim: its new floor."""
    look = await storage.keeping.look(0, clock_ms, default)
    assert look.next is None
    return {each.account: each.new_floor for each in look.trimmings}


# ---------------------------------------------------------------- the clock


async def test_a_new_store_has_no_clock(storage: Storage) -> None:
    assert await storage.keeping.saved_clock() is None


async def test_the_clock_that_was_noted_last_is_saved(storage: Storage) -> None:
    for clock_ms in (0, 5, 7):
        await note(storage, clock_ms)
    assert await storage.keeping.saved_clock() == ClockReading(7, 7 + 10**12)


# ---------------------------------------------------------------- by age


async def test_an_entry_is_as_old_as_the_note_that_saw_it(storage: Storage) -> None:
    await storage.commit(sending(1, 2))
    await note(storage, 100)
    await storage.commit(sending(3))
    await note(storage, 200)
    keep = Keep(age_ms=1000)
    assert await to_drop(storage, 1099, keep) == {}
    assert await to_drop(storage, 1100, keep) == {ALICE: 2, BOB: 2}
    assert await to_drop(storage, 1199, keep) == {ALICE: 2, BOB: 2}
    assert await to_drop(storage, 1200, keep) == {ALICE: 3, BOB: 3}


async def test_what_no_note_saw_has_no_age(storage: Storage) -> None:
    await note(storage, 100)
    await storage.commit(sending(1))
    assert await to_drop(storage, 10**9, Keep(age_ms=1)) == {}


async def test_notes_without_arrivals_do_not_make_entries_younger(storage: Storage) -> None:
    await storage.commit(sending(1))
    for clock_ms in (100, 200, 300):
        await note(storage, clock_ms)
    assert await to_drop(storage, 1100, Keep(age_ms=1000)) == {ALICE: 1, BOB: 1}


async def test_thinning_keeps_what_was_known_of_old_entries(storage: Storage) -> None:
    for number in range(1, 6):
        await storage.commit(sending(number))
        await note(storage, number * MINUTE_MS)
    later = 64 * 1000 * MINUTE_MS
    await storage.keeping.thin(later)
    assert await to_drop(storage, later, Keep(age_ms=later - MINUTE_MS)) == {ALICE: 1, BOB: 1}
    assert await to_drop(storage, later, Keep(age_ms=later - 4 * MINUTE_MS)) == {ALICE: 1, BOB: 1}
    assert await to_drop(storage, later, Keep(age_ms=later - 5 * MINUTE_MS)) == {ALICE: 5, BOB: 5}


async def test_arrivals_rise_although_everything_was_trimmed(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    await note(storage, 100)
    await storage.commit(sending(4))
    for account in (ALICE, BOB):
        assert await storage.trim(account, 100) == 4
    await storage.commit(sending(5))
    keep = Keep(age_ms=1000)
    assert await to_drop(storage, 10**6, keep) == {}, "the new entry took an old one's arrival"
    await note(storage, 200)
    assert await to_drop(storage, 1200, keep) == {ALICE: 5, BOB: 5}


# ---------------------------------------------------------------- by count, and per account


async def test_the_newest_entries_are_kept(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    assert await storage.keeping.look(0, 0, Keep(entries=2)) == Look(
        6, (Trimming(ALICE, 0, 1), Trimming(BOB, 0, 1)), None
    )
    assert await to_drop(storage, 0, Keep(entries=3)) == {}
    assert await to_drop(storage, 0) == {}


async def test_the_stricter_of_age_and_count_decides(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    await note(storage, 0)
    await storage.commit(sending(4, 5))
    assert await to_drop(storage, 9, Keep(4, 9)) == {ALICE: 3, BOB: 3}
    assert await to_drop(storage, 9, Keep(1, 9)) == {ALICE: 4, BOB: 4}


async def test_an_account_may_keep_more_or_less_than_the_default(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3))
    await note(storage, 0)
    await storage.keeping.keep(ALICE, 0, 0)
    assert await to_drop(storage, 10, Keep(2, 10)) == {BOB: 3}
    await storage.keeping.keep(ALICE, 1, None)
    assert await to_drop(storage, 10, Keep(0, 10)) == {ALICE: 3, BOB: 3}
    assert await to_drop(storage, 0, Keep(0, 10)) == {ALICE: 2}
    await storage.keeping.keep(ALICE, None, 5)
    assert await to_drop(storage, 5, Keep(0, 10)) == {ALICE: 3}
    await storage.keeping.keep(ALICE, None, None)
    assert await to_drop(storage, 5, Keep(0, 10)) == {}


async def test_an_unknown_account_keeps_nothing(storage: Storage) -> None:
    with pytest.raises(KeyError):
        await storage.keeping.keep(NOBODY, 1, 1)
    with pytest.raises(KeyError):
        await storage.keeping.kept_for(NOBODY)


async def test_what_is_kept_of_a_log_can_be_asked(storage: Storage) -> None:
    assert await storage.keeping.kept_for(ALICE) == (None, None)
    for entries, age_ms in ((0, 5), (3, None), (None, 0), (None, None)):
        await storage.keeping.keep(ALICE, entries, age_ms)
        assert await storage.keeping.kept_for(ALICE) == AccountKeep(entries, age_ms)
        assert await storage.keeping.kept_for(BOB) == AccountKeep(None, None)


async def test_a_trimmed_log_is_planned_from_its_floor(storage: Storage) -> None:
    await storage.commit(sending(1, 2, 3, 4))
    await storage.trim(ALICE, 3)
    await note(storage, 0)
    look = await storage.keeping.look(0, 50, Keep(3, 50))
    assert look == Look(6, (Trimming(ALICE, 2, 4), Trimming(BOB, 0, 4)), None)


async def test_many_logs_are_looked_at_part_by_part(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sqlite_retention", "memory_retention"):
        monkeypatch.setattr(f"syncd.storage.{module}.LOGS_PER_LOOK", 1)
    await storage.commit(sending(1, 2))
    found, begin = [], 0
    for _ in range(3):
        look = await storage.keeping.look(begin, 0, Keep(entries=1))
        found += look.trimmings
        if look.next is None:
            break
        begin = look.next
    assert found == [Trimming(ALICE, 0, 1), Trimming(BOB, 0, 1)]


# ---------------------------------------------------------------- idempotency keys


async def test_keys_are_forgotten_after_their_window(storage: Storage) -> None:
    window_ms = IDEMPOTENCY_WINDOW_DAYS * DAY_MS
    await storage.commit(Work(publications=(publication("old"),)))
    await note(storage, 0)
    await storage.commit(Work(publications=(publication("young"),)))
    assert await storage.keeping.drop_keys(window_ms - 1) == 0
    assert await storage.keeping.drop_keys(window_ms) == 1
    again = (publication("old"), publication("young"))
    done = await storage.commit(Work(publications=again))
    assert done.publications == (Accepted(0, 3, False), Accepted(0, 2, True))


async def test_so_many_keys_are_forgotten_at_a_time(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sqlite_retention", "memory_retention"):
        monkeypatch.setattr(f"syncd.storage.{module}.KEYS_PER_CALL", 2)
    await storage.commit(Work(publications=tuple(publication(key) for key in "abc")))
    await note(storage, 0)
    late = IDEMPOTENCY_WINDOW_DAYS * DAY_MS
    assert [await storage.keeping.drop_keys(late) for _ in range(3)] == [2, 1, 0]


# ---------------------------------------------------------------- verdicts


async def verdict(storage: Storage) -> str | None:
    found = await storage.device_by_token(PHONE_TOKEN)
    assert found is not None
    return found.verdict


async def test_the_last_verdict_is_kept_for_operators(storage: Storage) -> None:
    assert await verdict(storage) is None
    generation = (await opened(storage)).generation
    await storage.commit(Work(notes=(VerdictNote(PHONE, generation, "welcome"),)))
    assert await verdict(storage) == "welcome"


async def test_a_note_of_an_older_generation_or_of_nobody_changes_nothing(
    storage: Storage,
) -> None:
    older = (await opened(storage)).generation
    newer = (await opened(storage)).generation
    notes = (
        VerdictNote(PHONE, newer, "truncated"),
        VerdictNote(PHONE, older, "welcome"),
        VerdictNote(LOST, 0, "welcome"),
    )
    await storage.commit(Work(notes=notes))
    assert await verdict(storage) == "truncated"


# ---------------------------------------------------------------- the pure rules


def test_the_floor_by_count() -> None:
    assert floor_by_count(3, 10, 0) == 3
    assert floor_by_count(3, 10, 4) == 6
    assert floor_by_count(3, 10, 400) == 3


def test_before_the_first_sample_nothing_is_known() -> None:
    assert arrived_by([], 10) == 0
    assert arrived_by([AgeSample(11, 5)], 10) == 0


minutes = st.lists(st.integers(1, 600), min_size=1, max_size=300)


@given(minutes, st.integers(0, 10**6))
def test_thinning_makes_entries_younger_by_a_little_and_never_older(
    gaps: list[int], waited: int
) -> None:
    clock, samples = 0, []
    for arrival, gap in enumerate(gaps, 1):
        clock += gap * MINUTE_MS
        samples.append(AgeSample(clock, arrival))
    now = clock + waited * MINUTE_MS
    dropped = set(superfluous(samples, now))
    thin = [each for each in samples if each not in dropped]
    assert (thin[0], thin[-1]) == (samples[0], samples[-1])
    for sample in samples:
        seen = next(each for each in thin if each.arrival >= sample.arrival)
        assert seen.clock_ms >= sample.clock_ms, "looks older than it is"
        late = seen.clock_ms - sample.clock_ms
        assert late <= max((now - seen.clock_ms) // AGE_STEPS, MINUTE_MS)


def test_ten_years_are_told_by_a_thousand_samples() -> None:
    ten_years = 10 * 365 * 24 * 60
    samples = [AgeSample(each * MINUTE_MS, each) for each in range(ten_years // 10)]
    now = ten_years * MINUTE_MS
    thin = sorted(set(samples) - set(superfluous(samples, now)))
    assert len(thin) < 1000
    assert all(one.arrival < other.arrival for one, other in pairwise(thin))


@given(st.lists(st.integers(1, 100), max_size=200))
def test_thinning_again_and_again_stays_bounded(gaps: list[int]) -> None:
    samples: list[AgeSample] = []
    clock = 0
    for gap in gaps:
        clock += gap * MINUTE_MS * 60
        samples.append(AgeSample(clock, len(samples)))
        dropped = set(superfluous(samples, clock))
        samples = [each for each in samples if each not in dropped]
    assert superfluous(samples, clock) == []
