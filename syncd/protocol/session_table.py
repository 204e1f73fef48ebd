"""The session's state machine as one table: what is done about every event in every state.

Rule 1: the table is total. What a peer may not do there is refused with a code of errors.py; what
our own shell may not do is an assertion, because it can only be a bug.
Rule 2: a row says where its action may lead; the tests hold the session to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import get_args

from syncd.protocol import events


class State(Enum):
    """Where a session is."""

    GREETING = "greeting"
    """The socket is open; a hello must come."""
    ADMITTING = "admitting"
    """Somebody finds out whose token it is."""
    OPENING = "opening"
    """Storage takes the generation and the snapshot."""
    LIVE = "live"
    """A verdict was given: batches, acks and sends flow."""
    CLOSED = "closed"
    """A goodbye was said or the socket is gone; late completions fall on deaf ears."""

    # Enum's own is written in Python, and the table below is looked into for every event.
    __hash__ = object.__hash__


EVENTS: tuple[type[events.Event], ...] = get_args(events.Event)


@dataclass(frozen=True, slots=True)
class Row:
    """What a session does about an event in a state (a method's name), and where it may lead."""

    action: str
    next: tuple[State, ...]
    note: str


_SHUT = (State.CLOSED,)
_MAYBE_SHUT = (State.LIVE, State.CLOSED)

_RULES: dict[State, dict[type[events.Event], Row]] = {
    State.GREETING: {
        events.Received: Row(
            "_greeted",
            (State.ADMITTING, State.CLOSED),
            "a hello is authenticated; anything else: out_of_turn",
        ),
        events.TimePassed: Row("_late", (State.GREETING, State.CLOSED), "hello_timeout when due"),
    },
    State.ADMITTING: {
        events.Received: Row("_out_of_turn", _SHUT, "nothing before the verdict"),
        events.Admitted: Row("_admitted", (State.OPENING,), "take a generation and a snapshot"),
        events.NotAdmitted: Row("_refused", _SHUT, "close with its code"),
        events.TimePassed: Row("_late", (State.ADMITTING, State.CLOSED), "hello_timeout when due"),
    },
    State.OPENING: {
        events.Received: Row("_out_of_turn", _SHUT, "nothing before the verdict"),
        events.Opened: Row("_opened", (State.LIVE,), "the verdict; read from its start"),
        events.NotOpened: Row("_refused", _SHUT, "close with its code"),
        events.Woken: Row("_woken", (State.OPENING,), "look again once live"),
        events.Ended: Row("_refused", _SHUT, "revoked or rotated"),
        events.TimePassed: Row("_deaf", (State.OPENING,), "no deadline"),
    },
    State.LIVE: {
        events.Received: Row(
            "_received", _MAYBE_SHUT, "ack, send, signal; a second hello: out_of_turn"
        ),
        events.Committed: Row("_committed", (State.LIVE,), "answers"),
        events.PageRead: Row(
            "_page_read",
            _MAYBE_SHUT,
            "a batch; truncated or reset if the log changed; storage_unavailable on a loss",
        ),
        events.ReadFailed: Row("_read_failed", _SHUT, "storage_unavailable"),
        events.Woken: Row("_woken", (State.LIVE,), "read, if there is room"),
        events.Signalled: Row("_signalled", (State.LIVE,), "pass it on"),
        events.Superseded: Row("_superseded", _SHUT, "fenced, naming who took over"),
        events.Ended: Row("_refused", _SHUT, "revoked or rotated"),
        events.TimePassed: Row("_heartbeat", (State.LIVE,), "heartbeat when due"),
    },
    State.CLOSED: {},
}
_ANY_OPEN: dict[type[events.Event], Row] = {
    events.Malformed: Row("_refused", _SHUT, "close with its code"),
    events.Draining: Row("_drained", _SHUT, "draining"),
    events.Throttled: Row("_throttled", _SHUT, "slow_down, with a time to wait"),
    events.WriteStalled: Row("_stalled", _SHUT, "slow_reader"),
    events.Disconnected: Row("_gone", _SHUT, "nobody left to tell"),
}
_IMPOSSIBLE = Row("_impossible", (), "cannot happen: a bug of the shell")
_IGNORED = Row("_deaf", _SHUT, "ignored")


def _rule(state: State, event: type[events.Event]) -> Row:
    if state is State.CLOSED:
        return _IGNORED
    return _RULES[state].get(event) or _ANY_OPEN.get(event) or _IMPOSSIBLE


TABLE = {(state, event): _rule(state, event) for state in State for event in EVENTS}


def table() -> list[tuple[str, str, str, str]]:
    """The machine as text: state, event, next states, note. DESIGN.md and PROTOCOL.md show it."""
    return [
        (
            state.value,
            event.__name__,
            ", ".join(following.value for following in row.next) or "-",
            row.note,
        )
        for (state, event), row in TABLE.items()
    ]
