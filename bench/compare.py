"""What changed between two results, and is it more than noise?

Each file holds what a sub-command printed; its last line that is a result counts. A difference is
called one where the two spreads do not touch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.results import Figure, Result


def read(path: Path) -> Result:
    """The result in a file. Raises OSError, and ValueError where there is none."""
    for line in reversed(path.read_text(encoding="utf-8").splitlines()):
        if line.startswith("{"):
            try:
                return msgspec.json.decode(line, type=Result)
            except msgspec.ValidationError as error:
                raise ValueError(f"{path}: its last JSON line is no result: {error}") from None
    raise ValueError(f"{path} holds no result")


def verdict(old: Figure, new: Figure) -> str:
    """better, worse, or within the noise."""
    if old.lowest <= new.highest and new.lowest <= old.highest:
        return "within the noise"
    rose = new.median > old.median
    return "better" if rose == (new.better == "higher") else "worse"


def main(arguments: Sequence[str]) -> int:
    """Print the table; 0 where both could be read and are of one sub-command."""
    parser = argparse.ArgumentParser("python -m bench compare", description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    given = parser.parse_args(arguments)
    try:
        old, new = read(given.old), read(given.new)
    except (OSError, ValueError) as error:
        print(f"! {error}", file=sys.stderr)
        return 2
    if old.bench != new.bench:
        print(f"! one is of {old.bench}, the other of {new.bench}", file=sys.stderr)
        return 2
    if old.machine != new.machine:
        print("! they were measured on different machines, or with different Pythons")
    print(f"{'':34} {old.commit[:9]:>12} {new.commit[:9]:>12}   ratio")
    for name in [*old.figures, *(each for each in new.figures if each not in old.figures)]:
        one, other = old.figures.get(name), new.figures.get(name)
        if one is None or other is None:
            print(f"{name:34} {_shown(one):>12} {_shown(other):>12}")
            continue
        ratio = other.median / one.median if one.median else float("inf")
        print(
            f"{name:34} {_shown(one):>12} {_shown(other):>12}   {ratio:5.2f}"
            f"   {verdict(one, other)} ({len(one.values)} and {len(other.values)} measured)"
        )
    return 0


def _shown(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{figure.median:,.0f}" if figure.median >= 1_000 else f"{figure.median:.2f}"
