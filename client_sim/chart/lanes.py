"""What lies under the moments of a picture: lanes, who is connected when, and the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from client_sim.chart import colours
from client_sim.chart.befalling import SERVER_LANE
from client_sim.chart.cast import Cast, in_words, listed
from client_sim.chart.focus import Focus
from client_sim.chart.layout import GAP, LANE, LOG, MARGIN, Layout
from client_sim.chart.moments import Greeting, Remark, Sign
from client_sim.chart.outcome import Outcome
from client_sim.chart.telling import Telling
from client_sim.drawing import Sheet

HEAD = 76.0
FOOT = 92.0
_DOWN = {"stopped", "killed", "crashed"}


@dataclass(frozen=True)
class Span:
    """Something lasts from y to y; `ended` where its end was seen."""

    begin: float
    end: float
    ended: bool


@dataclass
class Lanes:
    """The lanes of one picture; the sheet belongs to the caller."""

    telling: Telling
    focus: Focus
    layout: Layout

    @property
    def cast(self) -> Cast:
        """Who takes part."""
        return self.telling.cast

    def ink(self, device: str) -> str:
        """The colour of a device's lane."""
        return colours.of_device(list(self.cast.devices).index(device))

    # ------------------------------------------------------------ names

    def heads(self, sheet: Sheet) -> None:
        """The names of all lanes."""
        for account, xs in self._neighbours():
            left, right = min(xs) - LANE / 2 + 10, max(xs) + LANE / 2 - 10
            middle = (left + right) / 2
            sheet.words(middle, 18, account or "devices", size=12.5, colour=colours.MUTED)
            sheet.line((left, 26), (right, 26), colour=colours.EDGE, thickness=1.5)
        for device, x in self.layout.devices.items():
            ink = self.ink(device)
            with sheet.group(f"{self._full_name(device)}: {device}", {"data-device": device}):
                sheet.box(x - 58, 36, 116, 30, fill=colours.PAPER, edge=ink, radius=6, thickness=2)
                name = self.cast.name(device)
                size = 14 if len(name) < 12 else 12
                sheet.words(x, 56, name, size=size, colour=ink, bold=True)
        left, right = self.layout.server
        sheet.words((left + right) / 2, 18, "server", size=12.5, colour=colours.MUTED)
        sheet.line((left, 26), (right, 26), colour=colours.EDGE, thickness=1.5)
        for account, x in self.layout.logs.items():
            with sheet.group("", {"data-log": account}):
                sheet.words(x, 56, f"{account}'s log", size=14, colour=colours.INK, bold=True)

    def _full_name(self, device: str) -> str:
        known = self.cast.devices[device]
        return f"{known.name or 'device'} ({known.platform})" if known.platform else known.name

    def _neighbours(self) -> Iterator[tuple[str, list[float]]]:
        """Devices of one account that stand side by side."""
        for towards in (-1, 1):
            groups: dict[str, list[float]] = {}
            for device, x in self.layout.devices.items():
                if self.layout.towards(device) == towards:
                    groups.setdefault(self.cast.account(device), []).append(x)
            yield from groups.items()

    # ------------------------------------------------------------ lanes

    def ground(self, sheet: Sheet) -> None:
        """The server while it runs, and in it the logs."""
        bottom = self.layout.height
        left, right = self.layout.server
        for span in self._server_spans():
            sheet.box(
                left,
                span.begin,
                right - left,
                span.end - span.begin,
                fill=colours.PANEL,
                edge=colours.EDGE,
                radius=10,
            )
        for x in self.layout.logs.values():
            sheet.box(x - LOG / 2, 0, LOG, bottom, fill=colours.PAPER, edge=colours.EDGE, radius=6)

    def draw(self, sheet: Sheet) -> None:
        """The lanes of the devices, from top to bottom."""
        bottom = self.layout.height
        for device, x in self.layout.devices.items():
            sheet.line((x, 0), (x, bottom), colour=colours.LANE, thickness=2, dashed=True)
            for span in self._online_spans(device):
                with sheet.group("", {"data-online": device}):
                    ends = ((x, span.begin), (x, span.end))
                    sheet.line(*ends, colour=self.ink(device), thickness=5)
                    sheet.dot(x, span.begin, 6, fill=self.ink(device), edge=colours.PAPER)
                    if span.ended:
                        ends = ((x - 8, span.end), (x + 8, span.end))
                        sheet.line(*ends, colour=self.ink(device), thickness=3)

    def _heights(self) -> dict[int, float]:
        """Where each moment is, the folded ones at their fold."""
        heights: dict[int, float] = {}
        for row in self.layout.rows:
            if row.fold is not None:
                heights |= {number: row.middle for number in range(row.fold.first, row.number)}
            else:
                heights[row.number] = row.middle
        return heights

    def _online_spans(self, device: str) -> Iterator[Span]:
        heights, since = self._heights(), None
        for number, moment in enumerate(self.telling.moments):
            y = heights.get(number, 0.0)
            if isinstance(moment, Greeting) and moment.device == device and since is None:
                since = y - 14
            ends = isinstance(moment, Remark) and (moment.ends or moment.sign is Sign.CRASH)
            if ends and moment.device == device and since is not None:
                yield Span(since, y, ended=True)
                since = None
        if since is not None:
            yield Span(since, self.layout.height, ended=False)

    def _server_spans(self) -> Iterator[Span]:
        heights = self._heights()
        since: float | None = 0.0
        for number, moment in enumerate(self.telling.moments):
            if not isinstance(moment, Remark) or moment.where != SERVER_LANE:
                continue
            y = heights.get(number, 0.0)
            if since is not None and y > since and _DOWN & set(moment.texts):
                yield Span(since, y, ended=True)
                since = None
            if since is None and "started" in moment.texts:
                since = y
        if since is not None:
            yield Span(since, self.layout.height, ended=False)

    # ------------------------------------------------------------ the end

    def results(self, sheet: Sheet, outcome: Outcome, y: float) -> None:
        """What each device holds in the end, and what each log lacks."""
        for device, share in outcome.shares.items():
            if device not in self.layout.devices:
                continue
            x = self.layout.devices[device]
            ink = colours.RED if share.missing else colours.GREEN
            ink = ink if share.missing or share.held == share.due else colours.MUTED
            fill = colours.RED_FILL if share.missing else colours.PAPER
            headline, remark = share.words()
            missing = " ".join(map(str, share.missing))
            with sheet.group(remark, {"data-holds": device, "data-missing": missing}):
                sheet.box(x - LANE / 2 + 5, y, LANE - 10, 56, fill=fill, edge=ink, thickness=2)
                sheet.words(x, y + 24, headline, size=14, colour=ink, bold=True)
                sheet.words(x, y + 43, remark, size=12.5, colour=ink)
        for account, x in self.layout.logs.items():
            if account in outcome.logs:
                self._log_result(sheet, outcome, account, (x, y))

    def _log_result(
        self, sheet: Sheet, outcome: Outcome, account: str, at: tuple[float, float]
    ) -> None:
        log, lost = outcome.logs[account], outcome.lost.get(account, ())
        x, y = at
        held = in_words(range(log.floor + 1, log.head + 1)) or "nothing"
        ink = colours.RED if lost else colours.INK
        with sheet.group("", {"data-lost": " ".join(lost)}):
            sheet.box(
                x - LOG / 2 + GAP / 2, y, LOG - GAP, 56, fill=colours.PAPER, edge=colours.EDGE
            )
            sheet.words(x, y + 24, f"holds {held}", size=14, colour=ink, bold=True)
            names = listed([self.cast.message(each) for each in lost])
            said = f"lost: {names}" if lost else f"of {account}'s log, in the end"
            sheet.words(x, y + 43, said, size=12.5, colour=ink if lost else colours.MUTED)

    def times(self, sheet: Sheet) -> None:
        """When each moment was."""
        shown = ""
        for row in self.layout.rows:
            if row.moment is None:
                continue
            at = clock(row.moment.at)
            if at != shown:
                sheet.words(
                    MARGIN + 68, row.middle + 4, at, size=12, colour=colours.MUTED, anchor="end"
                )
            shown = at


def clock(seconds: float) -> str:
    """A moment as people read it."""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02} min"
