"""`client-sim picture HISTORY.jsonl -o out.html`: a history as a page for a browser."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from client_sim import history
from client_sim.chart.page import page
from client_sim.history import NotAHistory
from client_sim.judging.court import judge
from client_sim.judging.judges import JUDGES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim picture`."""
    parser.add_argument("history", type=Path, metavar="HISTORY.jsonl", help="one record a line")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.html", help="default: beside the history"
    )
    parser.add_argument(
        "--judge", default="", metavar="NAME", help=f"draw its first charge: {', '.join(JUDGES)}"
    )
    parser.add_argument(
        "--open", choices=("auto", "never"), default="never", help="show it in a browser at once"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim picture`: 0 where there is a picture now, 2 where there is none."""
    source: Path = arguments.history
    target: Path = arguments.output or source.with_suffix(".html")
    try:
        records = history.read(source)
        judgement = judge(records)
        if arguments.judge and arguments.judge not in judgement.broken:
            print(f"client-sim picture: nothing is charged by {arguments.judge}", file=sys.stderr)
            return 2
        target.write_text(page(records, judgement, arguments.judge), encoding="utf-8")
    except NotAHistory as error:
        print(f"client-sim picture: {source}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"client-sim picture: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    print(target)
    if arguments.open == "auto":
        webbrowser.open(target.resolve().as_uri())
    return 0
