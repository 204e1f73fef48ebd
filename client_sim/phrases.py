"""How a simulated PC words what it shows: entries, verdicts, places."""

from __future__ import annotations

from syncd.model import AccountId, Position, members_of_direct
from syncd.wire.frames import Entry, Reset, Truncated, Verdict


def sender_of(entry: Entry, own: AccountId | None) -> str:
    """Who sent it; to whom too, where that was the PC's own account."""
    pair = members_of_direct(entry.conversation)
    if pair is None or entry.account != own:
        return entry.account
    return f"{own} to {pair[0] if pair[1] == own else pair[1]}"


def printable(body: bytes) -> str:
    """A body as text that cannot steer a terminal."""
    text = body.decode(errors="replace")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def in_words(verdict: Verdict) -> str:
    """A verdict: which, and what comes now."""
    comes = f"{verdict.missed} to come after {verdict.start}, head {verdict.head}"
    match verdict:
        case Truncated():
            gone = f"{verdict.missing[0]} to {verdict.missing[1]}"
            return f"truncated: {gone} are gone for ever; {comes}"
        case Reset():
            return f"reset ({verdict.reason}): {comes}"
        case _:
            return f"welcome: {comes}"


def place_in_words(position: Position) -> str:
    """A position: its seq, and what tells it from others of this seq."""
    return f"{position.seq} (epoch {position.epoch.hex()}, chain {position.chain.hex()})"
