"""What a swarm shows while it runs: a table that lives in a terminal, or a line a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from client_sim.member import Member, Tally

WORST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Glance:
    """A swarm at one moment."""

    seconds: float
    devices: int
    connected: int
    sent: int
    accepted: int
    delivered: int
    connects: int
    behind: int
    """How many entries the device that is furthest behind has still to get."""
    lag_p50_ms: float
    lag_p99_ms: float
    verdicts: str

    def line(self) -> str:
        """All of it in one line."""
        return (
            f"{self.seconds:6.1f} s  {self.connected}/{self.devices} devices  sent {self.sent}  "
            f"accepted {self.accepted}  delivered {self.delivered}  behind {self.behind}  "
            f"lag p50 {self.lag_p50_ms:.1f} p99 {self.lag_p99_ms:.1f} ms  verdicts {self.verdicts}"
        )


def glance(members: Sequence[Member], tally: Tally, seconds: float) -> Glance:
    """Look at a swarm now."""
    heads = heads_of(members)
    lags = sorted(tally.lags_ms)
    return Glance(
        seconds,
        len(members),
        sum(each.connected for each in members),
        tally.sent,
        tally.accepted_count,
        tally.delivered,
        tally.connects,
        max((heads[each.account] - each.track.last for each in members), default=0),
        share(lags, 0.5),
        share(lags, 0.99),
        ", ".join(f"{name} {count}" for name, count in sorted(tally.verdicts.items())) or "none",
    )


def heads_of(members: Sequence[Member]) -> dict[str, int]:
    """The newest seq that any device of each account has seen."""
    heads: dict[str, int] = {}
    for each in members:
        heads[each.account] = max(heads.get(each.account, 0), each.track.last)
    return heads


def share(rising: Sequence[float], part: float) -> float:
    """The value below which this part of sorted values lies; 0 where there are none."""
    return rising[min(int(len(rising) * part), len(rising) - 1)] if rising else 0.0


def live(members: Sequence[Member], tally: Tally, seconds: float) -> Group:
    """The same for a terminal, with the devices that are furthest behind."""
    now = glance(members, tally, seconds)
    facts = Table(box=None, show_header=False, padding=(0, 2))
    facts.add_row("time", f"{seconds:.1f} s", "devices connected", f"{now.connected}/{now.devices}")
    facts.add_row("sent", f"{now.sent}", "accepted", f"{now.accepted}")
    facts.add_row("delivered", f"{now.delivered}", "connects", f"{now.connects}")
    lag = f"{now.lag_p50_ms:.1f} / {now.lag_p99_ms:.1f} ms"
    facts.add_row("lag p50 / p99", lag, "verdicts", now.verdicts)
    heads = heads_of(members)
    worst = sorted(members, key=lambda each: each.track.last - heads[each.account])
    cursors = Table(box=SIMPLE_HEAD, title="furthest behind", title_justify="left")
    for name in ("device", "account", "cursor", "head", "behind"):
        cursors.add_column(name, justify="left" if name in ("device", "account") else "right")
    for each in worst[:WORST_SHOWN]:
        last, head = each.track.last, heads[each.account]
        cells = (each.track.device, each.account, f"{last}", f"{head}", f"{head - last}")
        cursors.add_row(*cells, style="" if last == head else "yellow")
    return Group(Text("swarm", style="bold"), facts, cursors)
