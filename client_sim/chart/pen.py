"""The marks that a picture is made of: arrows between lanes, cells of logs, flags, signs."""

from __future__ import annotations

from client_sim.chart import colours
from client_sim.chart.lanes import Lanes
from client_sim.chart.layout import Row
from client_sim.chart.moments import Moment, Sign
from client_sim.chart.strip import Strip
from client_sim.drawing import Sheet

CELL_HEIGHT = 26.0


class Pen:
    """Draws on a sheet, over these lanes."""

    def __init__(self, sheet: Sheet, lanes: Lanes) -> None:
        self.sheet = sheet
        self.lanes = lanes
        self.strips: dict[int, Strip] = {}
        """The last strip of each row, by the number of its moment."""

    def mark(self, sign: Sign, x: float, y: float, ink: str) -> None:
        """What a remark is marked with."""
        match sign:
            case Sign.CRASH:
                for slope in (-8, 8):
                    ends = ((x - 8, y - slope), (x + 8, y + slope))
                    self.sheet.line(*ends, colour=ink, thickness=3.5)
            case Sign.FAULT:
                bolt = [(3, -11), (-7, 2), (-1, 2), (-3, 11), (7, -3), (1, -3)]
                corners = [(x + dx, y + dy) for dx, dy in bolt]
                self.sheet.shape(corners, fill=ink, edge=colours.PAPER)
            case Sign.CUT:
                for lift in (-4, 4):
                    ends = ((x - 9, y + lift + 4), (x + 9, y + lift - 4))
                    self.sheet.line(*ends, colour=ink, thickness=3)
            case Sign.ALARM:
                self.sheet.dot(x, y, 9, fill=ink, edge=colours.PAPER)
                self.sheet.words(x, y + 4.5, "!", size=13, colour=colours.PAPER, bold=True)

    def ink(self, device: str) -> str:
        """The colour of whoever this is."""
        return self.lanes.ink(device) if device in self.lanes.cast.devices else colours.INK

    def arrow(
        self,
        device: str,
        account: str,
        y: float,
        said: str,
        *,
        up: bool = False,
        ink: str = "",
        torn: bool = False,
        thickness: float = 1.5,
    ) -> None:
        """Between a device and a log, or the server's edge; up: from the device."""
        if device not in self.lanes.layout.devices:
            return
        towards, x = self.lanes.layout.towards(device), self.lanes.layout.devices[device]
        ink = ink or self.ink(device)
        near = x - towards * 8
        layout = self.lanes.layout
        left, right = layout.shelf(account) if account in layout.logs else layout.server
        far = right if towards > 0 else left
        if torn:
            middle = (near + far) / 2
            self.sheet.line((far, y), (middle, y), colour=ink, thickness=thickness)
            self.mark(Sign.CRASH, middle, y, ink)
        else:
            ends = ((near, y), (far, y)) if up else ((far, y), (near, y))
            self.sheet.arrow(*ends, colour=ink, thickness=thickness)
        self.beside(device, y - 7, said, ink)

    def beside(self, device: str, y: float, said: str, ink: str) -> None:
        """Words on a lane's side towards the server."""
        towards, x = self.lanes.layout.towards(device), self.lanes.layout.devices[device]
        self.sheet.words(
            x - towards * 16,
            y,
            said,
            size=12.5,
            colour=ink,
            anchor="start" if towards < 0 else "end",
            halo=colours.PAPER,
        )

    def strip(
        self, row: Row, moment: Moment, account: str, touched: set[int], places: list[int]
    ) -> Strip:
        """The log as the moment of this row shows it, ready to be drawn."""
        left, right = self.lanes.layout.shelf(account)
        strip = Strip(
            moment.logs[account], (left + right) / 2, right - left - 24, frozenset(touched), places
        )
        self.strips[row.number] = strip
        return strip

    def cells(self, strip: Strip, y: float, *, alarming: bool = False) -> None:
        """The log's cells, those that matter in colour; alarming: in red."""
        top = y - CELL_HEIGHT / 2
        if not strip.cells:
            self.sheet.words(
                strip.middle, y + 4, "empty", size=12, colour=colours.MUTED, halo=colours.PAPER
            )
        for cell in strip.cells:
            fill, edge = colours.PANEL, colours.LANE
            if cell.touched:
                fill, edge = colours.CELL, colours.CELL_EDGE
            if cell.touched and alarming:
                fill, edge = colours.RED_FILL, colours.RED
            with self.sheet.group("", {"data-cell": cell.label}):
                self.sheet.box(
                    cell.x + 1.5, top, cell.width - 3, CELL_HEIGHT, fill=fill, edge=edge, radius=4
                )
                size = 13 if len(cell.label) * 7 < cell.width else 10.5
                ink = colours.INK if cell.touched else colours.MUTED
                self.sheet.words(
                    cell.x + cell.width / 2,
                    y + 4.5,
                    cell.label,
                    size=size,
                    colour=ink,
                    bold=cell.touched,
                )

    def flag(self, x: float, y: float, fill: str, edge: str = "") -> None:
        """A cursor, pointing at a place between two cells from below."""
        corners = [(x - 6, y + 12), (x + 6, y + 12), (x, y + 1)]
        self.sheet.shape(corners, fill=fill, edge=edge or fill)
