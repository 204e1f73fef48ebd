"""The founding report as one picture: devices as lanes, the log between them, each login's cursor.

Time runs downwards. Everything drawn was measured: counts, starts, and the cursors that the server
had stored before and after each login.
"""

from __future__ import annotations

from dataclasses import dataclass

from client_sim.drawing import INK, MUTED, Sheet
from client_sim.measured import (
    Finding,
    Happening,
    Moment,
    Playing,
    complete,
    examine,
    messages_in_words,
)
from client_sim.performance import RIGHT, WRONG, Performance

RED, GREEN = "#cf222e", "#1a7f37"
BLUE, VIOLET = "#0969da", "#8250df"
PAPER, EDGE = "#ffffff", "#d0d7de"
MESSAGE_FILL, MESSAGE_EDGE = "#fff8c5", "#bf8700"

MARGIN, PANEL_WIDTH, GAP = 24, 640, 24
TOP, HEAD_HEIGHT, FOOT_HEIGHT = 96, 64, 150
PC1_X, LOG_X, PC2_X = 104, 320, 536
LOG_WIDTH = 228
ROW = {
    Happening.ARRIVED: 96,
    Happening.LOGGED_IN: 136,
    Happening.LOGGED_OUT: 44,
    Happening.KILLED: 44,
}
CELL = 38
CELLS_MAX = 5

TITLES = {
    "platform": ("The wrong key", "the server keeps one cursor per platform", RED, "#fff5f5"),
    "account": ("The wrong key", "the server keeps one cursor per account", RED, "#fff5f5"),
    "device": ("The right key", "the server keeps one cursor per device", GREEN, "#f2fbf4"),
}


def picture(performance: Performance) -> str:
    """The main play as SVG, its halves side by side."""
    halves = performance.main.halves
    scopes = [scope for scope in (WRONG, "account", RIGHT) if scope in halves]
    due = max(len(half.due) for half in halves.values())
    height = max(_height(halves[scope]) for scope in scopes)
    width = 2 * MARGIN + len(scopes) * PANEL_WIDTH + (len(scopes) - 1) * GAP
    arrive = "A message arrives" if due == 1 else f"{due} messages arrive"
    story = f"{arrive} while no PC is logged in. PC1 logs in and out. Then PC2 logs in."
    sheet = Sheet(width, height + TOP + MARGIN, story, _description(performance))
    sheet.box(
        0.75, 0.75, width - 1.5, height + TOP + MARGIN - 1.5, fill=PAPER, edge=EDGE, radius=14
    )
    sheet.words(width / 2, 44, story, size=22 if len(scopes) > 1 else 13, bold=True)
    sheet.words(width / 2, 72, "Time runs downwards. Measured on a real server.", colour=MUTED)
    for number, scope in enumerate(scopes):
        left = MARGIN + number * (PANEL_WIDTH + GAP)
        Panel(sheet, left, height, scope, halves[scope]).draw()
    return sheet.svg()


def _height(half: Playing) -> int:
    return HEAD_HEIGHT + 92 + sum(ROW[moment.happening] for moment in _shown(half)) + FOOT_HEIGHT


def _shown(half: Playing) -> list[Moment]:
    """The moments of the two PCs and of the log, but for the second PC's logout, which adds
    nothing but the cursor that its login left."""
    kept = [each for each in half.moments if each.device in ("", "PC1", "PC2")]
    return kept[:-1] if kept and kept[-1].happening is Happening.LOGGED_OUT else kept


def _description(performance: Performance) -> str:
    said = []
    for scope, half in performance.main.halves.items():
        counts = ", ".join(f"{name} holds {count}" for name, count in half.counts().items())
        said.append(f"{TITLES[scope][1]}: {counts}")
    return ". ".join(said)


