"""What a run of `bench peers` found: kept by round, laid out as tables, written as one JSON object.

The object is a `Report`; README.md explains it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median

import msgspec

from bench.machine import commit, machine
from bench.peers.works import RATE, Figure
from bench.results import Better, Result, Setting
from bench.results import Figure as Measured

OURS = "syncd"
"""The peer that all others are compared with."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one peer.

    peer, version: whose; durable: whether its acknowledgement means that a message is on disk.
    work, figure, unit: what was done, and what was counted.
    values: one per round, the median of the round's measurements; null where one failed.
    median: of the values.
    ratio_to_syncd: the peer's value divided by syncd's of the same round, the median over the
        rounds; null where syncd was not measured.
    """

    peer: str
    version: str
    durable: bool
    work: str
    figure: str
    unit: str
    values: tuple[float | None, ...]
    median: float
    ratio_to_syncd: float | None


class Report(Result, frozen=True, kw_only=True):
    """One run of `python -m bench peers`: a result as all sub-commands write it, and more.

    figures: as "peer/figure", for `bench compare`.
    rows: the same, laid out for people and plots.
    configs: by peer, how its server was started.
    missing: by peer, sentences on what was not measured.
    calibrations_ms: how long a fixed Python loop took before each phase, in order.
    """

    rows: tuple[Row, ...]
    configs: dict[str, str]
    missing: dict[str, tuple[str, ...]]
    calibrations_ms: tuple[float, ...]


class Results:
    """What was measured so far."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._values: dict[tuple[str, str, str], dict[int, list[float]]] = {}
        self._units: dict[str, str] = {}
        self._peers: dict[str, tuple[str, bool, str]] = {}
        self._missing: dict[str, dict[str, None]] = {}
        self._calibrations: list[float] = []

    def introduce(self, peer: str, version: str, durable: bool, config: str) -> None:
        """A peer that runs here."""
        self._peers[peer] = version, durable, config

    def note(self, turn: int, peer: str, work: str, figure: Figure) -> None:
        """A figure of round `turn`, counted from 0."""
        rounds = self._values.setdefault((work, figure.name, peer), {})
        rounds.setdefault(turn, []).append(figure.value)
        self._units[figure.name] = figure.unit

    def note_missing(self, peer: str, sentence: str) -> bool:
        """Why something of this peer is not measured; whether that is news."""
        sentences = self._missing.setdefault(peer, {})
        known = sentence in sentences
        sentences[sentence] = None
        return not known

    def note_calibration(self, milliseconds: float) -> None:
        """How fast the machine was before a phase."""
        self._calibrations.append(milliseconds)

    def report(self, began: str, settings: dict[str, Setting]) -> Report:
        """All of it."""
        rows = tuple(self._rows())
        return Report(
            bench="peers",
            commit=commit(),
            machine=machine(),
            began=began,
            settings=settings,
            figures={f"{row.peer}/{row.figure}": _measured(row) for row in rows},
            rows=rows,
            configs={peer: config for peer, (_, _, config) in self._peers.items()},
            missing={peer: tuple(sentences) for peer, sentences in self._missing.items()},
            calibrations_ms=tuple(round(each, 1) for each in self._calibrations),
        )

    def _rows(self) -> Iterator[Row]:
        for (work, figure, peer), rounds in self._values.items():
            version, durable, _ = self._peers[peer]
            values = self._by_round(rounds)
            ours = self._by_round(self._values.get((work, figure, OURS), {}))
            ratios = [
                value / own
                for value, own in zip(values, ours, strict=True)
                if value is not None and own
            ]
            yield Row(
                peer=peer,
                version=version,
                durable=durable,
                work=work,
                figure=figure,
                unit=self._units[figure],
                values=tuple(values),
                median=median(value for value in values if value is not None),
                ratio_to_syncd=median(ratios) if ratios else None,
            )

    def _by_round(self, rounds: dict[int, list[float]]) -> list[float | None]:
        turns = (rounds.get(turn) for turn in range(self._rounds))
        return [None if values is None else median(values) for values in turns]


def _measured(row: Row) -> Measured:
    values = tuple(value for value in row.values if value is not None)
    better: Better = "higher" if row.unit == RATE else "lower"
    return Measured(row.unit, better, values, row.median, min(values), max(values))


def tables(report: Report) -> Iterator[str]:
    """A Markdown table per work: peers down, figures across; medians, and in brackets how many
    times syncd's figure that is."""
    for work in dict.fromkeys(row.work for row in report.rows):
        rows = [row for row in report.rows if row.work == work]
        figures = list(dict.fromkeys(row.figure for row in rows))
        cells = {(row.peer, row.figure): _cell(row) for row in rows}
        yield _line(["peer", "durable", *figures])
        yield _line(["---"] * (len(figures) + 2))
        for peer, durable in dict.fromkeys((row.peer, row.durable) for row in rows):
            found = [cells.get((peer, figure), "-") for figure in figures]
            yield _line([peer, "yes" if durable else "no", *found])
        yield ""


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(row: Row) -> str:
    text = in_short(row.median)
    if row.peer == OURS or row.ratio_to_syncd is None:
        return text
    return f"{text} ({in_short(row.ratio_to_syncd)}x)"


def in_short(value: float) -> str:
    """A figure as people read it: three digits count."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.3g}"
