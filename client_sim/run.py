"""`client-sim run [PLAY ...]`: plays it, has it judged, and says what to do about a failure."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from client_sim import judge
from client_sim import play as plays
from client_sim.amounts import at_least
from client_sim.judging.verdict import Ruling
from client_sim.planted import planting
from client_sim.play import BadPlay, Play
from client_sim.report import console
from client_sim.trial import LIVE, MEMORY, PRETEND, SQLITE, Ground, NotPlayed, Trial, hush

_STYLES = {Ruling.TRUE: "bold green", Ruling.FALSE: "bold red", Ruling.UNKNOWN: "bold yellow"}
_WORST = (Ruling.FALSE, Ruling.UNKNOWN, Ruling.TRUE)
"""Of several runs the worst speaks for all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim run`."""
    parser.add_argument(
        "play", nargs="*", help="names (see client-sim plays) or files; none: all that there are"
    )
    parser.add_argument("--world", choices=(PRETEND, LIVE), default=PRETEND)
    parser.add_argument(
        "--storage", choices=(MEMORY, SQLITE), default=MEMORY, help="of the pretend world [memory]"
    )
    parser.add_argument("--seed", type=int, help="of all chance [the play's own, or 1]")
    parser.add_argument(
        "--seeds", type=at_least(1), default=1, metavar="N", help="so many, from there on"
    )
    parser.add_argument("--journal", type=Path, metavar="FILE", help="keep what happened there")
    parser.add_argument("--adapter", default="", metavar="CMD", help="somebody else's server")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each run")
    planting.add_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim run`: 0 all is true, 1 something is false, 2 something is unknown."""
    hush()
    showing = Showing(
        Ground(arguments.world, arguments.storage, arguments.adapter),
        arguments.journal,
        console(sys.stderr if arguments.json else sys.stdout),
    )
    names = arguments.play or plays.names()
    brief = len(names) > 1 or arguments.seeds > 1
    try:
        for name in names:
            play = plays.load(name)
            first = arguments.seed if arguments.seed is not None else play.seed or 1
            for seed in range(first, first + arguments.seeds):
                found = showing.one(name, play, seed, brief)
                if arguments.json:
                    print(json.dumps(found), flush=True)
    except (BadPlay, NotPlayed, OSError) as error:
        print(f"client-sim run: {error}", file=sys.stderr)
        return 2
    return showing.end(brief)


class Showing:
    """Runs plays, keeps the journal and tells people what came of it."""

    def __init__(self, ground: Ground, journal: Path | None, target: Console) -> None:
        self._ground = ground
        self._journal = journal
        self._target = target
        self._rulings: list[Ruling] = []

    def one(self, name: str, play: Play, seed: int, brief: bool) -> dict[str, Any]:
        """One run, for people; and for programs: the judgement, the history's fingerprint, the
        replay command. brief: one line is enough where all is well. Raises NotPlayed, OSError."""
        trial = self._ground.trial(play, seed)
        # Of several runs the first that failed is kept, else the last.
        if self._journal is not None and set(self._rulings) <= {Ruling.TRUE}:
            self._journal.write_bytes(b"".join(trial.history.lines()))
        ruling = trial.judgement.ruling
        self._rulings.append(ruling)
        head = Text(f"{play.name}, seed {seed}: ").append(ruling.value, _STYLES[ruling])
        self._target.print(head)
        if not brief:
            self._target.print(Text(play.story, style="dim"), Text(""), sep="\n")
        if not brief or ruling is not Ruling.TRUE:
            judge.show(trial.judgement, trial.history.records, self._target)
        again = f"client-sim run {name} --seed {seed}{self._ground.options()}"
        if ruling is not Ruling.TRUE:
            self._advise(trial, again)
        return {
            "play": play.name,
            "seed": seed,
            **judge.as_json(trial.judgement),
            "digest": trial.history.digest(),
            "replay": again,
        }

    def _advise(self, trial: Trial, again: str) -> None:
        kept = self._journal or Path(f"{trial.play.name}.jsonl")
        keep = "" if self._journal else f"{again} --journal {kept}; "
        picture = f"{keep}client-sim picture {kept} -o {kept.with_suffix('.html')}"
        self._target.print(f"replay:  {again}\npicture: {picture}", soft_wrap=True)

    def end(self, brief: bool) -> int:
        """The exit status of all runs together."""
        if brief:
            passed = self._rulings.count(Ruling.TRUE)
            self._target.print(f"{passed} of {len(self._rulings)} runs passed")
        worst = next((each for each in _WORST if each in self._rulings), Ruling.UNKNOWN)
        return judge.EXITS[worst]
