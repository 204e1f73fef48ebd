"""Resume: where a device goes on after a hello. Three verdicts and nothing else.

The rules stand here in the order in which they apply (the first that fits is the verdict):

    nothing stated            welcome at the floor (`cursor`: at the stored cursor)
    another epoch             reset: epoch      of a log that was merged into this one: merged
    seq above the head        reset: ahead      a loss on the server: alarm (a cursor's, too)
    seq below the floor       truncated
    chain at seq differs      reset: forked     a loss on the server: alarm
    else                      welcome at the stated seq

Never clamp, never wait: "did I miss anything?" always has a definite answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from syncd.model import Chain, CursorScope, Opening, Position, Seq


class Reason(Enum):
    """Why a reset."""

    EPOCH = "epoch"
    AHEAD = "ahead"
    FORKED = "forked"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict: welcome unless `reason` (reset) or `missing` (truncated) is given."""

    start: Seq
    chain: Chain
    reason: Reason | None = None
    missing: tuple[Seq, Seq] | None = None

    def text(self) -> str:
        """The verdict in words, for operators: "welcome", "truncated 1-7", "reset ahead"."""
        if self.reason is not None:
            return f"reset {self.reason.value}"
        if self.missing is not None:
            first, last = self.missing
            return f"truncated {first}-{last}"
        return "welcome"


def start(scope: CursorScope, stated: Seq | None, stored: Seq | None, floor: Seq) -> Seq:
    """After which seq batches begin. The one function that a cursor scope changes.

    stated: what the device holds; None when nothing. stored: the cursor under the scope's key.
    DEVICE is the service: what *this* device holds counts. The shared scopes are the founding
    bug, kept for its reproduction: whoever acknowledged first under the key decides for all.
    """
    own = floor if stated is None else stated
    if scope is CursorScope.DEVICE or stored is None:
        return own
    return max(own, stored)


def judge(
    position: Position | None, wants_cursor: bool, opening: Opening, scope: CursorScope
) -> Judgement:
    """The verdict on a hello, from what it states and one snapshot of the log."""
    stated: Seq | None
    if position is not None:
        stated, stated_chain = position.seq, opening.stated_chain
        if position.epoch != opening.epoch:
            merged = position.epoch in opening.merged_epochs
            return _from_floor(opening, Reason.MERGED if merged else Reason.EPOCH)
    elif wants_cursor:
        stated, stated_chain = opening.cursor, opening.cursor_chain
        if stated is None and opening.cursor_outdated:
            return _from_floor(opening, Reason.EPOCH)
    else:
        stated, stated_chain = None, None
    if stated is not None and stated > opening.head:
        return _from_floor(opening, Reason.AHEAD)
    if stated is not None and stated < opening.floor:
        missing = (stated + 1, opening.floor)
        return Judgement(opening.floor, opening.floor_chain, missing=missing)
    if position is not None and stated_chain != position.chain:
        return _from_floor(opening, Reason.FORKED)
    begin = start(scope, stated, opening.cursor, opening.floor)
    return Judgement(begin, _chain_at(begin, stated, stated_chain, opening))


def _from_floor(opening: Opening, reason: Reason) -> Judgement:
    return Judgement(opening.floor, opening.floor_chain, reason=reason)


def _chain_at(seq: Seq, stated: Seq | None, stated_chain: Chain | None, opening: Opening) -> Chain:
    if seq == stated and stated_chain is not None:
        return stated_chain
    if seq == opening.cursor and opening.cursor_chain is not None:
        return opening.cursor_chain
    assert seq == opening.floor, "a start is the stated seq, the cursor or the floor"
    return opening.floor_chain
