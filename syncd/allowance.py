"""Token buckets: how much each of many may do in a second, with time as an argument."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_SWEEP_BUCKETS_MIN = 1024
"""So few buckets are not worth a look for full ones."""


class Allowances(Generic[Key]):
    """One bucket for each key that was seen lately; a key that was never seen has a full one.

    per_s: tokens that flow into a bucket in a second; 0 switches the whole limit off.
    burst: tokens that a bucket holds, and that a key may spend at once.
    debt_s_max: seconds after which even the deepest debt is paid off.

    `now` is monotonic, in seconds, and never falls from call to call.
    """

    def __init__(self, per_s: float, burst: float, debt_s_max: float = 0.0) -> None:
        self._per_s = per_s
        self._burst = burst
        self._least = -debt_s_max * per_s
        self._buckets: dict[Key, tuple[float, float]] = {}
        self._sweep_at = _SWEEP_BUCKETS_MIN

    def __len__(self) -> int:
        return len(self._buckets)

    def __contains__(self, key: Key) -> bool:
        """Whether the key is remembered; one that did nothing for long may be forgotten."""
        return key in self._buckets

    def meet(self, key: Key, now: float) -> None:
        """Remember the key, taking nothing."""
        self._keep(key, self._tokens(key, now), now)

    def take(self, key: Key, amount: float, now: float) -> float:
        """Take `amount` tokens if they are there: 0.0. Else the seconds until they will be, and
        nothing is taken."""
        if not self._per_s:
            return 0.0
        tokens = self._tokens(key, now)
        if tokens < amount:
            return (amount - tokens) / self._per_s
        self._keep(key, tokens - amount, now)
        return 0.0

    def charge(self, key: Key, amount: float, now: float) -> None:
        """Take `amount` tokens, there or not: for what has happened already."""
        if self._per_s:
            self._keep(key, max(self._tokens(key, now) - amount, self._least), now)

    def exhausted(self, key: Key, now: float) -> bool:
        """Whether the key has nothing left (or owes): it should wait."""
        return bool(self._per_s) and self._tokens(key, now) <= 0.0

    def _tokens(self, key: Key, now: float) -> float:
        known = self._buckets.get(key)
        if known is None:
            return self._burst
        tokens, since = known
        return min(self._burst, tokens + (now - since) * self._per_s)

    def _keep(self, key: Key, tokens: float, now: float) -> None:
        self._buckets[key] = tokens, now
        if len(self._buckets) >= self._sweep_at:
            # A full bucket says what a missing one says. Doubling keeps the cost per call constant.
            self._buckets = {
                each: known
                for each, known in self._buckets.items()
                if self._tokens(each, now) < self._burst
            }
            self._sweep_at = max(_SWEEP_BUCKETS_MIN, 2 * len(self._buckets))
