"""What storms show while they run: a table that lives in a terminal, or a line now and then."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from client_sim.judging.verdict import Ruling
from client_sim.storm.campaign import Campaign, Outcome, Tally
from client_sim.weather import CHANCES

FAULTS_A_ROW = 4


def line(tally: Tally, planned: int, seconds: float) -> str:
    """All of it in one line."""
    return (
        f"{seconds:6.1f} s  {tally.seeds}/{planned} storms  {rate(tally, seconds):.0f} a minute  "
        f"failed {tally.failed}  unknown {tally.unknown}  messages accepted {tally.accepted}  "
        f"faults {tally.faults.total()} of {len(tally.faults)} kinds"
    )


def rate(tally: Tally, seconds: float) -> float:
    """Storms a minute."""
    return 60 * tally.seeds / seconds if seconds > 0 else 0.0


def live(tally: Tally, planned: int, seconds: float) -> RenderableType:
    """The same for a terminal, with the faults that fired."""
    facts = Table(box=None, show_header=False, padding=(0, 2))
    facts.add_row("storms", f"{tally.seeds} of {planned}", "time", f"{seconds:.1f} s")
    facts.add_row("passed", f"{tally.passed}", "a minute", f"{rate(tally, seconds):.0f}")
    bad = Text(f"{tally.failed}", style="bold red" if tally.failed else "")
    facts.add_row("failed", bad, "messages accepted", f"{tally.accepted}")
    facts.add_row("unknown", f"{tally.unknown}", "faults fired", f"{tally.faults.total()}")
    return Group(Text("storms", style="bold"), facts, faults(tally))


def faults(tally: Tally) -> Table:
    """How often each kind fired, those of the weather that never did, too."""
    drawn = Table(box=SIMPLE_HEAD, show_header=False, title="faults fired", title_justify="left")
    counts = dict.fromkeys(CHANCES, 0) | dict(tally.faults)
    cells = [
        cell
        for kind, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        for cell in (kind, Text(f"{count}", style="" if count else "dim"))
    ]
    width = 2 * FAULTS_A_ROW
    for begin in range(0, len(cells), width):
        drawn.add_row(*cells[begin : begin + width])
    return drawn


def finding(campaign: Campaign, outcome: Outcome) -> Text:
    """One storm that did not pass: who says so, why, and how to see it again."""
    if outcome.ruling is Ruling.FALSE:
        head = Text(f"seed {outcome.seed}: {', '.join(outcome.judges)}", style="bold red")
    else:
        head = Text(f"seed {outcome.seed}: unknown", style="bold yellow")
    for said in (*outcome.charges, *outcome.why):
        head.append(f"\n  {said}", style="not bold default")
    head.append(f"\n  replay: {campaign.replay(outcome.seed)}", style="not bold default")
    smaller = campaign.shrink(outcome.seed)
    if outcome.ruling is Ruling.FALSE and smaller:
        head.append(f"\n  make it small: {smaller}", style="not bold default")
    return head
