"""One past of an account's log: what its places held, as far as anybody was told of them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from client_sim.history import Content

Place = tuple[str, int]
"""An epoch, and a seq in it."""


@dataclass(slots=True)
class Past:
    """A log's life from one rewind (restore, import, files put back by hand) to the next.

    begun: the record that told of the rewind. kept: the seq up to which it goes on the past before
        it; None where nobody told.
    epoch: None where nobody told; most logs have one for all their past.
    """

    account: str
    number: int
    begun: int
    epoch: str | None = None
    kept: int | None = None
    touched: bool = False
    """Something happened in it since it began."""
    held: dict[Place, Content] = field(default_factory=dict)
    told: dict[Place, int] = field(default_factory=dict)
    """The record that first told what a place holds."""
    _seen_at: list[int] = field(default_factory=list)
    _highest: list[int] = field(default_factory=list)

    def touch(self, epoch: str) -> None:
        """Something happened in it, and its epoch was told."""
        self.touched = True
        self.epoch = self.epoch or epoch

    def see(self, index: int, seq: int) -> None:
        """Somebody was told by this record that the log goes up to `seq` at least."""
        if not self._highest or seq > self._highest[-1]:
            self._seen_at.append(index)
            self._highest.append(seq)

    def seen_before(self, index: int) -> tuple[int, int] | None:
        """The highest seq that anybody had seen before this record, and the record that told."""
        found = bisect_left(self._seen_at, index) - 1
        return None if found < 0 else (self._highest[found], self._seen_at[found])

    def first_seen(self, seq: int) -> int | None:
        """The first record that told anybody of a place as high as this."""
        found = bisect_left(self._highest, seq)
        return None if found == len(self._highest) else self._seen_at[found]

    def continued(self, number: int, begun: int, epoch: str | None, kept: int | None) -> Past:
        """The past that follows, with what it shares with this one."""
        following = Past(self.account, number, begun, epoch, kept)
        if kept is not None and epoch is not None:
            for (old, seq), content in self.held.items():
                if seq <= kept and (self.epoch is None or old == self.epoch):
                    following.held[epoch, seq] = content
                    following.told[epoch, seq] = self.told[old, seq]
        return following


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two records that tell different things of one place."""

    past: Past
    epoch: str
    seq: int
    first: int
    second: int
    held: Content
    said: Content
