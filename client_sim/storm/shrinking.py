"""`client-sim shrink`: a failing storm or play, made as small as the same judge still fails it."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from client_sim import play as plays
from client_sim.planted import planting
from client_sim.play import BadPlay, Play
from client_sim.storm.campaign import Campaign
from client_sim.storm.shrink import NothingToShrink, Shrinking, Shrunk
from client_sim.trial import MEMORY, SQLITE, Ground, NotPlayed, hush

SECONDS = 120
"""Longer than most need, shorter than a person waits."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim shrink`."""
    parser.add_argument("play", nargs="?", help="a play's name or file; none: the seed's storm")
    parser.add_argument("--seed", type=int, help="with which it fails [the play's own, or 1]")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.toml", help="keep it there")
    parser.add_argument("--judge", help="which failure to keep [the first]")
    parser.add_argument("--storage", choices=(MEMORY, SQLITE), default=MEMORY)
    parser.add_argument("--adapter", default="", metavar="CMD", help="somebody else's server")
    planting.add_argument(parser)
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"at most [{SECONDS}]")


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim shrink`: 0 where something was made smaller, 2 where not."""
    hush()
    ground = Ground(storage=arguments.storage, adapter=arguments.adapter)
    until = time.monotonic() + arguments.seconds
    shrinking = Shrinking(
        ground.judged,
        lambda: time.monotonic() > until,
        judge=arguments.judge,
        steady=bool(arguments.adapter),
    )
    try:
        _say(shrinking.go(_play(arguments, ground)), arguments.output, ground)
    except (BadPlay, NotPlayed, NothingToShrink, OSError) as error:
        print(f"client-sim shrink: {error}", file=sys.stderr)
        return 2
    return 0


def _play(arguments: argparse.Namespace, ground: Ground) -> Play:
    if arguments.play is not None:
        play = plays.load(arguments.play)
        return play if arguments.seed is None else replace(play, seed=arguments.seed)
    if arguments.seed is None:
        raise BadPlay("name a play, or the --seed of a storm")
    return Campaign(ground).draw(arguments.seed)


def _say(shrunk: Shrunk, output: Path | None, ground: Ground) -> None:
    """The play itself goes to standard output where no file is named, or none can be written."""
    steps = len(shrunk.play.steps)
    heard = f"{shrunk.judge} still fails in {steps} steps, after {shrunk.runs} runs: {shrunk.text}"
    print(heard, file=sys.stderr)
    if output is None:
        print(shrunk.play.toml(), end="")
        return
    try:
        output.write_text(shrunk.play.toml(), encoding="utf-8")
    except OSError:
        print(shrunk.play.toml(), end="")
        raise
    seed = shrunk.play.seed
    print(f"replay: client-sim run {output} --seed {seed}{ground.options()}", file=sys.stderr)
