"""How a simulated PC words what it shows: entries, signals, verdicts, places."""

from __future__ import annotations

from collections.abc import Callable

from syncd.client import Action, Identity, Kind, read_change
from syncd.model import AccountId, Position, members_of_direct
from syncd.wire.frames import Entry, Reset, Signalled, Truncated, Verdict

OPERATOR = "an operator"
"""Who did what no account did."""
ERASED = "[erased]"
OWNER = " (owner)"
TYPING = 1
"""The kind of the signal that says so."""
_SIGNALS = {TYPING: "types in", 2: "is here in", 3: "is away from"}
_OWN_LOG_ONLY = (Kind.DELETE, Kind.READ)

Placed = Callable[[Identity], str]
"""Where an entry stands in this PC's own log, in words."""


def entry_in_words(entry: Entry, own: AccountId | None, placed: Placed) -> str:
    """What an entry says: ``alice: hello``, ``alice edits 5: new text``, ``you read up to 5``."""
    if entry.kind == Kind.MESSAGE:
        return f"{sender_of(entry, own)}: {text_of(entry.body)}"
    verb, about = deed(entry.kind, entry.conversation, entry.target, entry.body, placed)
    if entry.kind in _OWN_LOG_ONLY:
        return f"you {verb} {about}"
    return f"{entry.account or OPERATOR} {verb}s {about}"


def deed(
    kind: int, conversation: str, target: Identity | None, body: bytes | None, placed: Placed
) -> tuple[str, str]:
    """What an entry that is no message does: the verb, and what to."""
    aim = "nothing" if target is None else placed(target)
    match kind:
        case Kind.EDIT:
            return "edit", f"{aim}: {text_of(body)}"
        case Kind.RECALL:
            return "recall", aim
        case Kind.DELETE:
            return "delete", aim
        case Kind.READ:
            return "read up to", aim
        case Kind.SYSTEM:
            return _change(name_of(conversation), body)
    return "send", f"an entry of kind {kind}, which is not known here"


def _change(group: str, body: bytes | None) -> tuple[str, str]:
    try:
        change = read_change(body or b"")
    except ValueError:
        return "change", f"{group} in a way that cannot be read here"
    owners = [f"{account}{OWNER}" for account in change.owners]
    named = printable(", ".join([*change.members, *owners]).encode())
    match change.action:
        case Action.CREATE:
            return "create", f"{group} with {named}" if named else group
        case Action.ADD:
            return "add", f"{named} to {group}"
        case Action.REMOVE:
            return "remove", f"{named} from {group}"
        case Action.LEAVE:
            return "leave", group


def signal_in_words(signalled: Signalled) -> str:
    """What somebody does just now: ``bob types in team``."""
    does = _SIGNALS.get(signalled.kind, f"signals kind {signalled.kind} in")
    return f"{signalled.account} {does} {name_of(signalled.conversation)}"


def sender_of(entry: Entry, own: AccountId | None) -> str:
    """Who sent it; where it went, too, if that was a group or the PC's own account sent it."""
    pair = members_of_direct(entry.conversation)
    if pair is None:
        return f"{entry.account or OPERATOR} in {name_of(entry.conversation)}"
    if entry.account != own:
        return entry.account
    return f"{own} to {pair[0] if pair[1] == own else pair[1]}"


def name_of(conversation: str) -> str:
    """A conversation's id as text that cannot steer a terminal."""
    return printable(conversation.encode())


def text_of(body: bytes | None) -> str:
    """A body in words, also where it was erased since."""
    return ERASED if body is None else printable(body)


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
