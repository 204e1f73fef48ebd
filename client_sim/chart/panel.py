"""One picture of a history: its moments from top to bottom, over its lanes."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import shorten

from client_sim.chart import colours
from client_sim.chart.befalling import SERVER_LANE
from client_sim.chart.cast import in_words, listed
from client_sim.chart.focus import Focus, folds
from client_sim.chart.lanes import FOOT, HEAD, Lanes, clock
from client_sim.chart.layout import CAPTION_LINE, LENT, LOG, MARGIN, Row, lay_out
from client_sim.chart.moments import (
    Answering,
    Confirming,
    Delivery,
    Greeting,
    Heading,
    Moment,
    Remark,
    Sending,
    Sign,
    Turn,
)
from client_sim.chart.outcome import Outcome
from client_sim.chart.pen import CELL_HEIGHT, Pen
from client_sim.chart.telling import Telling
from client_sim.drawing import Sheet

REMARK_MAX = 60
"""A longer remark is cut; pointing at it shows the whole."""
_INKS = {
    Sign.PLAIN: colours.MUTED,
    Sign.END: colours.MUTED,
    Sign.FAULT: colours.AMBER,
    Sign.CUT: colours.AMBER,
    Sign.CRASH: colours.RED,
    Sign.ALARM: colours.RED,
}


@dataclass
class Panel:
    """name: what its elements' ids begin with. whole: where folds lead to, empty for nowhere."""

    telling: Telling
    focus: Focus
    outcome: Outcome
    name: str
    whole: str = ""

    def __post_init__(self) -> None:
        telling = self.telling
        folded = folds(telling, self.focus)
        self.layout = lay_out(telling.moments, self.focus, folded, telling.cast)
        self.lanes = Lanes(telling, self.focus, self.layout)

    # ------------------------------------------------------------ the two drawings

    def head(self) -> str:
        """The lanes' names as SVG, as wide as the body."""
        sheet = Sheet(round(self.layout.width), round(HEAD), "", "")
        self.lanes.heads(sheet)
        return sheet.svg()

    def body(self) -> str:
        """The moments as SVG."""
        height = self.layout.height + (FOOT if self.outcome.shares else 24)
        sheet = Sheet(round(self.layout.width), round(height), "", "")
        self.sheet, self.pen = sheet, Pen(sheet, self.lanes)
        self.lanes.ground(sheet)
        for row in self.layout.rows:
            if row.number in self.focus.marked and row.fold is None:
                self._band(row.y, row.height, row.number)
        final = len(self.telling.moments)
        if final in self.focus.marked:
            self._band(self.layout.height, FOOT, final)
        self.lanes.draw(sheet)
        self.lanes.times(sheet)
        for row in self.layout.rows:
            self._row(row)
        self.lanes.results(sheet, self.outcome, self.layout.height + 14)
        return sheet.svg()

    def _band(self, y: float, height: float, number: int) -> None:
        badge = str(self.focus.marked.index(number) + 1)
        self.sheet.box(
            4,
            y + 2,
            self.layout.width - 8,
            height - 4,
            fill=colours.BAND,
            edge=colours.BAND_EDGE,
            thickness=1,
        )
        self.sheet.dot(MARGIN, y + height / 2, 12, fill=colours.RED, edge=colours.BAND)
        self.sheet.words(
            MARGIN, y + height / 2 + 4.5, badge, size=13, colour=colours.PAPER, bold=True
        )

    def _row(self, row: Row) -> None:
        if row.moment is None:
            self._fold(row)
            return
        moment = row.moment
        sentence = f"{moment.sentence(self.telling.cast)}. {clock(moment.at)}"
        attributes = {
            "id": f"{self.name}-{row.number}",
            "class": "row",
            "data-kind": type(moment).__name__.lower(),
            "data-records": " ".join(map(str, sorted(moment.records))),
        }
        if row.number in self.focus.marked:
            attributes["data-marked"] = str(self.focus.marked.index(row.number) + 1)
        with self.sheet.group(sentence, attributes):
            for number, line in enumerate(row.captions):
                y = row.middle + 4 + (number - (len(row.captions) - 1) / 2) * CAPTION_LINE
                self.sheet.words(
                    self.layout.captions_at + 14,
                    y,
                    line,
                    size=13,
                    colour=colours.INK,
                    anchor="start",
                )
            self._moment(row, moment)

    def _moment(self, row: Row, moment: Moment) -> None:
        match moment:
            case Greeting():
                self._greeting(row, moment)
            case Sending():
                self._sending(row, moment)
            case Delivery():
                self._delivery(row, moment)
            case Confirming():
                self._confirming(row, moment)
            case Answering():
                self.pen.arrow(moment.device, "", row.middle + 6, moment.words(self.telling.cast))
            case Turn():
                self._turn(row, moment)
            case Remark():
                self._remark(row, moment)
            case Heading() if moment.phase:
                self._phase(row, moment)

    # ------------------------------------------------------------ syncing

    def _greeting(self, row: Row, moment: Greeting) -> None:
        y = row.y + 26 + (LENT if moment.lender else 0)
        if moment.hello is not None:
            self.pen.arrow(moment.device, moment.account, y, f"“{moment.claim()}”", up=True)
        if moment.verdict is None:
            return
        below = y + 34
        ink = colours.RED if moment.skipped or moment.verdict.kind != "welcome" else ""
        self.pen.arrow(moment.device, moment.account, below, moment.ruling(), ink=ink)
        if moment.account not in self.layout.logs:
            return
        start = moment.verdict.start
        strip = self.pen.strip(row, moment, moment.account, set(moment.skipped), [start])
        middle = y + 10
        self.pen.cells(strip, middle, alarming=bool(moment.skipped))
        foot = middle + CELL_HEIGHT / 2
        ink = colours.RED if moment.skipped else self.lanes.ink(moment.device)
        self.pen.flag(strip.place(start), foot, ink)
        name = self.telling.cast.name(moment.device)
        said = f"{name} starts here, after {start}"
        self.sheet.words(
            strip.middle, foot + 26, said, size=12, colour=ink, bold=True, halo=colours.PAPER
        )
        if moment.skipped:
            many = in_words(moment.skipped)
            self.sheet.words(
                strip.middle, foot + 42, f"{many}: never sent to it", size=12, colour=ink
            )
            self._lent(moment, strip.place(start), middle)

    def _lent(self, moment: Greeting, x: float, y: float) -> None:
        """The cursor that this device was started at, from where another device left it."""
        rows = {row.number: row for row in self.layout.rows if row.fold is None}
        lent_at = rows.get(-1 if moment.lent_at is None else moment.lent_at)
        if lent_at is None or moment.lent_at not in self.pen.strips:
            return
        assert moment.verdict is not None
        from_x = self.pen.strips[lent_at.number].place(moment.verdict.start)
        from_y = lent_at.y + lent_at.height - 4
        bend = max((from_y + y) / 2, y - 26)
        self.sheet.curve(
            f"M {from_x:g} {from_y:g} C {from_x:g} {bend:g}, {x:g} {bend:g}, {x:g} {y - 14:g}",
            colour=colours.RED,
            dashed=True,
        )
        self.sheet.words(
            max(x, from_x) - 8,
            bend + 4,
            "the same cursor",
            size=12,
            colour=colours.RED,
            bold=True,
            anchor="end",
            halo=colours.PAPER,
        )

    def _delivery(self, row: Row, moment: Delivery) -> None:
        y = row.y + 30
        seqs = set(range(moment.prev + 1, moment.to + 1))
        torn = moment.arrived_to < moment.to
        label = f"gets {in_words(seqs)}"
        if torn:
            lost = in_words(range(moment.arrived_to + 1, moment.to + 1))
            label = f"{lost} lost on the way"
        ink = colours.RED if torn else self.pen.ink(moment.device)
        self.pen.arrow(moment.device, moment.account, y, label, ink=ink, torn=torn, thickness=2.5)
        if moment.acked is not None:
            label = f"confirms {moment.acked}"
            self.pen.arrow(moment.device, moment.account, y + 24, label, up=True)
        self._with_cursor(row, moment, moment.account, seqs, y)

    def _confirming(self, row: Row, moment: Confirming) -> None:
        y = row.y + 28
        if moment.acked is not None:
            label = f"confirms {moment.acked}"
            self.pen.arrow(moment.device, moment.account, y, label, up=True)
        self._with_cursor(row, moment, moment.account, set(), y)

    def _with_cursor(
        self, row: Row, moment: Moment, account: str, touched: set[int], y: float
    ) -> None:
        """The log's cells, and the device's stored cursor where it moved."""
        if account not in self.layout.logs or (not touched and not moment.saved):
            return
        strip = self.pen.strip(row, moment, account, touched, list(moment.saved or ()))
        self.pen.cells(strip, y)
        if moment.saved is None:
            return
        ink, foot = self.pen.ink(moment.device), y + CELL_HEIGHT / 2
        old, new = (strip.place(seq) for seq in moment.saved)
        if old != new:
            self.pen.flag(old, foot, colours.PAPER, ink)
            self.sheet.curve(
                f"M {old:g} {foot + 12:g} C {old:g} {foot + 22:g}, "
                f"{new:g} {foot + 22:g}, {new:g} {foot + 12:g}",
                colour=ink,
                thickness=1.5,
            )
        self.pen.flag(new, foot, ink)
        said = f"cursor of {self.telling.cast.name(moment.device)}: {moment.saved[1]}"
        self.sheet.words(
            strip.middle, foot + 32, said, size=12, colour=ink, bold=True, halo=colours.PAPER
        )

    # ------------------------------------------------------------ messages

    def _sending(self, row: Row, moment: Sending) -> None:
        y = row.y + 32
        label = moment.label(self.telling.cast)
        outcome = moment.outcome()
        if moment.device not in self.layout.devices:
            pass
        elif moment.entries or moment.answers:
            ink = colours.RED if moment.refused else colours.INK
            said = f"sends {label}" + (f": {outcome}" if outcome else "")
            farthest = self._farthest(moment)
            self.pen.arrow(moment.device, farthest, y, said, up=True, ink=ink, thickness=2.5)
        else:
            x = self.layout.devices[moment.device]
            self.sheet.dot(x, row.middle, 5, fill=colours.INK, edge=colours.PAPER)
            self.pen.beside(moment.device, row.middle + 4, f"writes {label}", colours.INK)
        for account, seqs in moment.entries.items():
            if account in self.layout.logs:
                self.pen.cells(self.pen.strip(row, moment, account, set(seqs), []), y)

    def _farthest(self, moment: Sending) -> str:
        """The log at the end of the arrow."""
        shown = [each for each in moment.entries if each in self.layout.logs]
        x = self.layout.devices[moment.device]
        return max(shown, key=lambda each: abs(self.layout.logs[each] - x), default="")

    # ------------------------------------------------------------ what befalls them

    def _turn(self, row: Row, moment: Turn) -> None:
        if moment.account not in self.layout.logs:
            return
        x, y = self.layout.logs[moment.account], row.y + 22
        if moment.torn:
            step = LOG / 16
            path = " ".join(
                f"{'L' if number else 'M'} {x - LOG / 2 + number * step:g} "
                f"{y - 10 + (number % 2) * 8:g}"
                for number in range(17)
            )
            self.sheet.curve(path, colour=colours.RED, thickness=2)
        self.sheet.words(
            x, y + 14, moment.text, size=12, colour=colours.RED, bold=True, halo=colours.PAPER
        )
        strip = self.pen.strip(row, moment, moment.account, set(), [])
        self.pen.cells(strip, y + 36)

    def _remark(self, row: Row, moment: Remark) -> None:
        ink, y = _INKS[moment.sign], row.middle
        if moment.where in self.layout.devices:
            x = self.layout.devices[moment.where]
        elif moment.where in self.layout.logs:
            x = self.layout.logs[moment.where]
        elif moment.where == SERVER_LANE:
            left, right = self.layout.server
            x = (left + right) / 2
        else:
            return
        self.pen.mark(moment.sign, x, y, ink)
        said = shorten(moment.words(), REMARK_MAX, placeholder=" …")
        if moment.where in self.layout.devices:
            self.pen.beside(moment.where, y + 4, said, ink)
        else:
            self.sheet.words(
                x + 16,
                y + 4,
                said,
                size=12.5,
                colour=ink,
                bold=True,
                halo=colours.PANEL,
                anchor="start",
            )

    def _phase(self, row: Row, moment: Heading) -> None:
        y = row.middle
        left, right = MARGIN + 76, self.layout.width - MARGIN
        self.sheet.line((left, y), (right, y), colour=colours.EDGE, thickness=1.5)
        self.sheet.words(
            left + 12,
            y + 4,
            moment.text,
            size=12.5,
            colour=colours.MUTED,
            bold=True,
            anchor="start",
            halo=colours.PAPER,
        )

    def _fold(self, row: Row) -> None:
        assert row.fold is not None
        names = [self.telling.cast.name(each) for each in row.fold.devices]
        whose = f" of {listed(names)}" if names else ""
        many = "1 record" if row.fold.records == 1 else f"{row.fold.records} records"
        y, left = row.middle, MARGIN + 76
        link = f"#{self.whole}-{row.fold.first}" if self.whole else ""
        with self.sheet.group("show everything", {"class": "fold"}, link=link):
            self.sheet.line(
                (left, y),
                (self.layout.width - MARGIN, y),
                colour=colours.LANE,
                thickness=1.5,
                dashed=True,
            )
            self.sheet.words(
                left + 12,
                y + 4,
                f"⋯ {many}{whose}",
                size=12,
                colour=colours.MUTED,
                anchor="start",
                halo=colours.PAPER,
            )
