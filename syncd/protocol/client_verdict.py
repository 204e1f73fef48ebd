"""What a client checks in a verdict before it believes it: whose it is, and where it starts."""

from __future__ import annotations

from syncd.model import AccountId, DeviceId, Position
from syncd.protocol.client_commands import Mismatch, Skipped
from syncd.wire import frames


def mismatch(
    verdict: frames.Verdict, account: AccountId | None, device: DeviceId | None
) -> Mismatch | None:
    """Whether the token is another account's or device's than the store, which is `account`'s and
    `device`'s (None where it belongs to nobody yet).

    An account that was merged into the verdict's is the same person, and its device goes on.
    """
    own = f"{account}/{device}"
    if device is None or f"{verdict.account}/{verdict.device}" == own:
        return None
    merged = isinstance(verdict, frames.Reset) and verdict.reason == "merged"
    if verdict.device == device and (merged or account in verdict.aliases):
        return None
    return Mismatch(own, f"{verdict.account}/{verdict.device}")


def contradicts(verdict: frames.Verdict, stated: Position | None) -> bool:
    """Whether the verdict is about another past than the one stated, or starts before what
    it may start at: no log would say so."""
    if verdict.start < verdict.floor:
        return True
    if stated is None or not isinstance(verdict, frames.Welcome):
        return False
    same_place = verdict.start == stated.seq and verdict.chain == stated.chain
    return verdict.epoch != stated.epoch or not (same_place or verdict.start > stated.seq)


def skipped(verdict: frames.Verdict, stated: Position | None, cursor: bool) -> Skipped | None:
    """What the verdict passes over: its start is neither where this device stands nor the floor.
    `cursor`: the server's own cursor was asked for, so a welcome may start anywhere."""
    due, seq = verdict.floor, None
    if isinstance(verdict, frames.Welcome):
        if cursor:
            return None
        if stated is not None:
            due = seq = stated.seq
    if verdict.start == due:
        return None
    return Skipped(seq, verdict.start, verdict.start - due)