@dataclass
class Panel:
    """One half of the picture. `draw` draws it, once."""

    sheet: Sheet
    left: float
    height: float
    scope: str
    half: Playing

    def __post_init__(self) -> None:
        self.lanes = {"PC1": self.left + PC1_X, "PC2": self.left + PC2_X}
        self.middle = self.left + LOG_X
        self.inks = {"PC1": BLUE, "PC2": VIOLET}
        self.findings = {each.name: examine(each, self.half.due) for each in self.half.holdings}
        self.online_from: dict[str, float] = {}
        self.flags: dict[str, tuple[float, float]] = {}
        """Where the cursor under each key was drawn last."""

    def draw(self) -> None:
        title, key, ink, fill = TITLES[self.scope]
        self.sheet.box(self.left, TOP, PANEL_WIDTH, self.height, fill=fill, edge=ink, radius=12)
        centre = self.left + PANEL_WIDTH / 2
        self.sheet.words(centre, TOP + 32, title, size=19, colour=ink, bold=True)
        self.sheet.words(centre, TOP + 54, key, size=15, colour=INK)
        y = TOP + HEAD_HEIGHT + 16.0
        for name, x in self.lanes.items():
            self._computer(name, x, y)
        top = y + 68
        bottom = TOP + self.height - FOOT_HEIGHT
        log_left = self.middle - LOG_WIDTH / 2
        self.sheet.box(log_left, y, LOG_WIDTH, bottom - y - 4, fill=PAPER, edge=EDGE)
        self.sheet.words(self.middle, y + 28, "the log of the account", size=15, bold=True)
        self.sheet.words(self.middle, y + 47, "▲ cursor: sending starts right of it", size=12)
        for x in self.lanes.values():
            self.sheet.line((x, top), (x, bottom), colour="#afb8c1", thickness=2.5, dashed=True)
        y = top
        for moment in _shown(self.half):
            self._moment(moment, y)
            y += ROW[moment.happening]
        for name, since in self.online_from.items():
            self._online(name, since, bottom)
        self._results(bottom)

    # -------------------------------------------------------- moments

    def _moment(self, moment: Moment, y: float) -> None:
        match moment.happening:
            case Happening.ARRIVED:
                self._arrival(moment, y + 34)
            case Happening.LOGGED_IN:
                self._login(moment, y + 42)
            case Happening.LOGGED_OUT | Happening.KILLED:
                self._logout(moment, y + 22)

    def _arrival(self, moment: Moment, y: float) -> None:
        self._cells(y)
        many = "1 message arrives" if moment.count == 1 else f"{moment.count} messages arrive"
        self.sheet.words(self.middle, y + 42, many, size=13)
        for name in self.lanes:
            self._beside(name, y + 4, "logged out", colour=MUTED)

    def _login(self, moment: Moment, y: float) -> None:
        name, x = moment.device, self.lanes[moment.device]
        self.online_from[name] = y
        self._cursor(name, moment.cursor, self._cursor_after(moment), y)
        self._cells(y)
        towards = -1 if x < self.middle else 1
        near, far = self.middle + towards * (LOG_WIDTH / 2 - 6), x - towards * 14
        middle = (self.middle + towards * LOG_WIDTH / 2 + x) / 2
        many = "1 message" if moment.count == 1 else f"{moment.count} messages"
        if moment.count:
            self.sheet.arrow((near, y), (far, y), colour=GREEN)
        else:
            self.sheet.line((near, y), (far, y), colour=RED, thickness=2.5, dashed=True)
            for slope in (-8, 8):
                ends = ((middle - 8, y - slope), (middle + 8, y + slope))
                self.sheet.line(*ends, colour=RED, thickness=3.5)
        ink = GREEN if moment.count else RED
        self.sheet.words(middle, y - 15, many, size=13, colour=ink, bold=True)
        self._beside(name, y + 5, "logs in", bold=True)

    def _logout(self, moment: Moment, y: float) -> None:
        name = moment.device
        self._online(name, self.online_from.pop(name), y)
        said = "logs out" if moment.happening is Happening.LOGGED_OUT else "killed"
        self._beside(name, y + 4, said, bold=True)

    def _cursor_after(self, login: Moment) -> int:
        """What the server had stored when the device left again."""
        moments = self.half.moments
        for later in moments[moments.index(login) + 1 :]:
            if later.device == login.device:
                return later.cursor
        return login.cursor

    # -------------------------------------------------------- marks

    def _online(self, name: str, since: float, until: float) -> None:
        x = self.lanes[name]
        self.sheet.line((x, since), (x, until), colour=self.inks[name], thickness=6)
        self.sheet.dot(x, since, 9, fill=self.inks[name])

    def _beside(
        self, name: str, y: float, said: str, *, colour: str = INK, bold: bool = False
    ) -> None:
        """Words on the outer side of a lane."""
        x = self.lanes[name]
        if x < self.middle:
            self.sheet.words(x - 16, y, said, size=13, colour=colour, bold=bold, anchor="end")
        else:
            self.sheet.words(x + 16, y, said, size=13, colour=colour, bold=bold, anchor="start")

    def _computer(self, name: str, x: float, y: float) -> None:
        ink = self.inks[name]
        self.sheet.box(x - 34, y, 68, 42, fill=PAPER, edge=ink, radius=5, thickness=3)
        self.sheet.words(x, y + 27, name, size=16, colour=ink, bold=True)
        self.sheet.line((x, y + 44), (x, y + 50), colour=ink, thickness=8)
        self.sheet.line((x - 16, y + 52), (x + 16, y + 52), colour=ink, thickness=4)

    def _labels(self) -> list[str]:
        due = len(self.half.due)
        if due <= CELLS_MAX:
            return [str(number) for number in range(1, due + 1)]
        return ["1", "2", "3", "…", str(due)]

    def _cells(self, y: float) -> None:
        """The log as it stands: one cell per entry."""
        left = self._place_x(0)
        for number, label in enumerate(self._labels()):
            x = left + number * CELL
            self.sheet.box(
                x + 2, y - 16, CELL - 4, 32, fill=MESSAGE_FILL, edge=MESSAGE_EDGE, radius=5
            )
            self.sheet.words(
                x + CELL / 2, y + 5, label, size=14 if len(label) < 4 else 10.5, bold=True
            )

    def _place_x(self, seq: int) -> float:
        """Where the place after `seq` is among the cells."""
        labels = self._labels()
        left = self.middle - len(labels) * CELL / 2
        due = len(self.half.due)
        if due <= CELLS_MAX or seq <= 3:
            return left + min(seq, len(labels)) * CELL
        return left + (len(labels) if seq >= due else 3.5) * CELL

    def _cursor(self, device: str, before: int, after: int, y: float) -> None:
        """The cursor that this login uses, as a flag under the log: where it was, where it went."""
        shared = self.scope != RIGHT
        ink = RED if shared else self.inks[device]
        key = {"platform": "cursor of all PCs", "account": "cursor of the account"}.get(
            self.scope, f"cursor of {device}"
        )
        old_x, new_x = self._place_x(before), self._place_x(after)
        lane = "shared" if shared else device
        if lane in self.flags:
            x, from_y = self.flags[lane]
            self.sheet.line((x, from_y), (x, y - 22), colour=ink, thickness=2, dashed=True)
            self.sheet.words(
                x - 8, (from_y + y) / 2 - 4, "the same cursor", size=12, colour=ink, anchor="end"
            )
        foot = y + 26
        if old_x != new_x:
            self._flag(old_x, y, fill=PAPER, edge=ink)
            self.sheet.curve(
                f"M {old_x:g} {foot + 8:g} C {old_x:g} {foot + 22:g}, "
                f"{new_x:g} {foot + 22:g}, {new_x:g} {foot + 8:g}",
                colour=ink,
            )
        self.sheet.line((new_x, y - 22), (new_x, foot), colour=ink, thickness=3)
        self._flag(new_x, y, fill=ink, edge=ink)
        moved = f"{before} → {after}" if before != after else f"already {before}"
        self.sheet.words(self.middle, y + 64, f"{key}: {moved}", size=13, colour=ink, bold=True)
        self.flags[lane] = (new_x, y + 72)

    def _flag(self, x: float, y: float, *, fill: str, edge: str) -> None:
        corners = [(x - 6, y + 32), (x + 6, y + 32), (x, y + 21)]
        self.sheet.shape(corners, fill=fill, edge=edge)

    # -------------------------------------------------------- the end

    def _results(self, y: float) -> None:
        for name, x in self.lanes.items():
            finding = self.findings[name]
            ink = GREEN if finding.right else RED
            self.sheet.box(x - 88, y, 176, 62, fill=PAPER, edge=ink, radius=8, thickness=2)
            self.sheet.words(
                x,
                y + 27,
                f"{name} holds {finding.held} of {finding.due}",
                size=16,
                colour=ink,
                bold=True,
            )
            self.sheet.words(x, y + 48, _short(finding), size=12.5, colour=ink)
        for number, said in enumerate(self._why()):
            centre = self.left + PANEL_WIDTH / 2
            self.sheet.words(centre, y + 98 + 22 * number, said, size=15)

    def _why(self) -> tuple[str, str]:
        logins = [each for each in self.half.moments if each.happening is Happening.LOGGED_IN]
        if complete(self.half):
            return (
                "PC2 has a cursor of its own: it starts where PC2 stands,",
                "and both PCs hold the same messages.",
            )
        if self.scope != RIGHT and len(logins) > 1 and logins[1].cursor:
            return (
                f"PC1 acknowledged up to {logins[1].cursor} and moved the cursor that PC2 shares.",
                f"PC2 starts after {logins[1].start}: what lies before is never sent to it.",
            )
        return ("The devices do not hold what they should.", "")


def _short(finding: Finding) -> str:
    if finding.right:
        return "has everything"
    if finding.missing:
        return f"misses {messages_in_words(finding.missing)}"
    return "holds wrong entries"
