"""Tests of the persisted clock: whatever the wall clock does, no entry ever grows old too soon."""

from hypothesis import given
from hypothesis import strategies as st

from syncd.limits import CLOCK_STOP_S_MAX
from syncd.persisted_clock import ClockReading, PersistedClock

DAY_MS = int(CLOCK_STOP_S_MAX * 1000)
TEN_YEARS_S = 10 * 365 * 24 * 60 * 60.0

passing = st.floats(0, 1e6, allow_nan=False)
jumps = st.floats(-TEN_YEARS_S, TEN_YEARS_S, allow_nan=False)


def test_a_new_store_begins_at_nothing() -> None:
    clock = PersistedClock(None, monotonic_s=500.0, wall_s=1.7e9)
    assert clock.now_ms(500.0) == 0
    assert clock.now_ms(501.5) == 1500


def test_a_stop_counts_what_the_wall_says() -> None:
    before = PersistedClock(None, monotonic_s=0.0, wall_s=1000.0)
    saved = before.reading(monotonic_s=60.0, wall_s=1060.0)
    assert saved == ClockReading(60_000, 1_060_000)
    after = PersistedClock(saved, monotonic_s=7.0, wall_s=1090.0)
    assert after.now_ms(7.0) == 90_000


def test_a_stop_of_a_year_counts_a_day() -> None:
    clock = PersistedClock(ClockReading(5, 0), monotonic_s=0.0, wall_s=TEN_YEARS_S / 10)
    assert clock.now_ms(0.0) == 5 + DAY_MS


def test_a_wall_that_went_back_counts_nothing() -> None:
    clock = PersistedClock(ClockReading(5, 10_000_000), monotonic_s=0.0, wall_s=1.0)
    assert clock.now_ms(0.0) == 5


@given(st.lists(passing, min_size=1), jumps)
def test_while_running_only_the_monotonic_clock_counts(steps: list[float], jump: float) -> None:
    begun = 1.7e9
    steady = PersistedClock(None, monotonic_s=0.0, wall_s=begun)
    jumping = PersistedClock(None, monotonic_s=0.0, wall_s=begun)
    monotonic = 0.0
    for step in steps:
        monotonic += step
        one = steady.reading(monotonic_s=monotonic, wall_s=begun + monotonic)
        other = jumping.reading(monotonic_s=monotonic, wall_s=begun + monotonic + jump)
        assert one.clock_ms == other.clock_ms == int(monotonic * 1000)


@given(st.lists(st.tuples(st.floats(-10.0, 1e5), jumps), min_size=1), jumps)
def test_over_any_history_it_never_falls_and_a_stop_counts_a_day_at_most(
    runs: list[tuple[float, float]], start: float
) -> None:
    wall, saved, running_ms = start, ClockReading(0, int(start * 1000)), 0
    for ran_s, jump in runs:
        wall += jump
        clock = PersistedClock(saved, monotonic_s=100.0, wall_s=wall)
        assert saved.clock_ms <= clock.now_ms(100.0) <= saved.clock_ms + DAY_MS
        begun_ms = clock.now_ms(100.0)
        # A monotonic clock that falls is a bug of the platform; even then nothing goes back.
        reading = clock.reading(monotonic_s=100.0 + ran_s, wall_s=wall)
        assert begun_ms <= reading.clock_ms <= begun_ms + max(0, int(ran_s * 1000)) + 1
        running_ms += reading.clock_ms - begun_ms
        saved = reading
    assert saved.clock_ms <= running_ms + len(runs) * DAY_MS
