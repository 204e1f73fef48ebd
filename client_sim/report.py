"""The reproduction as a person reads it: one table and one sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from client_sim.measured import Playing, complete, examine, words_for
from client_sim.performance import RIGHT, Act, Performance

PIPED_WIDTH = 120
"""Wide enough for every row on one line; a file and a pipe have no edge of their own."""
NARROWEST = 100

KEYS = {"platform": "per platform", "account": "per account", "device": "per device"}


def console(stream: TextIO | None = None) -> Console:
    """Reports on `stream` (standard output): in colour on a terminal, plain and of a fixed width
    elsewhere."""
    stream = stream or sys.stdout
    if stream.isatty():
        wide = Console(highlight=False, file=stream)
        if wide.width >= NARROWEST:
            return wide
        return Console(highlight=False, width=NARROWEST, file=stream)
    return Console(
        highlight=False, width=PIPED_WIDTH, no_color=True, force_terminal=False, file=stream
    )


def show(performance: Performance, target: Console) -> None:
    """Print the table, what the client's check said, and the conclusion."""
    due = max(len(half.due) for half in performance.main.halves.values())
    arrive = "1 message arrives" if due == 1 else f"{due} messages arrive"
    print_bare(
        f"The founding report: {arrive} while no PC is logged in. "
        "PC1 logs in, syncs and logs out. Then PC2 logs in.\n"
        "Each cell: how many of the messages due the device holds.",
        target,
    )
    print_bare(table(performance), target)
    for line in checks(performance):
        print_bare(line, target)
    style = "bold green" if performance.succeeded else "bold red"
    target.print()
    print_bare(Text(conclusion(performance), style=style), target)


def print_bare(drawn: RenderableType, target: Console) -> None:
    """Print without the blanks that fill up every line: they only harm where a table is pasted."""
    with target.capture() as captured:
        target.print(drawn)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    target.out("\n".join(lines), highlight=False)


def table(performance: Performance) -> Table:
    """Halves and variants as rows, devices as columns, the verdict in words."""
    acts = (performance.main, *performance.variants)
    names = device_names(acts)
    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    drawn.add_column("played", no_wrap=True)
    drawn.add_column("cursors kept", no_wrap=True)
    for name in names:
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("measured")
    for act in acts:
        for number, (scope, half) in enumerate(act.halves.items()):
            title = Text(act.title, style="bold") if number == 0 else Text("")
            good = complete(half)
            said = Text(words_for(half), style="green" if good else "red")
            cells = [cell(half, name) for name in names]
            drawn.add_row(title, KEYS[scope], *cells, said)
        drawn.add_section()
    return drawn


def device_names(acts: tuple[Act, ...]) -> list[str]:
    """Every device of any act, PC1 first."""
    found = {
        holding.name for act in acts for half in act.halves.values() for holding in half.holdings
    }
    return sorted(found, key=lambda name: (not name.startswith("PC"), name))


def cell(half: Playing, name: str) -> Text:
    """One device in one half: how many it holds of how many; a dot where it plays no part."""
    for holding in half.holdings:
        if holding.name == name:
            finding = examine(holding, half.due)
            text = f"{finding.held}/{finding.due}"
            return Text(text, style="green" if finding.right else "bold red")
    return Text("·", style="dim")


def checks(performance: Performance) -> Iterator[Text]:
    """What the client's own check said, or would have said, in the main play."""
    for scope, half in performance.main.halves.items():
        for holding in half.holdings:
            for said in holding.check:
                would = "said" if scope == RIGHT else "(off in that half) would have said"
                yield Text(f"The client's check on {holding.name} {would}: {said}")


def conclusion(performance: Performance) -> str:
    """All of it in one sentence."""
    if performance.scope is not None:
        return _conclusion_of_one(performance)
    if performance.succeeded:
        lost = sum(any(act.loses.values()) for act in performance.variants)
        also = f" (and so in {lost} of {len(performance.variants)} variants)" if lost else ""
        chain = _chain(performance)
        return (
            "Reproduced and fixed: with one cursor per platform the second PC misses what the "
            f"first one read{also}; with one cursor per device every device holds every message, "
            f"with the same seqs, bodies and chain{chain}."
        )
    failures = []
    if not performance.reproduced:
        failures.append("the bug did not appear with one cursor per platform")
    wrong_acts = [act.title for act in (performance.main, *performance.variants) if not act.fixed]
    if wrong_acts:
        failures.append(f"with one cursor per device it is not right in: {', '.join(wrong_acts)}")
    return "FAILED: " + "; ".join(failures) + "."


def _chain(performance: Performance) -> str:
    half = performance.main.halves.get(RIGHT)
    positions = [each.position for each in half.holdings if each.position] if half else []
    return f" ({positions[0].chain.hex()} at seq {positions[0].seq})" if positions else ""


def _conclusion_of_one(performance: Performance) -> str:
    assert performance.scope is not None
    half = (
        f"This server has one cursor {KEYS[performance.scope]}, so only that half could be played"
    )
    if performance.scope != RIGHT:
        return f"{half}: it loses messages, as the founding report says."
    if performance.fixed:
        return f"{half}: every device holds every message, with the same seqs, bodies and chain."
    wrong = [act.title for act in (performance.main, *performance.variants) if not act.fixed]
    return f"FAILED: {half}, and it is not right in: {', '.join(wrong)}."
