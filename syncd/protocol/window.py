"""What was sent to one device and not yet acknowledged, and how much room is left.

Counts stored entry bytes; is freed by whole batches; refuses acks that go backwards or beyond what
was sent. There is no queue here: only places and sizes.
"""

from __future__ import annotations

from enum import Enum

from syncd.limits import BATCH_BYTES_MAX, ENTRY_BYTES_MAX
from syncd.model import Seq


class AckJudgement(Enum):
    """What an ack is worth."""

    TAKEN = "taken"
    BACKWARDS = "backwards"
    BEYOND_SENT = "beyond sent"


class Window:
    """The un-acknowledged stretch of one session: acked <= every batch's end <= sent."""

    __slots__ = ("_batches", "_bytes", "_limit", "acked", "sent")

    def __init__(self, place: Seq, limit: int) -> None:
        self._limit = limit
        self._batches: list[tuple[Seq, int]] = []  # an empty deque would cost 600 bytes a device
        self._bytes = 0
        self.sent = place
        self.acked = place

    def room(self) -> int:
        """Bytes that may be read for the device now; 0 while it must first acknowledge.

        With nothing outstanding there is always room (and a read gives at least one entry). With
        something outstanding there is none until an entry of any size fits, so that a page read
        into the room never exceeds the window.
        """
        room = self._limit - self._bytes
        if self._batches and room < ENTRY_BYTES_MAX:
            return 0
        return min(room, BATCH_BYTES_MAX)

    def outstanding(self) -> int:
        """Bytes sent and not acknowledged."""
        return self._bytes

    def send(self, to: Seq, size: int) -> None:
        """A batch that ends at `to` with `size` entry bytes was sent."""
        assert to > self.sent, "batches go forward"
        self._batches.append((to, size))
        self._bytes += size
        self.sent = to

    def ack(self, seq: Seq) -> AckJudgement:
        """The device stored everything up to `seq`. Frees the batches that end there or before."""
        if seq < self.acked:
            return AckJudgement.BACKWARDS
        if seq > self.sent:
            return AckJudgement.BEYOND_SENT
        self.acked = seq
        freed = 0
        for to, size in self._batches:
            if to > seq:
                break
            self._bytes -= size
            freed += 1
        del self._batches[:freed]
        return AckJudgement.TAKEN

    def restart(self, place: Seq) -> None:
        """Begin anew at `place`: the log changed under the session (truncated or reset)."""
        self._batches.clear()
        self._bytes = 0
        self.sent = self.acked = place
