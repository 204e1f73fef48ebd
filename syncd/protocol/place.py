"""Where a device stands in its log: received, stored, handed, acknowledged; and when to ack.

    acked <= confirmable <= stored <= received

What may be acknowledged is what is stored; where the store does not outlive the process (or the
application holds the entries itself) it is what the application has finished: handed.
"""

from __future__ import annotations

from collections import deque

from syncd.limits import ACK_DELAY_S, CURSOR_SAVE_DELAY_S
from syncd.model import Position, Seq
from syncd.wire.frames import Ack


class Place:
    """One device's places. `follows_handed`: whether acks wait for the application."""

    __slots__ = (
        "_confirmable_since",
        "_follows_handed",
        "_freed",
        "_half_window",
        "_handed_since",
        "_sizes",
        "_statable",
        "acked",
        "era",
        "handed",
        "received",
        "stored",
    )

    def __init__(self, window: int, follows_handed: bool) -> None:
        self._half_window = window // 2
        self._follows_handed = follows_handed
        self._sizes: deque[tuple[Position, int]] = deque()  # batches not yet confirmable
        self._freed = 0  # bytes that an ack would free
        self._statable: Position | None = None
        self._confirmable_since: float | None = None
        self._handed_since: float | None = None
        self.received: Position | None = None
        self.stored: Position | None = None
        self.handed: Seq = 0
        self.acked: Seq = 0
        self.era = 0

    def restart(self, position: Position | None, handed: Seq, era: int) -> None:
        """Take up a place whole: as loaded from the store, or as given by a verdict."""
        self._sizes.clear()
        self._freed = 0
        self._confirmable_since = None
        self.received = self.stored = self._statable = position
        # The application may have gone on while the store took the verdict.
        self.handed = max(handed, self.handed) if era == self.era else handed
        self.acked = 0 if position is None else position.seq
        self.era = era

    def statable(self) -> Position | None:
        """What hello may state: stating a position acknowledges it."""
        return self._statable

    def receive(self, position: Position, size: int) -> None:
        """A batch that ends at `position` is on its way into the store."""
        self.received = position
        self._sizes.append((position, size))

    def store(self, position: Position, now: float) -> None:
        """The batch that ends at `position` is stored."""
        self.stored = position
        self._advance(now)

    def hand(self, era: int, seq: Seq, now: float) -> bool:
        """The application has finished everything up to `seq`; False where that is no news."""
        if era != self.era or seq <= self.handed:
            return False
        self.handed = seq
        if self._handed_since is None:
            self._handed_since = now
        if self._follows_handed:
            self._advance(now)
        return True

    def _confirmable(self) -> Seq:
        stored = 0 if self.stored is None else self.stored.seq
        return min(self.handed, stored) if self._follows_handed else stored

    def _advance(self, now: float) -> None:
        confirmable = self._confirmable()
        while self._sizes and self._sizes[0][0].seq <= confirmable:
            self._statable, size = self._sizes.popleft()
            self._freed += size
        if self._confirmable_since is None and confirmable > self.acked:
            self._confirmable_since = now

    def ack(self, now: float | None) -> Ack | None:
        """The ack that is due: half a window stored, or something stored for 100 ms; with None
        for `now`, whatever is not acknowledged yet. It counts as sent."""
        if self._confirmable_since is None or self.stored is None:
            return None
        early = self._freed < self._half_window and now is not None
        if early and now is not None and now < self._confirmable_since + ACK_DELAY_S:
            return None
        self.acked = self._confirmable()
        self._freed = 0
        self._confirmable_since = None
        return Ack(self.stored.epoch, self.acked)

    def ack_deadline(self) -> float | None:
        """When an ack is due at the latest; None when nothing waits for one."""
        return None if self._confirmable_since is None else self._confirmable_since + ACK_DELAY_S

    def handed_deadline(self) -> float | None:
        """When the application's place is to be saved at the latest. It is saved behind: an
        entry may be handed again after a crash, so a write of its own for each would be waste."""
        return None if self._handed_since is None else self._handed_since + CURSOR_SAVE_DELAY_S

    def save_handed(self) -> Seq:
        """The application's place, which counts as given to the store."""
        self._handed_since = None
        return self.handed
