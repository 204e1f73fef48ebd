"""`client-sim judge HISTORY.jsonl`: what the judges say of a history, recorded by anybody."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client_sim import history
from client_sim.history import NotAHistory, Record
from client_sim.judging.court import judge
from client_sim.judging.verdict import Judgement, Opinion, Ruling
from client_sim.report import console

EXITS = {Ruling.TRUE: 0, Ruling.FALSE: 1, Ruling.UNKNOWN: 2}
"""What a command says to the shell of a judgement."""

_STYLES = {Ruling.TRUE: "green", Ruling.FALSE: "bold red", Ruling.UNKNOWN: "yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `client-sim judge`."""
    parser.add_argument(
        "history", type=Path, metavar="HISTORY.jsonl", help="see HISTORY.md; one record a line"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Run `client-sim judge`: 0 for true, 1 for false, 2 for unknown or no history."""
    path: Path = arguments.history
    try:
        records = history.read(path)
    except NotAHistory as error:
        print(f"client-sim judge: {path}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"client-sim judge: {path}: {error.strerror}", file=sys.stderr)
        return 2
    judgement = judge(records)
    if arguments.json:
        print(json.dumps(as_json(judgement)))
    else:
        show(judgement, records, console())
    return EXITS[judgement.ruling]


def as_json(judgement: Judgement) -> dict[str, Any]:
    """A judgement as plain values: the ruling, why it is unknown, what each judge says."""
    return {
        "ruling": judgement.ruling.value,
        "accepted": judgement.accepted,
        "why": list(judgement.why),
        "broken": list(judgement.broken),
        "judges": [
            {
                "judge": opinion.judge,
                "ruling": opinion.ruling.value,
                "seen": opinion.seen,
                "charged": opinion.charged,
                "charges": [
                    {"text": charge.text, "steps": list(charge.steps), "device": charge.device}
                    for charge in opinion.charges
                ],
            }
            for opinion in judgement.opinions
        ],
    }


def show(judgement: Judgement, records: list[Record], target: Console) -> None:
    """The judgement as a person reads it: each judge's line, each breach with its records."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    table.add_column("judge", no_wrap=True)
    table.add_column("looked at", justify="right", no_wrap=True)
    table.add_column("says")
    for opinion in judgement.opinions:
        table.add_row(opinion.judge, str(opinion.seen), _said(opinion))
    target.print(table)
    for opinion in judgement.opinions:
        for line in breaches(opinion, records):
            target.print(line, markup=False)
    target.print()
    target.print(Text(conclusion(judgement), style=_STYLES[judgement.ruling]))


def _said(opinion: Opinion) -> Text:
    if opinion.charged:
        return Text(f"broken {_times(opinion.charged)}", style=_STYLES[Ruling.FALSE])
    if not opinion.seen:
        return Text("nothing to look at", style="dim")
    return Text("holds", style=_STYLES[Ruling.TRUE])


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def breaches(opinion: Opinion, records: list[Record]) -> Iterator[str]:
    """Each charge of a judge, and under it the records that show it, by line and moment."""
    for charge in opinion.charges:
        yield f"\n{opinion.judge}: {charge.text}"
        for step in charge.steps:
            line = history.encode(records[step]).decode().rstrip()
            yield f"  {step + 1:>6}  {line if len(line) <= 200 else line[:197] + '...'}"
    if opinion.charged > len(opinion.charges):
        yield f"  ... and {opinion.charged - len(opinion.charges)} more of {opinion.judge}"


def conclusion(judgement: Judgement) -> str:
    """One sentence."""
    messages = f"{judgement.accepted} accepted messages"
    match judgement.ruling:
        case Ruling.TRUE:
            return f"TRUE: every invariant held, for {messages}."
        case Ruling.FALSE:
            return f"FALSE: broken: {', '.join(judgement.broken)}."
        case Ruling.UNKNOWN:
            return f"UNKNOWN, which is no better than false: {'; '.join(judgement.why)}."
