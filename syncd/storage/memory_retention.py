"""How old entries are and what may go, in memory: the plainest telling of keeping.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from syncd.limits import IDEMPOTENCY_WINDOW_DAYS
from syncd.model import AccountId
from syncd.persisted_clock import ClockReading
from syncd.storage.keeping import (
    KEYS_PER_CALL,
    LOGS_PER_LOOK,
    AccountKeep,
    AgeSample,
    Keep,
    Look,
    Trimming,
    arrived_by,
    floor_by_count,
    superfluous,
)
from syncd.storage.memory_log import Log

_DAY_MS = 24 * 60 * 60 * 1000


@dataclass
class MemoryKeeping:
    """The door of keeping.py over the dictionaries of a MemoryStorage.

    arrival: of the newest entry of the store. forget: drops at most so many idempotency keys that
    came no later than an arrival, and says how many.
    """

    logs: Mapping[AccountId, Log]
    arrival: Callable[[], int]
    forget: Callable[[int, int], int]
    _reading: ClockReading | None = None
    _samples: list[AgeSample] = field(default_factory=list)

    async def saved_clock(self) -> ClockReading | None:
        return self._reading

    async def note(self, reading: ClockReading) -> None:
        self._reading = reading
        arrival = self.arrival()
        if not self._samples or self._samples[-1].arrival < arrival:
            self._samples = [each for each in self._samples if each.clock_ms < reading.clock_ms]
            self._samples.append(AgeSample(reading.clock_ms, arrival))

    async def thin(self, clock_ms: int) -> None:
        dropped = set(superfluous(self._samples, clock_ms))
        self._samples = [each for each in self._samples if each not in dropped]

    async def look(self, begin: int, clock_ms: int, default: Keep) -> Look:
        held, trimmings = 0, []
        part = list(islice(self.logs.items(), begin, begin + LOGS_PER_LOOK))
        for account, log in part:
            held += log.head - log.floor
            count = default.entries if log.retain_entries is None else log.retain_entries
            age_ms = default.age_ms if log.retain_ms is None else log.retain_ms
            floor = floor_by_count(log.floor, log.head, count)
            if age_ms:
                old = arrived_by(self._samples, clock_ms - age_ms)
                gone = sum(1 for each in log.entries if each.arrival <= old)
                floor = max(floor, log.floor + gone)
            if floor > log.floor:
                trimmings.append(Trimming(account, log.floor, floor))
        following = begin + LOGS_PER_LOOK if len(part) == LOGS_PER_LOOK else None
        return Look(held, tuple(trimmings), following)

    async def keep(self, account: AccountId, entries: int | None, age_ms: int | None) -> None:
        log = self.logs[account]
        log.retain_entries, log.retain_ms = entries, age_ms

    async def kept_for(self, account: AccountId) -> AccountKeep:
        log = self.logs[account]
        return AccountKeep(log.retain_entries, log.retain_ms)

    async def drop_keys(self, clock_ms: int) -> int:
        old = arrived_by(self._samples, clock_ms - IDEMPOTENCY_WINDOW_DAYS * _DAY_MS)
        return self.forget(old, KEYS_PER_CALL)

    def log_ahead_bytes(self) -> int:
        return 0
