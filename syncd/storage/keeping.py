"""The door to what retention needs: how old entries are, how much each log keeps, what may go.

A sample says "at this time of the persisted clock that arrival was the newest of the store", so an
entry that arrived no later is at least that old. Samples are never guessed and may only make
entries look younger than they are: dropping one late does no harm, dropping one early does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol

from syncd.limits import CLOCK_TICK_S
from syncd.model import AccountId, Seq
from syncd.persisted_clock import ClockReading

AGE_STEPS = 64
"""Samples lie no farther apart than an entry's age divided by this: a message that is kept for a
week goes three hours late at most, and ten years are told by a thousand samples."""

KEYS_PER_CALL = 2000
"""Idempotency keys dropped in one transaction: senders wait for it, some 10 ms."""

LOG_AHEAD_BYTES_MAX = 256 * 1024 * 1024
"""More than this written ahead and not yet in the database is no normal state: four times what a
checkpoint waits for, so several have failed to finish."""

LOGS_PER_LOOK = 200
"""Logs looked at in one snapshot: reads of devices wait for it, 10 ms where all drop some."""


class AgeSample(NamedTuple):
    """At `clock_ms` of the persisted clock `arrival` was the newest of the store."""

    clock_ms: int
    arrival: int


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a log is kept: entries, and milliseconds of the persisted clock; 0 is all."""

    entries: int = 0
    age_ms: int = 0


class AccountKeep(NamedTuple):
    """How much of one account's log is kept, as Keep says it; None: as the default says."""

    entries: int | None
    age_ms: int | None


@dataclass(frozen=True, slots=True)
class Trimming:
    """What a plan would do to one log: drop what lies above `floor` up to `new_floor`."""

    account: AccountId
    floor: Seq
    new_floor: Seq


@dataclass(frozen=True, slots=True)
class Look:
    """One part of a plan. `next` is where the following look begins, None after the last log."""

    entries: int
    """How many entries the logs of this part hold."""
    trimmings: tuple[Trimming, ...]
    next: int | None
    damages: tuple[str, ...] = ()
    """Of logs whose age cannot be told: nothing of them is dropped for it."""


class Keeping(Protocol):
    """What a backend offers to retention. Every method raises StorageError."""

    async def saved_clock(self) -> ClockReading | None:
        """The reading that was noted last; None in a store that never noted one."""

    async def note(self, reading: ClockReading) -> None:
        """Save the reading, and as a sample what is the newest arrival; durable when this returns.

        Where nothing arrived since the newest sample there is no new one: the older says more.
        """

    async def thin(self, clock_ms: int) -> None:
        """Drop the samples that `superfluous` names at this time."""

    async def look(self, begin: int, clock_ms: int, default: Keep) -> Look:
        """What retention would drop at `clock_ms` of some logs: those from `begin` (first 0) on.

        A log keeps what was set for it by `keep`, and `default` where that says nothing.
        """

    async def keep(self, account: AccountId, entries: int | None, age_ms: int | None) -> None:
        """How much of this log is kept from now on; None for the default, 0 for everything.

        Raises KeyError for an unknown account.
        """

    async def kept_for(self, account: AccountId) -> AccountKeep:
        """What `keep` was told last. Raises KeyError for an unknown account."""

    async def drop_keys(self, clock_ms: int) -> int:
        """Forget idempotency keys that were old at `clock_ms` already; how many.

        At most KEYS_PER_CALL: its caller asks again while so many were dropped.
        """

    def log_ahead_bytes(self) -> int:
        """Size of what is written ahead of the database on disk; 0 where there is no such thing."""


def arrived_by(samples: Sequence[AgeSample], clock_ms: int) -> int:
    """The newest arrival that had certainly come by `clock_ms`; 0 for none."""
    return max((each.arrival for each in samples if each.clock_ms <= clock_ms), default=0)


def superfluous(samples: Sequence[AgeSample], clock_ms: int) -> list[AgeSample]:
    """Which samples, oldest first in `samples`, tell nothing that their neighbours do not.

    The newest stays, because arrivals must not be given twice, and so does the oldest.
    """
    dropped: list[AgeSample] = []
    kept = samples[0] if samples else None
    for here, after in pairwise(samples[1:]):
        assert kept is not None, "there is an oldest"
        step_ms = max((clock_ms - after.clock_ms) // AGE_STEPS, int(CLOCK_TICK_S * 1000))
        if after.clock_ms - kept.clock_ms <= step_ms:
            dropped.append(here)
        else:
            kept = here
    return dropped


def floor_by_count(floor: Seq, head: Seq, entries: int) -> Seq:
    """The floor of a log that keeps its newest `entries`; 0 keeps all."""
    return floor if entries == 0 else max(floor, head - entries)
