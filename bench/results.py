"""What a measurement found: printed as it comes, and at the end as one JSON object of one shape."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Literal

import msgspec

from bench.machine import Machine, commit, machine

SCHEMA = 1

Better = Literal["higher", "lower"]
Setting = str | int | float | bool | None

_UNITS: tuple[tuple[str, str, Better], ...] = (
    ("_per_s", "1/s", "higher"),
    ("_ratio", "", "higher"),
    ("_growth", "", "lower"),
    ("_ms", "ms", "lower"),
    ("_us", "us", "lower"),
    ("_kib", "KiB", "lower"),
    ("_mib", "MiB", "lower"),
    ("_bytes_per_byte", "B/B", "lower"),
    ("_fsyncs_per_1000", "1/1000", "lower"),
    ("_s", "s", "lower"),
)
"""What the end of a figure's name says."""


class Figure(msgspec.Struct, frozen=True):
    """One figure. `values` holds one number for each time that it was measured."""

    unit: str
    better: Better
    values: tuple[float, ...]
    median: float
    lowest: float
    highest: float


class Result(msgspec.Struct, frozen=True):
    """One run of one sub-command; the JSON line is this object. A figure that was not measured is
    not there."""

    bench: str
    commit: str
    machine: Machine
    began: str
    """When, in UTC, by ISO 8601."""
    settings: dict[str, Setting]
    figures: dict[str, Figure]
    schema: int = SCHEMA


class Latencies(msgspec.Struct, frozen=True):
    """The usual places in a distribution, in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, times_ms: list[float]) -> Latencies:
        """Of two times or more."""
        cuts = quantiles(times_ms, n=100)
        return cls(cuts[49], cuts[94], cuts[98])


class Results:
    """Figures of one run of `bench`, as they come."""

    def __init__(self, bench: str, settings: Mapping[str, Setting]) -> None:
        self._bench = bench
        self._settings = dict(settings)
        self._values: dict[str, list[float]] = {}
        self._began = datetime.now(UTC).isoformat(timespec="seconds")
        # Now: a process that is pinned later sees fewer cores.
        self._machine = about = machine()
        print(f"commit {commit()} on {about['cores']} x {about['model']}, ", end="")
        print(f"python {about['python']}, kernel {about['kernel']}")

    def note(self, name: str, figure: float, remark: str = "") -> None:
        """One measurement. The end of the name says the unit."""
        unit_of(name)
        self._values.setdefault(name, []).append(figure)
        print(f"  {name:34} {_short(figure):>10}   {remark}", flush=True)

    def note_latencies(self, name: str, times_ms: list[float], remark: str = "") -> Latencies:
        """p50, p95 and p99 of one measurement, as NAME_p50_ms and so on."""
        found = Latencies.of(times_ms)
        self.note(f"{name}_p50_ms", found.p50, remark)
        self.note(f"{name}_p95_ms", found.p95)
        self.note(f"{name}_p99_ms", found.p99, f"worst {max(times_ms):.1f} ms")
        return found

    def result(self) -> Result:
        """What was found so far."""
        figures = {
            name: Figure(
                *unit_of(name),
                values=tuple(round(value, 4) for value in values),
                median=round(median(values), 4),
                lowest=round(min(values), 4),
                highest=round(max(values), 4),
            )
            for name, values in self._values.items()
        }
        return Result(self._bench, commit(), self._machine, self._began, self._settings, figures)

    def finish(self) -> None:
        """The table that people read, and the line that programs read."""
        found = self.result()
        print(f"\n{'median':>46}   lowest .. highest")
        for name, figure in found.figures.items():
            spread = f"{_short(figure.lowest)} .. {_short(figure.highest)}"
            count = f"{len(figure.values)} measured"
            print(f"  {name:34} {_short(figure.median):>10}   {spread} {figure.unit}, {count}")
        print(msgspec.json.encode(found).decode())
        sys.stdout.flush()


def unit_of(name: str) -> tuple[str, Better]:
    """The unit of a figure, and which way is better. Raises KeyError for a name that says none."""
    for end, unit, better in _UNITS:
        if name.endswith(end):
            return unit, better
    raise KeyError(name)


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 1_000 else f"{figure:.2f}"
