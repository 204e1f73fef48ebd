"""Towards the device: which entries it gets next, and what its acks are worth.

Level-triggered: a wake-up only says "look again"; what is sent is decided by the place, the head
and the room in the window. At most one read is under way.
"""

from __future__ import annotations

from syncd.model import AccountId, Epoch, Page, ReadRequest, Seq
from syncd.protocol.verdict import Judgement, Reason
from syncd.protocol.window import AckJudgement, Window


class Delivery:
    """The place of one session in its account's log."""

    __slots__ = ("_dirty", "_reading", "_restarted", "epoch", "floor", "head", "window")

    def __init__(self, window_bytes: int) -> None:
        self.epoch = Epoch(b"")
        self.floor: Seq = 0
        self.head: Seq = 0
        self.window = Window(0, window_bytes)
        self._reading = False
        self._dirty = False
        self._restarted = False

    def begin(self, judgement: Judgement, epoch: Epoch, floor: Seq, head: Seq) -> None:
        """Take up the place that a verdict gives. After the first, an old read may still come."""
        self._restarted = self.epoch != b""
        self.epoch, self.floor, self.head = epoch, floor, head
        self.window.restart(judgement.start)

    def wake(self) -> None:
        """The log may have grown."""
        self._dirty = True

    def next_read(self, account: AccountId) -> ReadRequest | None:
        """What to read now, if there may be something to read and room to send it."""
        if self._reading or not (self._dirty or self.head > self.window.sent):
            return None
        room = self.window.room()
        if room == 0:
            return None
        self._reading, self._dirty = True, False
        return ReadRequest(account, self.window.sent, room)

    def changed(self, page: Page) -> Judgement | None:
        """Take note of a page that was read: a new verdict where the log is no longer the one
        that this session was following, else None."""
        self._reading = False
        place = self.window.sent
        if page.epoch != self.epoch:
            return Judgement(page.floor, page.floor_chain, reason=Reason.EPOCH)
        if page.head < place:
            return Judgement(page.floor, page.floor_chain, reason=Reason.AHEAD)
        if page.floor > place:
            return Judgement(page.floor, page.floor_chain, missing=(place + 1, page.floor))
        return None

    def take(self, page: Page) -> Seq | None:
        """Count the page as sent: the seq before it, or None where it held nothing new."""
        place = self.window.sent
        self.floor, self.head = page.floor, page.head
        if page.to == place:
            return None
        self.window.send(page.to, len(page.entries))
        return place

    def ack(self, epoch: Epoch, seq: Seq) -> AckJudgement | None:
        """What an ack is worth; None where it is about another epoch, or was under way when the
        place moved: it belongs to the place before."""
        if epoch != self.epoch or (self._restarted and seq < self.window.acked):
            return None
        return self.window.ack(seq)
