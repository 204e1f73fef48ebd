"""Makes a failing play small: the least that the same judge still condemns.

Knows nothing of what runs a play: a world, somebody else's server, a planted bug are all a `Run`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from client_sim.judging.verdict import Judgement, Ruling
from client_sim.play import Play
from client_sim.storm.reductions import smaller

Run = Callable[[Play], Judgement]
"""Plays a play with the seed that is in it. May raise anything where the play makes no sense."""

RUNS_MAX = 3_000
"""Enough to make a storm small; most candidates fail at their first seed."""

SEEDS_TRIED = 3
SEEDS_TRIED_BY_LENGTH = 60
"""Of one candidate, where the failure hangs on chance: a smaller play may need another seed. So
many at least, and this many shared among the steps: short plays are run fast."""


class NothingToShrink(Exception):
    """The play does not fail."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What became of it. judge: who condemns it still; text: the first charge; runs: it took."""

    play: Play
    judge: str
    text: str
    runs: int


class Shrinking:
    """One shrinking on its way; `go` it once.

    enough: asked before each run; True ends the work with what was reached.
    steady: the seed has no part in what happens, so one is as good as another.
    """

    def __init__(
        self,
        run: Run,
        enough: Callable[[], bool] = lambda: False,
        judge: str | None = None,
        *,
        steady: bool = False,
    ) -> None:
        self._run, self._enough = run, enough
        self._judge = judge or ""
        self._text = ""
        self._steady = steady
        self.runs = 0

    def go(self, play: Play) -> Shrunk:
        """The smallest failing play that was found. Raises NothingToShrink."""
        best = self._first(play)
        while True:
            before = best
            best = smaller(best, self._fails)
            if best == before or self._spent:
                story = f"Shrunk from {play.name}. {self._judge}: {self._text}"
                shrunk = replace(best, name=f"{play.name}-shrunk", story=story)
                return Shrunk(shrunk, self._judge, self._text, self.runs)

    @property
    def _spent(self) -> bool:
        return self.runs >= RUNS_MAX or self._enough()

    def _first(self, play: Play) -> Play:
        seeded = replace(play, seed=play.seed or 0)
        judgement = self._run(seeded)
        if not judgement.broken:
            raise NothingToShrink(f"{play.name} does not fail with seed {seeded.seed}")
        self._judge = self._judge or judgement.broken[0]
        if not self._condemned(judgement):
            raise NothingToShrink(f"{play.name} does not fail in {self._judge}")
        others = (replace(seeded, seed=seed) for seed in self._seeds(seeded)[1:])
        self._steady = self._steady or all(self._fails_so(each) for each in others)
        return seeded

    def _fails(self, play: Play) -> Play | None:
        if not play.steps or not play.cast or not all(play.cast.values()):
            return None
        for seed in self._seeds(play)[: 1 if self._steady else None]:
            if self._spent:
                return None
            candidate = replace(play, seed=seed)
            if self._fails_so(candidate):
                return candidate
        return None

    def _seeds(self, play: Play) -> range:
        seed = play.seed or 0
        return range(seed, seed + max(SEEDS_TRIED, SEEDS_TRIED_BY_LENGTH // len(play.steps)))

    def _fails_so(self, play: Play) -> bool:
        judgement = self._judged(play)
        return judgement is not None and self._condemned(judgement)

    def _judged(self, play: Play) -> Judgement | None:
        """None where the play makes no sense any more: a clone of nobody, a server that nobody
        starts. Whatever it raises then, it is not the failure that is looked for."""
        self.runs += 1
        try:
            return self._run(play)
        except Exception:
            return None

    def _condemned(self, judgement: Judgement) -> bool:
        """Whether it is the same failure still; if so, its words are kept."""
        for opinion in judgement.opinions:
            if opinion.judge == self._judge and opinion.ruling is Ruling.FALSE:
                self._text = opinion.charges[0].text if opinion.charges else ""
                return True
        return False
