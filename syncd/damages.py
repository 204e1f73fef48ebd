"""The alarm about stored data that contradicts itself: told once for each damage, however often it
is met.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

TOLD_MAX = 1_000
"""Damages that are remembered as told; a store that has more is beyond single lines."""


class Damages:
    """What was told already."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, damage: str) -> None:
        """Raise the alarm, unless it was raised for the same text before.

        The devices concerned come back again and again, for as long as nobody acts; whoever
        watches the log must hear it once.
        """
        if damage in self._told:
            return
        if len(self._told) >= TOLD_MAX:
            self._told.clear()
        self._told.add(damage)
        log.error("! alarm: damaged", extra={"facts": {"what": damage}})
