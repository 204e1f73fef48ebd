"""`client-sim crash-points`: kill a server at every call by which it writes; does all survive?"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from client_sim.amounts import at_least
from client_sim.house import CannotDo
from client_sim.live import crash_points
from client_sim.live.crash_points import MOMENTS, PLAYS, SENDING, Life, Point
from client_sim.live.faulty_disk import compiled
from client_sim.live.nursery import Nursery
from client_sim.live_server import ServerFailed
from client_sim.report import console


@dataclass
class Tally:
    """What became of all lives so far."""

    power_cut: bool = False
    play: str = SENDING
    points: int = 0
    survived: int = 0
    missed: int = 0
    """Points that a run did not come to: calls vary a little from run to run."""
    seconds: float = 0.0
    failures: list[Life] = field(default_factory=list)

    def add(self, life: Life) -> None:
        """One more."""
        self.points += 1
        self.survived += life.survived and life.died
        self.missed += life.survived and not life.died
        if not life.survived:
            self.failures.append(life)

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return {
            "points": self.points,
            "survived": self.survived,
            "missed": self.missed,
            "seconds": round(self.seconds, 1),
            "failures": [
                {
                    "point": life.point.number,
                    "when": life.point.when,
                    "call": life.point.call,
                    "ruling": life.judgement.ruling.value,
                    "charges": _reasons(life),
                    "replay": self.replay(life.point),
                }
                for life in self.failures
            ],
        }

    def replay(self, point: Point) -> str:
        """The command that dies there again."""
        asked = f"client-sim crash-points --point {point.number} --when {point.when}"
        asked += "" if self.play == SENDING else f" --play {self.play}"
        return f"{asked} --power-cut" if self.power_cut else asked


def enumerate_points(
    chosen: Sequence[Point], play: str, jobs: int, power_cut: bool
) -> Iterator[Life]:
    """What becomes of each, as it comes. Raises CannotDo, ServerFailed."""
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin_work) as pool:
        yield from pool.map(partial(_work, play=play, power_cut=power_cut), chosen)


def counted(play: str) -> list[str]:
    """The calls of a run in which nobody dies. Raises CannotDo, ServerFailed."""
    with _nursery() as nursery:
        return asyncio.run(crash_points.count(nursery, play))


def _nursery() -> Nursery:
    return Nursery({"LD_PRELOAD": str(compiled())})


_at_work: list[Nursery] = []
"""Of this worker, which has one for its whole life."""


def _begin_work() -> None:
    # An interrupt of the whole group is for the first process; here the life at hand is lived to
    # its end, so that nothing of it is left behind.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _be_quiet()
    _at_work.append(ExitStack().enter_context(_nursery()))


def _work(point: Point, play: str, power_cut: bool) -> Life:
    [nursery] = _at_work
    return asyncio.run(crash_points.live_through(point, nursery, play=play, power_cut=power_cut))


def _be_quiet() -> None:
    # That a server is away for a moment is the very point of it.
    logging.getLogger("syncd.client").setLevel(logging.ERROR)


# ------------------------------------------------------------ the command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim crash-points`."""
    parser.add_argument(
        "--every", type=at_least(1), default=1, metavar="N", help="each Nth point only [1]"
    )
    parser.add_argument("--point", type=int, metavar="NUMBER", help="this call only")
    parser.add_argument("--when", choices=MOMENTS, help="this moment of it only")
    parser.add_argument(
        "--play", choices=tuple(PLAYS), default=SENDING, help="what happens meanwhile [sending]"
    )
    parser.add_argument(
        "--power-cut", action="store_true", help="what was not flushed by then is lost, too"
    )
    parser.add_argument(
        "--jobs",
        type=at_least(1),
        default=os.cpu_count() or 1,
        metavar="J",
        help="processes at work",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim crash-points`: 0 everything survived, 1 something did not, 2 unknown."""
    _be_quiet()
    began = time.monotonic()
    tally = Tally(arguments.power_cut, arguments.play)
    try:
        points = [
            point
            for point in crash_points.points(counted(arguments.play))
            if arguments.point in (None, point.number) and arguments.when in (None, point.when)
        ][:: arguments.every]
        lives = enumerate_points(points, arguments.play, arguments.jobs, arguments.power_cut)
        for life in _shown(lives, len(points)):
            tally.add(life)
    except (CannotDo, ServerFailed) as error:
        print(f"client-sim crash-points: {error}", file=sys.stderr)
        return 2
    tally.seconds = time.monotonic() - began
    if arguments.json:
        print(json.dumps(tally.facts()))
    else:
        show(tally)
    if tally.failures:
        return 1
    return 0 if tally.survived else 2


def _shown(lives: Iterator[Life], whole: int) -> Iterator[Life]:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("deaths"), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as progress:
        yield from progress.track(lives, total=whole)


def show(tally: Tally) -> None:
    """For people: what did not survive, and a line about all."""
    said = console(sys.stdout)
    for life in tally.failures:
        said.print(f"[bold red]{life.judgement.ruling.value}[/] at {life.point}: {life.point.call}")
        for reason in _reasons(life):
            said.print(f"  {reason}", soft_wrap=True, markup=False)
        said.print(f"  replay: {tally.replay(life.point)}", soft_wrap=True)
    missed = f", {tally.missed} not come to" if tally.missed else ""
    said.print(
        f"{tally.points} crash points: {tally.survived} survived, {len(tally.failures)} did not"
        f"{missed}; {tally.seconds:.0f} s"
    )


def _reasons(life: Life) -> list[str]:
    charges = [
        f"{opinion.judge}: {charge.text}"
        for opinion in life.judgement.opinions
        for charge in opinion.charges
    ]
    return charges + list(life.judgement.why)
