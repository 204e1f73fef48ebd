"""The clock by which entries age: milliseconds that this store has seen pass.

While the service runs it follows the monotonic clock. Across a stop it goes on by what the wall
clock says has passed, but never back and never by more than a day: a wall clock that is wrong by
years, once, must not make a store drop years of messages.
"""

from __future__ import annotations

from typing import NamedTuple

from syncd.limits import CLOCK_STOP_S_MAX


class ClockReading(NamedTuple):
    """What is saved: the persisted clock, and what the wall showed at the same moment."""

    clock_ms: int
    wall_ms: int


class PersistedClock:
    """One run of the clock. `saved` is the last reading that was saved, None in a new store.

    All times are arguments: `monotonic_s` never falls within one run, `wall_s` may do anything.
    """

    def __init__(self, saved: ClockReading | None, *, monotonic_s: float, wall_s: float) -> None:
        passed_ms = 0 if saved is None else _milliseconds(wall_s) - saved.wall_ms
        counted_ms = min(max(passed_ms, 0), _milliseconds(CLOCK_STOP_S_MAX))
        self._begun_ms = counted_ms + (0 if saved is None else saved.clock_ms)
        self._begun_s = monotonic_s
        self._latest_ms = self._begun_ms

    def now_ms(self, monotonic_s: float) -> int:
        """What the clock shows; never less than it has shown."""
        shown = self._begun_ms + _milliseconds(monotonic_s - self._begun_s)
        self._latest_ms = max(self._latest_ms, shown)
        return self._latest_ms

    def reading(self, *, monotonic_s: float, wall_s: float) -> ClockReading:
        """What to save now. Its caller owes: whatever is saved later is not older."""
        return ClockReading(self.now_ms(monotonic_s), _milliseconds(wall_s))


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
