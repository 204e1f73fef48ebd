"""`client-sim storm`: plays drawn from seeds, faults of all kinds, then calm, then the judges."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, closing, nullcontext

from rich.console import Console, RenderableType
from rich.live import Live

from client_sim.amounts import at_least
from client_sim.judging.verdict import Ruling
from client_sim.report import console
from client_sim.storm import view
from client_sim.storm.campaign import Campaign, Outcome, Tally
from client_sim.storm.draw import ACCOUNTS, DEVICES, SENDS, Size
from client_sim.trial import MEMORY, SQLITE, Ground, hush

REFRESHES_PER_S = 4.0
LINE_EVERY_S = 5.0
"""Where there is no terminal to draw in."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim storm`."""
    parser.add_argument(
        "--seeds", type=at_least(1), default=100, metavar="N", help="how many [100]"
    )
    parser.add_argument("--first", type=int, default=1, metavar="SEED", help="the first seed [1]")
    parser.add_argument("--storage", choices=(MEMORY, SQLITE), default=MEMORY)
    parser.add_argument("--accounts", type=int, choices=range(1, len(ACCOUNTS) + 1))
    parser.add_argument("--devices", type=int, choices=range(1, len(DEVICES) + 1))
    parser.add_argument("--sends", type=at_least(1), default=SENDS, help=f"messages [{SENDS}]")
    parser.add_argument("--jobs", type=at_least(1), default=1, metavar="J", help="processes [1]")
    parser.add_argument("--adapter", default="", metavar="CMD", help="somebody else's server")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failure")
    parser.add_argument("--json", action="store_true", help="print the counts; the rest: stderr")


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim storm`: 0 all passed, 1 one is false, 2 one is unknown, 130
    interrupted: what was found until then is told all the same."""
    hush()
    campaign = Campaign(
        Ground(storage=arguments.storage, adapter=arguments.adapter),
        Size(arguments.accounts, arguments.devices, arguments.sends),
    )
    showing = Showing(
        Tally(campaign), arguments.seeds, console(sys.stderr if arguments.json else sys.stdout)
    )
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    try:
        with closing(campaign.run(seeds, arguments.jobs)) as outcomes:
            showing.follow(outcomes, arguments.keep_going)
    finally:
        showing.end()
        if arguments.json:
            print(json.dumps(showing.tally.as_json(showing.seconds)), flush=True)
    return showing.tally.status


class Showing:
    """Counts outcomes as they come, and lets people see it."""

    def __init__(self, tally: Tally, planned: int, target: Console) -> None:
        self.tally = tally
        self._planned = planned
        self._target = target
        self._begun = time.monotonic()
        self._said_s = 0.0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    def follow(self, outcomes: Iterable[Outcome], keep_going: bool) -> None:
        """To the end, or to the first storm that does not pass."""
        with self._screen() as screen:
            for outcome in outcomes:
                self.tally.add(outcome)
                passed = outcome.ruling is Ruling.TRUE
                if not passed:
                    self._say(view.finding(self.tally.campaign, outcome))
                if screen is not None:
                    screen.update(view.live(self.tally, self._planned, self.seconds))
                elif self.seconds - self._said_s >= LINE_EVERY_S:
                    self._said_s = self.seconds
                    self._say(view.line(self.tally, self._planned, self.seconds))
                if not (passed or keep_going):
                    return

    def end(self) -> None:
        """What it came to."""
        self._say(view.faults(self.tally))
        self._say(view.line(self.tally, self._planned, self.seconds).strip())

    def _screen(self) -> AbstractContextManager[Live | None]:
        if not self._target.is_terminal:
            return nullcontext()
        return Live(console=self._target, refresh_per_second=REFRESHES_PER_S, transient=True)

    def _say(self, said: RenderableType) -> None:
        # Not broken into lines: a command in it must be copied whole.
        self._target.print(said, soft_wrap=True)
