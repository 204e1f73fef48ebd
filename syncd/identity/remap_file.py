"""Reads which unionid is which after apps were bound to another platform account."""

from __future__ import annotations

import csv
from pathlib import Path

from syncd import errors
from syncd.identity.words import Declined
from syncd.persons import Remap

_TITLES = ["old", "new"]
_CHARACTERS_MAX = 128


def read_changes(path: Path) -> list[Remap]:
    """The changes in a CSV file of two columns, old and new; a line with these titles is skipped.

    Raises Declined, naming the line, for a file that says anything else or contradicts itself, and
    OSError.
    """
    changes: list[Remap] = []
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file, strict=True)
        try:
            for row in lines:
                if row and row != _TITLES:
                    changes.append(_change(row, lines.line_num))
        except (csv.Error, ValueError):  # not UTF-8
            raise _refused(lines.line_num) from None
    for names in ({each.old for each in changes}, {each.new for each in changes}):
        if len(names) != len(changes):
            raise Declined(errors.BAD_REQUEST, "A unionid stands twice in the same column.")
    return changes


def _change(row: list[str], line: int) -> Remap:
    sound = all(1 <= len(each) <= _CHARACTERS_MAX and each.isprintable() for each in row)
    if len(row) != len(_TITLES) or not sound:
        raise _refused(line)
    return Remap(*row)


def _refused(line: int) -> Declined:
    return Declined(errors.BAD_REQUEST, f"Line {line} is no pair of unionids: old,new.")
