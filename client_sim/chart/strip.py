"""A log at one moment, as a strip of cells that always fits: long stretches become one cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from client_sim.chart.moments import Glimpse

CELL = 28.0
STRETCH = 58.0
SINGLE_MAX = 3
"""A stretch of so many entries is still shown one by one."""
CELLS_MAX = 7
"""A log of so many entries is shown whole."""


@dataclass(frozen=True)
class Cell:
    """Entries first .. last in one box. touched: they are what this moment is about."""

    first: int
    last: int
    x: float
    width: float
    touched: bool

    @property
    def label(self) -> str:
        """What is written in it."""
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Strip:
    """Cells from left to right, centred at `middle`, not wider than `width`. touched: entries that
    the moment is about; places: seqs after which something is to be marked."""

    glimpse: Glimpse
    middle: float
    width: float
    touched: frozenset[int] = frozenset()
    places: Sequence[int] = ()
    cells: Sequence[Cell] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", self._laid_out())

    def place(self, seq: int) -> float:
        """Where the gap after entry `seq` is."""
        if not self.cells:
            return self.middle
        for cell in self.cells:
            if seq < cell.first:
                return cell.x
            if seq <= cell.last:
                share = (seq - cell.first + 1) / (cell.last - cell.first + 1)
                return cell.x + cell.width * share
        return self.cells[-1].x + self.cells[-1].width

    @property
    def left(self) -> float:
        """Where its first cell begins."""
        return self.cells[0].x if self.cells else self.middle

    @property
    def right(self) -> float:
        """Where its last cell ends."""
        return self.cells[-1].x + self.cells[-1].width if self.cells else self.middle

    def _laid_out(self) -> list[Cell]:
        runs = self._runs()
        widths = [CELL if first == last else STRETCH for first, last in runs]
        shrink = min(1.0, self.width / max(sum(widths), 1))
        x = self.middle - sum(widths) * shrink / 2
        cells = []
        for (first, last), width in zip(runs, widths, strict=True):
            cells.append(Cell(first, last, x, width * shrink, first in self.touched))
            x += width * shrink
        return cells

    def _runs(self) -> list[tuple[int, int]]:
        floor, head = self.glimpse.floor, self.glimpse.head
        if head - floor <= CELLS_MAX:
            return [(seq, seq) for seq in range(floor + 1, head + 1)]
        inside = {place for place in self.places if floor <= place < head}
        edges = {seq for seq in self.touched if seq - 1 not in self.touched}
        edges |= {seq + 1 for seq in self.touched if seq + 1 not in self.touched}
        starts = sorted(
            {floor + 1}
            | {place + 1 for place in inside}
            | {edge for edge in edges if floor < edge <= head}
        )
        runs: list[tuple[int, int]] = []
        for first, following in zip(starts, [*starts[1:], head + 1], strict=True):
            if following - first <= SINGLE_MAX:
                runs += [(seq, seq) for seq in range(first, following)]
            else:
                runs.append((first, following - 1))
        return runs
