"""How long to wait before the next connection: full jitter under a bound that doubles."""

from __future__ import annotations

from syncd.limits import RECONNECT_DELAY_MAX_S, RECONNECT_DELAY_MIN_S


class Backoff:
    """Counts failures in a row. Full jitter spreads a crowd that lost its server evenly."""

    __slots__ = ("_bound",)

    def __init__(self) -> None:
        self._bound = RECONNECT_DELAY_MIN_S

    def delay(self, jitter: float) -> float:
        """Seconds to wait now, given a number drawn from 0 to 1; the next bound is twice this."""
        delay = jitter * self._bound
        self._bound = min(self._bound * 2, RECONNECT_DELAY_MAX_S)
        return delay

    def reset(self) -> None:
        """Things went well: the next failure counts as the first."""
        self._bound = RECONNECT_DELAY_MIN_S
