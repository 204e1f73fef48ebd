"""Where everything stands: lanes from left to right, moments from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap

from client_sim.chart.cast import Cast
from client_sim.chart.focus import Focus, Fold
from client_sim.chart.moments import (
    Answering,
    Confirming,
    Delivery,
    Greeting,
    Heading,
    Moment,
    Remark,
    Sending,
    Turn,
)

MARGIN, TIME, CAPTION, LANE, LOG, GAP = 24.0, 76.0, 190.0, 150.0, 250.0, 16.0
SIDE = 56.0
"""Between the server and the devices: room for what is said there."""
FOLD = 34.0
LENT = 22.0
"""Above a device that starts where another stands: room to say so."""
CAPTION_CHARACTERS, CAPTION_LINE = 27, 17.0


@dataclass(frozen=True)
class Row:
    """A moment, or what is folded before it, from y to y + height."""

    y: float
    height: float
    number: int
    moment: Moment | None = None
    fold: Fold | None = None
    captions: tuple[str, ...] = ()

    @property
    def middle(self) -> float:
        """Half its height down."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Layout:
    """devices and logs: the middle of each lane, by device id and account."""

    width: float
    height: float
    devices: Mapping[str, float]
    logs: Mapping[str, float]
    server: tuple[float, float]
    """Where the server begins and ends, from left to right."""
    rows: Sequence[Row]
    captions_at: float

    def towards(self, device: str) -> int:
        """From the server to this device: -1 is to the left."""
        return -1 if self.devices[device] < self.server[0] else 1

    def shelf(self, account: str) -> tuple[float, float]:
        """Where the cells of a log may be, from left to right."""
        return self.logs[account] - LOG / 2 + 12, self.logs[account] + LOG / 2 - 12


def lay_out(
    moments: Sequence[Moment], focus: Focus, folded: Mapping[int, Fold], cast: Cast
) -> Layout:
    """The layout of these moments."""
    rows, bottom = _rows(moments, focus, folded, cast)
    captioned = any(row.captions for row in rows)
    x = MARGIN + TIME
    captions_at = x
    x += CAPTION if captioned else 0
    left, right = _sides(focus, cast)
    devices: dict[str, float] = {}
    for device in left:
        devices[device] = x + LANE / 2
        x += LANE
    server_from = x = x + SIDE
    logs: dict[str, float] = {}
    for account in _ordered(focus, cast):
        if account in focus.accounts:
            logs[account] = x + GAP + LOG / 2
            x += LOG + GAP
    x += GAP if logs else LANE
    server_to = x
    x += SIDE
    for device in right:
        devices[device] = x + LANE / 2
        x += LANE
    return Layout(x + MARGIN, bottom, devices, logs, (server_from, server_to), rows, captions_at)


def _ordered(focus: Focus, cast: Cast) -> list[str]:
    """The accounts, the one that matters last."""
    whose = cast.account(focus.device) if focus.device else ""
    accounts = dict.fromkeys([*cast.accounts, *(cast.account(each) for each in focus.devices)])
    return sorted(accounts, key=lambda account: account == whose)


def _sides(focus: Focus, cast: Cast) -> tuple[list[str], list[str]]:
    """The devices left and right of the server; an account is divided only where it is alone."""
    groups = [
        group
        for account in _ordered(focus, cast)
        if (group := [each for each in focus.devices if cast.account(each) == account])
    ]
    if len(groups) == 1:
        half = len(groups[0]) // 2
        return groups[0][:half], groups[0][half:]
    counts = [sum(map(len, groups[:cut])) for cut in range(1, len(groups))]
    whole = sum(map(len, groups))
    cut = 1 + min(range(len(counts)), key=lambda each: abs(2 * counts[each] - whole), default=0)
    flat = [[each for group in part for each in group] for part in (groups[:cut], groups[cut:])]
    return flat[0], flat[1]


def _rows(
    moments: Sequence[Moment], focus: Focus, folded: Mapping[int, Fold], cast: Cast
) -> tuple[list[Row], float]:
    rows: list[Row] = []
    y = 12.0
    for number in (*focus.rows, len(moments)):
        if number in folded:
            rows.append(Row(y, FOLD, number, fold=folded[number]))
            y += FOLD
        if number == len(moments):
            break
        moment = moments[number]
        captions = _captions(moment, cast) if folded else moment.captions
        lines = tuple(line for said in captions for line in wrap(said, CAPTION_CHARACTERS))
        height = max(_height(moment), len(lines) * CAPTION_LINE + 14)
        rows.append(Row(y, height, number, moment=moment, captions=lines))
        y += height
    return rows, y + 12


def _captions(moment: Moment, cast: Cast) -> list[str]:
    """The sentences that are not about devices other than the moment's own."""
    names = {cast.name(device) for device in cast.devices} - {cast.name(moment.device)}
    said = [(caption, set(caption.split())) for caption in moment.captions]
    own = cast.name(moment.device)
    return [caption for caption, words in said if own in words or not words & names]


def _height(moment: Moment) -> float:
    match moment:
        case Greeting(verdict=None):
            return 50
        case Greeting():
            return (108 if moment.skipped else 92) + (LENT if moment.lender else 0)
        case Delivery():
            return 52 + (22 if moment.acked is not None else 0) + (14 if moment.saved else 0)
        case Confirming():
            return 66 if moment.saved else 46
        case Sending():
            return 56 if moment.logs or moment.answers else 36
        case Answering():
            return 40
        case Turn():
            return 76
        case Remark():
            return 36
        case Heading():
            return 40 if moment.phase else 30
    return 36
