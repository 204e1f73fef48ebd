"""Which moments matter for a charge, and which can be folded away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from client_sim.chart.befalling import SERVER_LANE
from client_sim.chart.moments import (
    Delivery,
    Greeting,
    Heading,
    Moment,
    Remark,
    Sending,
    Turn,
)
from client_sim.chart.outcome import Outcome
from client_sim.chart.telling import Telling
from client_sim.history import Appended, Record, Send
from client_sim.judging.verdict import Charge

MARKED_MAX = 9
KEPT_MAX = 60
SMALL = 40
"""Of a history of so many moments everything is shown that these devices and logs do."""
NEAR = 3
"""So many moments before a marked one, a fault counts as near."""


@dataclass(frozen=True)
class Fold:
    """Moments that are not drawn: how many records they have, and whose they are."""

    first: int
    records: int
    devices: tuple[str, ...]


@dataclass(frozen=True)
class Focus:
    """What to draw. rows: numbers of moments, in order; marked: those that show the breach, and
    len(moments) for the final state. device: the one that the charge is about, or empty."""

    rows: tuple[int, ...]
    marked: tuple[int, ...]
    devices: tuple[str, ...]
    accounts: tuple[str, ...]
    device: str = ""


def everything(telling: Telling, marked: Sequence[int] = (), device: str = "") -> Focus:
    """All of it."""
    return Focus(
        tuple(range(len(telling.moments))),
        tuple(marked),
        tuple(telling.cast.devices),
        telling.cast.accounts,
        device,
    )


def on_charge(
    telling: Telling, charge: Charge, records: Sequence[Record], outcome: Outcome
) -> Focus:
    """What matters for this charge."""
    cast, moments = telling.cast, telling.moments
    marked = _marked(telling, charge, records, outcome)
    shown = [moments[row] for row in marked if row < len(moments)]
    devices = {charge.device} | {each.device for each in shown}
    devices |= {each.lender for each in shown if isinstance(each, Greeting)}
    devices &= set(cast.devices)
    accounts = {cast.account(charge.device)} & set(cast.accounts)
    if not accounts:
        accounts = {account for each in shown for account in each.logs}
    rows = set(marked) - {len(moments)}
    last = max(rows, default=len(moments))
    for row, moment in enumerate(moments[: last + 1]):
        near = len(moments) <= SMALL or any(0 <= mark - row <= NEAR for mark in marked)
        if _matters(moment, devices, accounts) and (near or _of(moment, charge.device)):
            rows.add(row)
    return Focus(
        tuple(_readable(rows, marked, moments)),
        tuple(marked),
        tuple(each for each in cast.devices if each in devices),
        tuple(each for each in cast.accounts if each in accounts),
        charge.device,
    )


def folds(telling: Telling, focus: Focus) -> dict[int, Fold]:
    """What lies between the rows that are drawn, by the row before which it lies."""
    found: dict[int, Fold] = {}
    after = 0
    for row in (*focus.rows, len(telling.moments)):
        hidden = [telling.moments[each] for each in range(after, row)]
        if hidden:
            whose = dict.fromkeys(each.device for each in hidden if each.device)
            records = sum(len(each.records) for each in hidden)
            found[row] = Fold(after, records, tuple(whose))
        after = row + 1
    return found


def _marked(
    telling: Telling, charge: Charge, records: Sequence[Record], outcome: Outcome
) -> list[int]:
    """The moments of the charge's steps, and those without which they say nothing: where the
    missing entries came from, and whose cursor a device was started at."""
    moments = telling.moments
    rows = {telling.row_of[step] for step in charge.steps if 0 <= step < len(records)}
    share = outcome.shares.get(charge.device)
    account = telling.cast.account(charge.device)
    missing = set(share.missing) if share else set()
    if missing:
        rows.add(len(moments))
        rows |= set(list(_where_written(moments, account, missing))[-2:])
    for row, moment in enumerate(moments):
        if not isinstance(moment, Greeting) or moment.device != charge.device:
            continue
        if set(moment.skipped) & (missing or set(moment.skipped)):
            rows |= {row, *_lent(moments, moment)}
    messages = {
        each.message
        for each in (records[step] for step in charge.steps if 0 <= step < len(records))
        if isinstance(each, Send | Appended)
    }
    for row, moment in enumerate(moments):
        if isinstance(moment, Sending) and messages & set(moment.messages):
            rows.add(row)
    ordered = sorted(rows)
    return ordered if len(ordered) <= MARKED_MAX else [*ordered[:4], *ordered[4 - MARKED_MAX :]]


def _lent(moments: Sequence[Moment], greeting: Greeting) -> Iterable[int]:
    """Where another device's cursor came to the place at which this one was started."""
    if greeting.lent_at is None:
        return
    yield greeting.lent_at
    if isinstance(moments[greeting.lent_at], Delivery):
        return
    for row in range(greeting.lent_at - 1, -1, -1):
        moment = moments[row]
        if isinstance(moment, Delivery) and moment.device == greeting.lender:
            yield row
            return


def _where_written(moments: Sequence[Moment], account: str, seqs: set[int]) -> Iterable[int]:
    for row, moment in enumerate(moments):
        if isinstance(moment, Sending) and seqs & set(moment.entries.get(account, ())):
            yield row


def _matters(moment: Moment, devices: set[str], accounts: set[str]) -> bool:
    match moment:
        case Heading():
            return moment.phase
        case Remark():
            return moment.where in devices | accounts | {SERVER_LANE}
        case Turn():
            return moment.account in accounts
        case Delivery() | Greeting():
            return moment.device in devices and moment.account in accounts
        case _:
            return moment.device in devices and (
                not moment.logs or bool(accounts & set(moment.logs))
            )


def _of(moment: Moment, device: str) -> bool:
    """Whether it is worth a row however far it is from what shows the breach."""
    return isinstance(moment, Heading | Turn) or (
        isinstance(moment, Greeting | Remark) and moment.device == device != ""
    )


def _readable(rows: set[int], marked: Sequence[int], moments: Sequence[Moment]) -> list[int]:
    """At most so many as can be read, the marked ones and those nearest to them; no heading over
    nothing."""
    near = sorted(rows, key=lambda row: min((abs(row - mark) for mark in marked), default=row))
    kept = sorted(near[:KEPT_MAX])
    return [row for row in kept if not isinstance(moments[row], Heading) or row + 1 in kept]
