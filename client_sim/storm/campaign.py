"""Many storms, one after the other or in several processes, and what they come to."""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

from client_sim.foreign.drawing import draw_foreign
from client_sim.history import Fault
from client_sim.judging.verdict import Ruling
from client_sim.play import Play
from client_sim.storm.draw import SENDS, Size, draw
from client_sim.trial import Ground

CHARGES_SHOWN = 5
"""Of one failure: the first judges' first words; the journal has the rest."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed. why: what left it unknown; faults: how many fired, by kind."""

    seed: int
    ruling: Ruling
    accepted: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)
    judges: tuple[str, ...] = ()
    charges: tuple[str, ...] = ()
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Campaign:
    """Which storms, and where. Calling it with a seed runs that one."""

    ground: Ground = field(default_factory=Ground)
    size: Size = field(default_factory=Size)

    def __call__(self, seed: int) -> Outcome:
        """Never raises: what a storm breaks is its outcome, and the next one is run."""
        try:
            trial = self.ground.trial(self.draw(seed), seed)
        except Exception as error:
            return Outcome(seed, Ruling.UNKNOWN, why=(f"{type(error).__name__}: {error}",))
        judgement = trial.judgement
        faults = Counter(each.kind for each in trial.history.records if isinstance(each, Fault))
        ruling, why = judgement.ruling, judgement.why
        if ruling is Ruling.TRUE and not faults:
            ruling, why = Ruling.UNKNOWN, ("no fault fired",)
        charged = [each for each in judgement.opinions if each.ruling is Ruling.FALSE]
        charges = tuple(charge.text for each in charged for charge in each.charges[:1])
        return Outcome(
            seed,
            ruling,
            judgement.accepted,
            dict(faults),
            judgement.broken,
            charges[:CHARGES_SHOWN],
            why,
        )

    def draw(self, seed: int) -> Play:
        """The play of this seed; one that adapters can play where there is one."""
        if self.ground.adapter:
            return draw_foreign(seed)
        return draw(seed, self.size)

    def replay(self, seed: int) -> str:
        """The command that runs this seed alone."""
        size = "".join(
            f" --{name} {value}"
            for name, value, usual in (
                ("accounts", self.size.accounts, None),
                ("devices", self.size.devices, None),
                ("sends", self.size.sends, SENDS),
            )
            if value != usual
        )
        return f"client-sim storm --seeds 1 --first {seed}{size}{self.ground.options()}"

    def shrink(self, seed: int) -> str:
        """The command that makes a failure of this seed small; "" where the storm is not of the
        size that shrinking begins with."""
        usual = bool(self.ground.adapter) or self.size == Size()
        return f"client-sim shrink --seed {seed}{self.ground.options()}" if usual else ""

    def run(self, seeds: range, jobs: int = 1) -> Generator[Outcome, None, None]:
        """The outcomes of all seeds as they come; in order with one job only.

        jobs: processes. Closing the iterator ends them.
        """
        if jobs <= 1:
            yield from map(self, seeds)
            return
        # Not spawned: a bug that is planted in this process must be in those, too.
        # An interrupt of the whole group is for this process, which ends the others.
        ignoring = (signal.SIGINT, signal.SIG_IGN)
        with multiprocessing.get_context("fork").Pool(jobs, signal.signal, ignoring) as pool:
            yield from pool.imap_unordered(self, seeds, chunksize=4)


@dataclass(slots=True)
class Tally:
    """All outcomes so far."""

    campaign: Campaign
    seeds: int = 0
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    accepted: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        self.seeds += 1
        self.passed += outcome.ruling is Ruling.TRUE
        self.failed += outcome.ruling is Ruling.FALSE
        self.unknown += outcome.ruling is Ruling.UNKNOWN
        self.accepted += outcome.accepted
        self.faults.update(outcome.faults)
        if outcome.ruling is not Ruling.TRUE:
            self.failures.append(outcome)

    @property
    def status(self) -> int:
        """The exit status: 0 all passed, 1 one is false, 2 else."""
        return 1 if self.failed else 2 if self.unknown or not self.seeds else 0

    def as_json(self, seconds: float) -> dict[str, Any]:
        """For programs."""
        return {
            "seeds": self.seeds,
            "passed": self.passed,
            "failed": self.failed,
            "unknown": self.unknown,
            "accepted": self.accepted,
            "faults": dict(sorted(self.faults.items())),
            "seconds": round(seconds, 1),
            "failures": [
                {
                    "seed": each.seed,
                    "judges": list(each.judges),
                    "charges": [*each.charges, *each.why],
                    "replay": self.campaign.replay(each.seed),
                }
                for each in self.failures
            ],
        }
