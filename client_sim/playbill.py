"""`client-sim plays`: which plays there are, and what each is about."""

from __future__ import annotations

import argparse
import json
import textwrap

from rich.box import SIMPLE_HEAD
from rich.table import Table

from client_sim import play as plays
from client_sim.play import Play
from client_sim.report import console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim plays`."""
    parser.add_argument("--json", action="store_true", help="names and stories, for programs")


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim plays`; always 0."""
    found = [plays.load(name) for name in plays.names()]
    if arguments.json:
        print(json.dumps({each.name: each.story for each in found}))
    else:
        target = console()
        target.print(table(found))
        target.print("\nclient-sim run NAME plays one; client-sim new NAME begins one of your own.")
    return 0


def table(found: list[Play]) -> Table:
    """Names and stories."""
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    drawn.add_column("play", no_wrap=True, style="bold")
    drawn.add_column("what happens")
    for each in found:
        drawn.add_row(each.name, textwrap.fill(each.story, 10_000))
    return drawn
