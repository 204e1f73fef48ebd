"""Bar charts of catch-up and of sends against the peers, from a result of `bench peers`.

python -m bench plots RESULTS.json --to FOLDER

Writes SVG by hand: two small files that a README shows as they are, on light and on dark pages.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import msgspec

from bench.peers.results import OURS, Report, Row, in_short

_WIDTH, _LABELS, _VALUES = 760, 132, 78
_BAR, _GAP, _TOP, _LEGEND = 15, 11, 62, 54
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .faint { font-size: 12px; fill: #59636e }
  .ours { fill: #0969da } .theirs { fill: #818b98 } .second { opacity: .5 }
  .hatch { stroke: #fff; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .faint { fill: #9198a1 }
    .ours { fill: #4493f8 } .theirs { fill: #7d8590 }
    .hatch { stroke: #0d1117 }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure: how long, and what stands beside it."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """The bars of one peer, one for each series that it has; None where it was not measured."""

    peer: str
    durable: bool
    bars: tuple[Bar | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """What one file shows."""

    file: str
    title: str
    series: tuple[str, ...]
    groups: tuple[Group, ...]


# ------------------------------------------------------------ from a result


def charts(report: Report) -> Iterator[Chart]:
    """Those for which the report has figures."""
    backlogs = _sizes(report.rows, r"catchup_(\d+k?)_raw_per_s")
    if backlogs:
        most = _spelled(backlogs[0])
        yield Chart(
            "peers-catch-up.svg",
            f"A device that was never here gets {most} messages: messages per second",
            ("server side, read by a raw client", "through the official Python client"),
            _groups(
                report.rows,
                [[f"catchup_{size}_{client}_per_s" for size in backlogs] for client in _CLIENTS],
            ),
        )
    connections = _sizes(report.rows, r"sends_per_s_(\d+)")
    if connections:
        ends = list(dict.fromkeys((connections[0], connections[-1])))
        yield Chart(
            "peers-sends.svg",
            "Sending, pipelined, to 1,000 people: acknowledged messages per second",
            tuple(_connections(size) for size in ends),
            _groups(report.rows, [[f"sends_per_s_{size}"] for size in ends]),
        )


_CLIENTS = ("raw", "official")


def _sizes(rows: Sequence[Row], pattern: str) -> list[str]:
    """What stands in the brackets of `pattern`, in all figures that match; the largest first."""
    found = {match[1] for row in rows if (match := re.fullmatch(pattern, row.figure))}
    return sorted(found, key=_number, reverse=True)


def _number(size: str) -> int:
    return int(size.replace("k", "000"))


def _spelled(size: str) -> str:
    return f"{_number(size):,}"


def _connections(size: str) -> str:
    return "over 1 connection" if size == "1" else f"over {size} connections"


def _groups(rows: Sequence[Row], series: Sequence[Sequence[str]]) -> tuple[Group, ...]:
    """A group per peer, the longest first. Each series names figures: the first that a peer has
    counts, and what is not the first of all is said beside the bar."""
    medians = {(row.peer, row.figure): row.median for row in rows}
    groups = []
    for peer, durable in dict.fromkeys((row.peer, row.durable) for row in rows):
        bars = tuple(_bar(medians, peer, figures) for figures in series)
        if any(bars):
            groups.append(Group(peer, durable, bars))
    return tuple(sorted(groups, key=_longest, reverse=True))


def _bar(medians: dict[tuple[str, str], float], peer: str, figures: Sequence[str]) -> Bar | None:
    for figure in figures:
        value = medians.get((peer, figure))
        if value is not None:
            size = re.search(r"\d+k?", figure)
            less = f" (of {_spelled(size[0])})" if size and figure != figures[0] else ""
            return Bar(value, in_short(value) + less)
    return None


def _longest(group: Group) -> float:
    return max(bar.value for bar in group.bars if bar is not None)


# ------------------------------------------------------------ drawn


def svg(chart: Chart, remark: str) -> str:
    """The whole file; `remark` says on what and when it was measured."""
    most = max(map(_longest, chart.groups))
    scale = (_WIDTH - _LABELS - _VALUES) / most
    body, y = [], _TOP
    for group in chart.groups:
        count = len(chart.series)
        middle = y + count * _BAR / 2 + 5
        name = (
            f'<text x="{_LABELS - 10}" y="{middle}" text-anchor="end">{escape(group.peer)}</text>'
        )
        body.append(name)
        for series, bar in enumerate(group.bars):
            if bar is not None:
                body += _drawn(bar, group, series, y + series * _BAR, scale)
        y += count * _BAR + _GAP
    height = y + _LEGEND
    title = escape(chart.title)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
            f' viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">',
            f"<title>{title}</title><style>{_STYLE}</style>",
            '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"'
            ' patternTransform="rotate(45)"><path class="hatch" d="M0 0V6"/></pattern>',
            f'<text class="title" x="12" y="26">{title}</text>',
            f'<text class="faint" x="12" y="46">{escape(remark)}</text>',
            *body,
            *_legend(chart, y + 14),
            "</svg>\n",
        ]
    )


def _drawn(bar: Bar, group: Group, series: int, y: float, scale: float) -> Iterator[str]:
    kind = ("ours" if group.peer == OURS else "theirs") + (" second" if series else "")
    length = max(1.0, bar.value * scale)
    shape = f'x="{_LABELS}" y="{y + 1}" width="{length:.1f}" height="{_BAR - 2}"'
    yield f'<rect class="{kind}" {shape} rx="2"/>'
    if not group.durable:
        yield f'<rect fill="url(#hatch)" {shape}/>'
    yield f'<text class="faint" x="{_LABELS + length + 6:.1f}" y="{y + 12}">{bar.text}</text>'


def _legend(chart: Chart, y: float) -> Iterator[str]:
    """Both rows below the bars: the series, and what hatching means."""
    for place, name in enumerate(chart.series):
        x = _LABELS + place * 270
        kind = "theirs second" if place else "theirs"
        yield f'<rect class="{kind}" x="{x}" y="{y - 10}" width="22" height="12" rx="2"/>'
        yield f'<text class="faint" x="{x + 28}" y="{y}">{escape(name)}</text>'
    if any(not group.durable for group in chart.groups):
        shape = f'x="{_LABELS}" y="{y + 10}" width="22" height="12"'
        yield f'<rect class="theirs" {shape} rx="2"/><rect fill="url(#hatch)" {shape}/>'
        text = "acknowledged before it is on disk"
        yield f'<text class="faint" x="{_LABELS + 28}" y="{y + 20}">{text}</text>'


# ------------------------------------------------------------ the command


def main(arguments: Sequence[str]) -> int:
    """Write the charts; their paths are printed."""
    parser = argparse.ArgumentParser("python -m bench plots", description=__doc__)
    parser.add_argument("results", type=Path, help="what `bench peers --json FILE` wrote")
    parser.add_argument("--to", type=Path, default=Path(), help="the folder (default: this one)")
    options = parser.parse_args(arguments)
    try:
        report = msgspec.json.decode(options.results.read_bytes(), type=Report)
    except (OSError, msgspec.DecodeError) as error:
        print(f"! {options.results} is no result of bench peers: {error}", file=sys.stderr)
        return 1
    about = report.machine
    remark = (
        f"medians; {report.began[:10]}, commit {report.commit[:7]}, {about['cores']} x"
        f" {about['model']}, server and load pinned to a core each"
    )
    for chart in charts(report):
        file = options.to / chart.file
        file.write_text(svg(chart, remark))
        print(file)
    return 0
