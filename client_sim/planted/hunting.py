"""Runs in which one bug is planted: seed after seed until one of its judges says false.

A process of its own, because the bug is in the modules that it imports. Prints a line of JSON for
each run.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from random import Random
from typing import TypeAlias

import msgspec

from client_sim.judging.verdict import Judgement, Ruling
from client_sim.planted.bug import POWER_CUT, Bug
from client_sim.planted.bugs import BY_NAME
from client_sim.planted.planting import plant, server_command

CANNOT = "cannot"
"""The ruling of a run that this machine cannot make; its charge says why."""


class Run(msgspec.Struct, frozen=True):
    """One run of a hunt: its seed, what the court said, and the judges that said false."""

    seed: int
    ruling: str
    judges: tuple[str, ...]
    charge: str


Verdict: TypeAlias = tuple[str, tuple[str, ...], str]
"""What a run came to: a ruling, the judges that said false, the first charge."""


def hunt(bug: Bug, seeds: range) -> Iterator[Run]:
    """Run the bug's ground, seed by seed, to the first run that one of its judges condemns."""
    perform = _ground(bug)
    for seed in seeds:
        ruling, judges, charge = perform(seed)
        yield Run(seed, ruling, judges, charge)
        if ruling == CANNOT or set(judges) & set(bug.judges):
            return


def _ground(bug: Bug) -> Callable[[int], Verdict]:
    """How one run is made there."""
    kind, _, name = bug.ground.partition(" ")
    match kind:
        case "storm" | "play":
            plant(bug)  # before anything imports what it changes
            return _pretended(kind, name)
        case "live":
            return _live(bug, name)
        case _:
            return _killed(bug, power_cut=bug.ground == POWER_CUT)


def _pretended(kind: str, name: str) -> Callable[[int], Verdict]:
    from client_sim import play as plays
    from client_sim.storm.draw import draw
    from client_sim.trial import MEMORY, Ground

    ground = Ground(storage=name if kind == "storm" and name else MEMORY)
    play = plays.load(name) if kind == "play" else None
    return lambda seed: _said(
        ground.trial(draw(seed) if play is None else play, seed).judgement,
    )


def _live(bug: Bug, name: str) -> Callable[[int], Verdict]:
    """The bug is in the server's process only."""
    from client_sim import play as plays
    from client_sim.expectations import charges
    from client_sim.judging.court import judge
    from client_sim.live.playing import play_live

    play = plays.load(name)

    def perform(seed: int) -> Verdict:
        history = play_live(play, seed, server_command(bug.name))
        return _said(judge(history.records, charges(play, history.records)))

    return perform


def _killed(bug: Bug, power_cut: bool) -> Callable[[int], Verdict]:
    """Each run dies at another of the server's writes, in an order that is always the same."""
    from client_sim.house import CannotDo
    from client_sim.live import crash_points
    from client_sim.live.program import Command
    from client_sim.live_server import ServerFailed

    program = Command(server_command(bug.name))
    try:
        points = list(crash_points.points(asyncio.run(crash_points.count(program))))
    except CannotDo as error:
        why = str(error)
        return lambda seed: (CANNOT, (), why)
    Random(0).shuffle(points)

    def perform(seed: int) -> Verdict:
        point = points[seed % len(points)]
        try:
            life = asyncio.run(crash_points.live_through(point, program, power_cut=power_cut))
        except ServerFailed as error:
            # It lost so much that the play could not go on, and nothing was judged.
            return Ruling.UNKNOWN.value, (), str(error)
        return _said(life.judgement)

    return perform


def _said(judgement: Judgement) -> Verdict:
    charges = [each.charges[0].text for each in judgement.opinions if each.charges]
    return judgement.ruling.value, judgement.broken, charges[0] if charges else ""


def main() -> None:
    """``hunting BUG FIRST LAST``."""
    name, first, last = sys.argv[1:]
    for run in hunt(BY_NAME[name], range(int(first), int(last) + 1)):
        print(msgspec.json.encode(run).decode(), flush=True)


if __name__ == "__main__":
    main()
