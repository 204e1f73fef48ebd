"""`client-sim planted`: plants one bug after the other and shows which seed found it.

Whoever says that nothing is lost must first show that loss would be seen. Each bug is hunted in
processes of its own, on the ground that bugs.py names.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from client_sim import report
from client_sim.amounts import at_least
from client_sim.planted.bug import Bug
from client_sim.planted.bugs import BUGS, BY_NAME
from client_sim.planted.hunting import CANNOT, Run

SEEDS_MAX = 1_000
"""Runs after which a hunt gives up. The usual bug is found in the first few; one whose harm needs
several accidents at once has taken 150."""


@dataclass(frozen=True, slots=True)
class Hunted:
    """What became of one hunt.

    seed: of the run that found it; None where none did. judges: those that said false then.
    runs: how many were needed, or made in vain. skipped: why there was no hunt; empty for none.
    strangers: judges that condemned earlier runs, although none of them is the bug's.
    """

    bug: str
    ground: str
    seed: int | None
    judges: tuple[str, ...]
    runs: int
    seconds: float
    skipped: str = ""
    strangers: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        return self.seed is not None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("bugs", nargs="*", metavar="BUG", help="only these; all by default")
    parser.add_argument("--seeds", type=at_least(0), default=SEEDS_MAX, help="runs per bug at most")
    parser.add_argument(
        "--jobs", type=at_least(1), default=os.cpu_count() or 1, help="hunts at once"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(asked: argparse.Namespace) -> int:
    """Hunt them; 0 when every bug that could be hunted was found."""
    unknown = sorted(set(asked.bugs) - set(BY_NAME))
    if unknown:
        print(f"no such bug: {', '.join(unknown)}", file=sys.stderr)
        return 2
    bugs = [BY_NAME[name] for name in asked.bugs] or list(BUGS)
    console = report.console(sys.stderr if asked.json else sys.stdout)
    hunts = asyncio.run(_hunt_all(bugs, asked.seeds, asked.jobs, console))
    if asked.json:
        print(json.dumps(facts(hunts)))
    else:
        console.print(_table(hunts))
    return 0 if all(hunt.found or hunt.skipped for hunt in hunts) else 1


def facts(hunts: Sequence[Hunted]) -> dict[str, object]:
    """What --json prints. Bugs that could not be hunted here are counted apart."""
    return {
        "planted": sum(not hunt.skipped for hunt in hunts),
        "found": sum(hunt.found for hunt in hunts),
        "skipped": sum(bool(hunt.skipped) for hunt in hunts),
        "bugs": [asdict(hunt) | {"found": hunt.found} for hunt in hunts],
    }


async def _hunt_all(bugs: Sequence[Bug], seeds: int, jobs: int, console: Console) -> list[Hunted]:
    room = asyncio.Semaphore(jobs)

    async def hunt_in_turn(bug: Bug) -> Hunted:
        async with room:
            hunted = await hunt(bug, seeds)
        console.print(_line(hunted))
        return hunted

    return list(await asyncio.gather(*(hunt_in_turn(bug) for bug in bugs)))


async def hunt(bug: Bug, seeds: int = SEEDS_MAX) -> Hunted:
    """Hunt one bug over seeds 1 .. seeds."""
    begun = time.perf_counter()
    runs, strangers = 0, set[str]()
    async with aclosing(_runs(bug, seeds)) as made:
        async for run in made:
            runs += 1
            if run.ruling == CANNOT:
                spent = time.perf_counter() - begun
                return Hunted(bug.name, bug.ground, None, (), 0, spent, run.charge)
            if set(run.judges) & set(bug.judges):
                spent = time.perf_counter() - begun
                return Hunted(
                    bug.name,
                    bug.ground,
                    run.seed,
                    run.judges,
                    runs,
                    spent,
                    strangers=tuple(sorted(strangers)),
                )
            strangers.update(run.judges)
    spent = time.perf_counter() - begun
    return Hunted(bug.name, bug.ground, None, (), runs, spent, strangers=tuple(sorted(strangers)))


async def _runs(bug: Bug, seeds: int) -> AsyncGenerator[Run, None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "client_sim.planted.hunting", bug.name, "1", str(seeds)),
        stdin=DEVNULL,
        stdout=PIPE,
        limit=1 << 24,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            yield msgspec.json.decode(line, type=Run)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _line(hunted: Hunted) -> str:
    if hunted.skipped:
        return f"- {hunted.bug}: not hunted here: {hunted.skipped}"
    if hunted.found:
        return f"+ {hunted.bug}: seed {hunted.seed}, {hunted.seconds:.1f} s"
    return f"! {hunted.bug}: not found in {hunted.runs} runs"


def _table(hunts: Sequence[Hunted]) -> Table:
    found = sum(hunt.found for hunt in hunts)
    hunted = sum(not hunt.skipped for hunt in hunts)
    table = Table(
        title=f"planted bugs: {found} of {hunted} found", title_justify="left", box=SIMPLE_HEAD
    )
    for heading in ("bug", "ground", "found by seed", "runs", "seconds"):
        table.add_column(heading, no_wrap=True)
    table.add_column("judges")
    for hunt in hunts:
        seed = "skipped" if hunt.skipped else str(hunt.seed) if hunt.found else "NOT FOUND"
        said = hunt.skipped or ", ".join(hunt.judges)
        spent = f"{hunt.seconds:.1f}"
        table.add_row(hunt.bug, hunt.ground, seed, str(hunt.runs), spent, said)
    return table
