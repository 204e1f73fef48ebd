"""One direction of a pretended connection: frames in order, each after a time of its own.

What is blocked piles up; what is cut off never arrives. The last thing that passes is an end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from client_sim.pretend.clock import VirtualLoop

_TICK_S = 1e-6


@dataclass(frozen=True, slots=True)
class End:
    """Nothing follows. code and reason: of a close frame; None of a line that was cut."""

    code: int | None = None
    reason: str = ""


Piece = bytes | End


class Direction:
    """take: is given each piece when it has arrived. blocked: whether it cannot be taken now;
    after that has changed somebody calls `release`. latency: draws how long a piece is under way.
    """

    __slots__ = ("_at", "_blocked", "_due", "_latency", "_loop", "_pieces", "_take", "open")

    def __init__(
        self,
        loop: VirtualLoop,
        take: Callable[[Piece], None],
        blocked: Callable[[], bool],
        latency: Callable[[], float],
    ) -> None:
        self._loop = loop
        self._take = take
        self._blocked = blocked
        self._latency = latency
        self._pieces: deque[Piece] = deque()
        self._at = 0.0
        self._due = 0
        self.open = True
        """Whether anything more can be put in."""

    def __len__(self) -> int:
        """How many pieces are under way."""
        return len(self._pieces)

    @property
    def size(self) -> int:
        """Bytes under way."""
        return sum(len(piece) for piece in self._pieces if isinstance(piece, bytes))

    def put(self, piece: Piece) -> None:
        """Send it; after an end everything is lost."""
        if not self.open:
            return
        self.open = not isinstance(piece, End)
        self._at = max(self._at + _TICK_S, self._loop.time() + self._latency())
        self._pieces.append(piece)
        self._loop.call_at(self._at, self._arrive)

    def cut(self, kept: int = 0) -> None:
        """What is under way is lost, but for the first so many pieces."""
        self.open = False
        while len(self._pieces) > kept:
            self._pieces.pop()

    def end(self) -> None:
        """Let the other side notice, behind what is still under way, that nothing will follow."""
        self.open = True
        self.put(End())

    def release(self) -> None:
        """Hand over what has arrived meanwhile."""
        while self._due and not self._blocked():
            self._due -= 1
            self._hand_over()

    def _arrive(self) -> None:
        if self._due or self._blocked():
            self._due += 1  # in order, behind what waits already
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._pieces:  # else it was cut off on its way
            self._take(self._pieces.popleft())
