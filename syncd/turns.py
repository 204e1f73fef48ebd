"""Whose turn it is: a line for each party, and from each line as much as is fair.

A party is whoever shall not delay the others: an account, or a program that publishes. What waits
in one line leaves it in the order in which it came.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar


class Divisible(Protocol):
    """Something that waits and may leave its line in pieces."""

    def cut(self, entries_max: int) -> int:
        """Take the next piece: one step, and more of them while they fit. The entries it writes."""

    @property
    def finished(self) -> bool:
        """Whether the last piece was taken."""


Item = TypeVar("Item", bound=Divisible)


class Turns(Generic[Item]):
    """Lines that take turns. A line that got less than it wanted stands behind all others, and one
    whose single step was more than its share sits out as many rounds as it had too much."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Item]] = {}
        self._debts: dict[str, int] = {}

    def __len__(self) -> int:
        """How many parties wait."""
        return len(self._lines)

    def add(self, party: str, item: Item) -> None:
        """Put an item at the end of its party's line. It is not finished."""
        line = self._lines.get(party)
        if line is None:
            self._lines[party] = deque((item,))
        else:
            line.append(item)

    def round(self, entries_max: int, share_max: int) -> list[Item]:
        """Whatever one turn of each party takes, while room is left; each item was cut once.

        Every turn is worth at least one step; one that began with room may go beyond it by a step.
        It may be nothing, where all lines sit out; some rounds later it is something again.
        """
        taken: list[Item] = []
        for party in tuple(self._lines):
            if entries_max <= 0:
                break
            line = self._lines.pop(party)
            debt = self._debts.pop(party, 0) - share_max
            if debt > -share_max:
                self._lines[party] = line
                if debt > 0:
                    self._debts[party] = debt
                continue
            left = min(entries_max, share_max)
            while line and left > 0:
                item = line[0]
                entries = item.cut(left)
                entries_max -= entries
                left -= entries
                taken.append(item)
                if not item.finished:
                    break
                line.popleft()
            if line:
                self._lines[party] = line
                if left < 0:
                    self._debts[party] = -left
        return taken
