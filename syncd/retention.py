"""Retention: notes the passing of time, and now and then drops what nobody wants kept any longer.

No device is asked whether it is done: one that is behind is told what it missed when it comes, and
holds up nobody until then. Every pass is planned before anything is dropped, and a plan that would
drop too large a part of the store is not carried out: then a setting or a clock is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from syncd.limits import (
    CLOCK_TICK_S,
    RETAIN_DAYS_MAX,
    RETAIN_ENTRIES_MAX,
    SWEEP_DROP_PERCENT_MAX,
    SWEEP_INTERVAL_S,
)
from syncd.model import AccountId, Seq
from syncd.persisted_clock import PersistedClock
from syncd.storage import Storage, StorageError
from syncd.storage.keeping import KEYS_PER_CALL, LOG_AHEAD_BYTES_MAX, Keep, Trimming

log = logging.getLogger(__name__)

Facts: TypeAlias = dict[str, int | str | bool | None]

DAY_MS = 24 * 60 * 60 * 1000

_TRIM_ENTRIES = 1000
"""Entries dropped in one transaction: senders wait for it, some 10 ms."""

_FAILURES_MAX = 10
"""Logs that could not be trimmed, after which a pass gives up: one log may be damaged, but where so
many fail it is the disk."""

_TICKS_PER_SWEEP = int(SWEEP_INTERVAL_S / CLOCK_TICK_S)


def kept(entries: int, days: int) -> Keep:
    """A retention as settings say it; 0 keeps everything."""
    return Keep(entries, days * DAY_MS)


@dataclass(frozen=True, slots=True)
class _Plan:
    entries: int
    trimmings: tuple[Trimming, ...]
    damages: tuple[str, ...]

    @property
    def dropped(self) -> int:
        return sum(each.new_floor - each.floor for each in self.trimmings)

    @property
    def too_much(self) -> bool:
        return self.dropped * 100 > self.entries * SWEEP_DROP_PERCENT_MAX


class Retention:
    """Owns no task: `run` is the body of one that the assembler starts.

    wake: told which accounts' logs were trimmed: connected devices that stand below the new floor
        hear so in place of a batch.
    default: how much is kept of a log for which nothing else was set.
    on_failure: called when storage failed with an unknown outcome; must stop the process.
    wall_s: the wall clock, in seconds; asked only for what passes while nobody runs.
    """

    def __init__(
        self,
        storage: Storage,
        wake: Callable[[Iterable[AccountId]], None],
        default: Keep,
        *,
        on_failure: Callable[[StorageError], None],
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._keeping = storage.keeping
        self._wake = wake
        self._default = default
        self._on_failure = on_failure
        self._wall_s = wall_s
        self._clock: PersistedClock | None = None
        self._one_at_a_time = asyncio.Lock()
        self._log_ahead_alarmed = False

    async def run(self) -> None:
        """Note the time every minute and sweep every hour, for ever; ends by cancellation."""
        ticks = 0
        while True:
            try:
                await self.tick()
                # Not at once: a service that has just started has more urgent things to do.
                if ticks % _TICKS_PER_SWEEP == 1:
                    await self.sweep()
            except StorageError as error:
                log.error("! retention: %s", error)
                if not error.definite:
                    self._on_failure(error)
                    return
            ticks += 1
            await asyncio.sleep(CLOCK_TICK_S)

    async def tick(self) -> int:
        """Note the time and what has arrived; what the clock shows. Raises StorageError."""
        async with self._one_at_a_time:
            now_ms = await self._note()
        self._look_at_log_ahead()
        return now_ms

    async def sweep(self, anyway: bool = False) -> Facts:
        """Drop what is old enough or too much, and idempotency keys that are old.

        anyway: carry out even a plan that would drop too large a part of the store.

        Facts: `swept` (whether the plan was carried out), `entries` (in the store before), `logs`
        and `dropped` (what was dropped, or would have been), `failed` (logs that could not be
        trimmed), `keys`. Raises StorageError.
        """
        async with self._one_at_a_time:
            now_ms = await self._note()
            await self._keeping.thin(now_ms)
            keys = await self._drop_keys(now_ms)
            plan = await self._plan(now_ms)
            facts: Facts = {
                "swept": anyway or not plan.too_much,
                "entries": plan.entries,
                "logs": len(plan.trimmings),
                "dropped": plan.dropped,
                "failed": len(plan.damages),
                "keys": keys,
            }
            for damage in plan.damages:
                log.error("! retention: %s", damage)
            if facts["swept"]:
                facts["failed"] = len(plan.damages) + await self._carry_out(plan)
                log.info("= retention: swept", extra={"facts": facts})
            else:
                log.error(
                    "! alarm: retention would drop more than %d %% of the store and did not run",
                    SWEEP_DROP_PERCENT_MAX,
                    extra={"facts": facts},
                )
            return facts

    async def keep(self, account: AccountId, entries: int | None, days: int | None) -> Facts:
        """How much of the account's log is kept from now on; the next pass acts on it.

        None leaves what was set, 0 is everything. Answers as `rule`. Raises KeyError for an unknown
        account, ValueError for what is negative or too large, and StorageError.
        """
        if entries is not None and not 0 <= entries <= RETAIN_ENTRIES_MAX:
            raise ValueError(f"How many entries are kept is 0 (all) to {RETAIN_ENTRIES_MAX}.")
        if days is not None and not 0 <= days <= RETAIN_DAYS_MAX:
            raise ValueError(f"How many days are kept is 0 (for ever) to {RETAIN_DAYS_MAX}.")
        async with self._one_at_a_time:
            before = await self._keeping.kept_for(account)
            await self._keeping.keep(
                account,
                before.entries if entries is None else entries,
                before.age_ms if days is None else days * DAY_MS,
            )
        return await self.rule(account)

    async def keep_default(self, account: AccountId) -> Facts:
        """As much is kept from now on as the service keeps by default; answers as `rule`.

        Raises KeyError for an unknown account, and StorageError.
        """
        async with self._one_at_a_time:
            await self._keeping.keep(account, None, None)
        return await self.rule(account)

    async def rule(self, account: AccountId) -> Facts:
        """How much of the account's log is kept.

        Facts: `account`; `entries` and `days` that were set for it, None where the default holds;
        `default_entries` and `default_days` of the service. 0 is everything. Raises KeyError for an
        unknown account, and StorageError.
        """
        entries, age_ms = await self._keeping.kept_for(account)
        return {
            "account": account,
            "entries": entries,
            "days": None if age_ms is None else age_ms // DAY_MS,
            "default_entries": self._default.entries,
            "default_days": self._default.age_ms // DAY_MS,
        }

    # -------------------------------------------------------- the clock

    async def _note(self) -> int:
        monotonic_s = asyncio.get_running_loop().time()
        if self._clock is None:
            saved = await self._keeping.saved_clock()
            self._clock = PersistedClock(saved, monotonic_s=monotonic_s, wall_s=self._wall_s())
        reading = self._clock.reading(monotonic_s=monotonic_s, wall_s=self._wall_s())
        await self._keeping.note(reading)
        return reading.clock_ms

    def _look_at_log_ahead(self) -> None:
        size = self._keeping.log_ahead_bytes()
        if size > LOG_AHEAD_BYTES_MAX and not self._log_ahead_alarmed:
            log.error(
                "! alarm: the write-ahead log grows, something keeps it from being copied",
                extra={"facts": {"bytes": size, "bytes_max": LOG_AHEAD_BYTES_MAX}},
            )
        self._log_ahead_alarmed = size > LOG_AHEAD_BYTES_MAX

    # -------------------------------------------------------- a pass

    async def _plan(self, now_ms: int) -> _Plan:
        entries = 0
        trimmings: list[Trimming] = []
        damages: list[str] = []
        begin: int | None = 0
        while begin is not None:
            look = await self._keeping.look(begin, now_ms, self._default)
            entries += look.entries
            trimmings += look.trimmings
            damages += look.damages
            begin = look.next
        return _Plan(entries, tuple(trimmings), tuple(damages))

    async def _carry_out(self, plan: _Plan) -> int:
        """Trim log by log; how many logs failed."""
        failed = 0
        for each in plan.trimmings:
            try:
                await self._trim(each)
            except StorageError as error:
                failed += 1
                if not error.definite or failed == _FAILURES_MAX:
                    raise
                log.error("! retention: %s could not be trimmed: %s", each.account, error)
        return failed

    async def _trim(self, trimming: Trimming) -> None:
        floor: Seq = trimming.floor
        while floor < trimming.new_floor:
            floor = min(floor + _TRIM_ENTRIES, trimming.new_floor)
            await self._storage.trim(trimming.account, floor + 1)
            self._wake((trimming.account,))

    async def _drop_keys(self, now_ms: int) -> int:
        total = dropped = await self._keeping.drop_keys(now_ms)
        while dropped == KEYS_PER_CALL:
            dropped = await self._keeping.drop_keys(now_ms)
            total += dropped
        return total
