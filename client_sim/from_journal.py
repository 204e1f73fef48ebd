"""`client-sim from-journal JOURNAL`: a server's recording becomes a play, and seeds around it are
tried."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console

from client_sim import history, judge
from client_sim.amounts import at_least
from client_sim.history import NotAHistory, Record
from client_sim.judging import court
from client_sim.judging.verdict import Judgement, Ruling
from client_sim.planted import planting
from client_sim.play import Play
from client_sim.report import console
from client_sim.retelling.tale import NothingToTell, Retold, retold
from client_sim.trial import MEMORY, SQLITE, Ground, NotPlayed, hush

SEEDS = 20
"""As many as are tried where nobody says how many."""

_WORSE = {Ruling.TRUE: 0, Ruling.UNKNOWN: 1, Ruling.FALSE: 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim from-journal`."""
    parser.add_argument(
        "journal", type=Path, metavar="JOURNAL", help="as `syncd serve --journal FILE` wrote it"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.toml", help="the play [JOURNAL.toml, here]"
    )
    parser.add_argument("--seed", type=int, default=1, help="the first that is tried [1]")
    parser.add_argument(
        "--seeds", type=at_least(0), default=SEEDS, metavar="N", help=f"so many are tried [{SEEDS}]"
    )
    parser.add_argument("--storage", choices=(MEMORY, SQLITE), default=MEMORY)
    parser.add_argument(
        "--keep-times", action="store_true", help="pauses as long as they were, not shortened"
    )
    planting.add_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim from-journal`: 0 all seeds passed, 1 one failed, 2 something is unknown."""
    hush()
    source: Path = arguments.journal
    output = arguments.output or Path(f"{source.stem}.toml")
    target = console()
    try:
        records = history.read(source)
        told = retold(records, output.stem, keep_times=arguments.keep_times)
        output.write_text(told.play.toml(), encoding="utf-8")
        _introduce(records, told, output, target)
        ground = Ground(storage=arguments.storage)
        seeds = range(arguments.seed, arguments.seed + arguments.seeds)
        worst = _search(ground, told.play, seeds, target)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}")
    except (NotAHistory, NothingToTell, NotPlayed) as error:
        return _fail(f"{source}: {error}")
    if worst is None or worst[1].ruling is Ruling.TRUE:
        return 0
    seed, judgement = worst
    for doubt in judgement.why:
        target.print(f"unknown: {doubt}", markup=False)
    for opinion in judgement.opinions:
        for charge in opinion.charges[:1]:
            target.print(f"{opinion.judge}: {charge.text}", markup=False)
    where = f"{output} --seed {seed}{ground.options()}"
    target.print(f"replay: client-sim run {where}\nshrink: client-sim shrink {where}", markup=False)
    return judge.EXITS[judgement.ruling]


def _fail(text: str) -> int:
    print(f"client-sim from-journal: {text}", file=sys.stderr)
    return 2


def _introduce(records: list[Record], told: Retold, output: Path, target: Console) -> None:
    play = told.play
    target.print(f"{play.story} {output} has {len(play.steps)} steps.", markup=False)
    for each in told.left_out:
        target.print(f"not in the play: {each}", markup=False)
    judgement = court.judge(records)
    target.print(f"the recording itself: {judge.conclusion(judgement)}", markup=False)


def _search(
    ground: Ground, play: Play, seeds: range, target: Console
) -> tuple[int, Judgement] | None:
    """The first of the seeds with the worst end; None where there are no seeds."""
    rulings: Counter[Ruling] = Counter()
    broken: Counter[str] = Counter()
    worst: tuple[int, Judgement] | None = None
    for seed in seeds:
        judgement = ground.trial(play, seed).judgement
        rulings[judgement.ruling] += 1
        broken.update(judgement.broken)
        if worst is None or _WORSE[judgement.ruling] > _WORSE[worst[1].ruling]:
            worst = seed, judgement
    said = ", ".join(f"{rulings[each]} {each.value}" for each in Ruling)
    target.print(f"{len(seeds)} seeds from {seeds.start} on: {said}", markup=False)
    for name, count in broken.most_common():
        target.print(f"  {name} fails in {count}", markup=False)
    return worst
