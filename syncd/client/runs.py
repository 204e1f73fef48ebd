"""A log's entries in memory, as the batches that brought them: found by seq, dropped by seq."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from syncd.model import Seq
from syncd.wire.frames import Entry

READ_ENTRIES_MAX = 4096
"""How many entries one read joins from small batches; a larger batch is read whole."""


class Runs:
    """Batches in rising order; a hole between two of them is possible (a start that skipped)."""

    __slots__ = ("_ends", "_runs")

    def __init__(self) -> None:
        self._ends: list[Seq] = []
        self._runs: list[tuple[Seq, tuple[Entry, ...]]] = []

    def append(self, prev: Seq, entries: tuple[Entry, ...]) -> None:
        """The entries prev+1 .. prev+len(entries)."""
        assert not self._ends or prev >= self._ends[-1]
        self._ends.append(prev + len(entries))
        self._runs.append((prev, entries))

    def after(self, seq: Seq) -> tuple[Seq, tuple[Entry, ...]] | None:
        """(prev, entries): a contiguous piece of what follows `seq`, None when nothing does."""
        index = bisect_right(self._ends, seq)
        if index == len(self._ends):
            return None
        prev, entries = self._runs[index]
        if seq > prev:
            prev, entries = seq, entries[seq - prev :]
        while len(entries) < READ_ENTRIES_MAX and index + 1 < len(self._ends):
            # Joined in one go, because small batches may be many.
            pieces, count = [entries], len(entries)
            while index + 1 < len(self._ends) and count < READ_ENTRIES_MAX:
                following, more = self._runs[index + 1]
                if following != prev + count:
                    break
                pieces.append(more)
                count += len(more)
                index += 1
            if len(pieces) == 1:
                break
            entries = tuple(entry for piece in pieces for entry in piece)
        return prev, entries

    def drop_through(self, seq: Seq) -> None:
        """Forget the batches that end at `seq` or before."""
        count = bisect_right(self._ends, seq)
        del self._ends[:count], self._runs[:count]

    def drop_beyond(self, seq: Seq) -> list[Entry]:
        """Forget every entry above `seq`, and give them."""
        count = bisect_right(self._ends, seq)
        dropped = self._runs[count:]
        del self._ends[count:], self._runs[count:]
        for prev, entries in dropped[:1]:
            if prev < seq:
                self.append(prev, entries[: seq - prev])
        return [entry for prev, entries in dropped for entry in entries[max(0, seq - prev) :]]

    def clear(self) -> None:
        """Forget everything."""
        self._ends.clear()
        self._runs.clear()

    def __iter__(self) -> Iterator[tuple[Seq, Entry]]:
        for prev, entries in self._runs:
            yield from enumerate(entries, prev + 1)
