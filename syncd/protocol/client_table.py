"""The client's state machine as one table: what is done about every event in every state.

Rule 1: the table is total. What a peer may not do there is refused with a code of errors.py; what
our own shell may not do is an assertion, because it can only be a bug.
Rule 2: an action leads to one of the row's next states, or it is a bug; client.py asserts it.

A received frame is an event of its own here, named by its type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias, get_args

from syncd.protocol import client_events as events
from syncd.wire import frames


class State(Enum):
    """Where a client is."""

    LOADING = "loading"
    """The store is being opened."""
    WAITING = "waiting"
    """No socket: the next one is due at the deadline, once the store has answered everything."""
    CONNECTING = "connecting"
    """A socket is being opened."""
    GREETING = "greeting"
    """Hello is sent; the verdict must come."""
    JUDGING = "judging"
    """The store takes a verdict; frames that come meanwhile are held back."""
    SYNCING = "syncing"
    """Batches, acks, sends and answers flow."""
    CLOSING = "closing"
    """Close was asked for, by us or by the server's goodbye; what follows is decided."""
    STOPPED = "stopped"
    """The end; whatever still comes falls on deaf ears."""


Happening: TypeAlias = type[events.ClientEvent] | type[frames.ServerFrame]

HAPPENINGS: tuple[Happening, ...] = tuple(
    happening
    for event in get_args(events.ClientEvent)
    for happening in (get_args(frames.ServerFrame) if event is events.Received else (event,))
)


@dataclass(frozen=True, slots=True)
class Row:
    """What a client does about a happening in a state (a method's name), and where it may lead."""

    action: str
    next: tuple[State, ...]
    note: str


_LOADING, _WAITING, _CONNECTING = State.LOADING, State.WAITING, State.CONNECTING
_GREETING, _JUDGING, _SYNCING = State.GREETING, State.JUDGING, State.SYNCING
_CLOSING, _STOPPED = State.CLOSING, State.STOPPED
_TALKING = (_GREETING, _JUDGING, _SYNCING)
_LOADED = (_WAITING, _CONNECTING, *_TALKING, _CLOSING)
_STORING = (_WAITING, _JUDGING, _SYNCING, _CLOSING)
_ON = (_SYNCING, _CLOSING)

_ANY_FRAME: tuple[Happening, ...] = get_args(frames.ServerFrame)
_ANEW: tuple[Happening, ...] = (frames.Truncated, frames.Reset)
_FLOWING: tuple[Happening, ...] = (frames.Batch, frames.Heartbeat, frames.Answers)


def _stay(action: str, note: str) -> Row:
    return Row(action, (), note)


_IMPOSSIBLE = _stay("_impossible", "cannot happen: a bug of the shell")
_DEAF = _stay("_pass", "ignored")
_LEAVING = _stay("_pass", "ignored: we are leaving")
_OUT_OF_TURN = Row("_out_of_turn", (_CLOSING,), "close out_of_turn, stop")
_HOLD = _stay("_hold", "hold it until the verdict is taken")
_JUDGE = Row("_judge", (_JUDGING, _CLOSING), "check it, then let the store take it")

# (in these states, when one of these happens, this is done)
_RULES: tuple[tuple[tuple[State, ...], tuple[Happening, ...], Row], ...] = (
    # Opening.
    (
        (_LOADING,),
        (events.Loaded,),
        Row("_load", (_CONNECTING,), "take up the place, connect now"),
    ),
    ((_CONNECTING,), (events.Connected,), Row("_greet", (_GREETING,), "hello, once")),
    ((_CLOSING,), (events.Connected, events.Malformed, *_ANY_FRAME), _LEAVING),
    # The verdict.
    ((_GREETING,), (frames.Welcome, *_ANEW), _JUDGE),
    ((_GREETING,), _FLOWING, _OUT_OF_TURN),
    ((_JUDGING,), (*_ANEW, *_FLOWING), _HOLD),
    ((_JUDGING, _SYNCING), (frames.Welcome,), _OUT_OF_TURN),
    ((_SYNCING,), _ANEW, _JUDGE),
    (
        (_JUDGING,),
        (events.VerdictTaken,),
        Row(
            "_verdict_taken",
            (_SYNCING, _JUDGING, _CLOSING),
            "place and outbox start anew; send; take what was held",
        ),
    ),
    ((_WAITING, _CLOSING), (events.VerdictTaken,), _stay("_start_anew", "take up the place")),
    # Syncing.
    (
        (_SYNCING,),
        (frames.Batch,),
        Row("_batch", _ON, "store it if it continues the place, else gap"),
    ),
    (
        (_SYNCING,),
        (frames.Heartbeat,),
        Row("_heartbeat", _ON, "its `to` is the place here, else gap"),
    ),
    (
        (_SYNCING,),
        (frames.Answers,),
        Row("_answers", _ON, "store them; after a retryable refusal close resending"),
    ),
    (
        _STORING,
        (events.BatchStored,),
        _stay("_batch_stored", "what is stored may be acked; echoes are answers; go on sending"),
    ),
    (
        _STORING,
        (events.AnswersStored,),
        _stay("_answers_stored", "tell the application; go on sending"),
    ),
    ((_SYNCING,), (frames.Signalled,), _stay("_signalled", "tell the application")),
    ((_SYNCING,), (events.Signalling,), _stay("_signal", "send it")),
    (
        tuple(state for state in _LOADED if state is not _SYNCING),
        (events.Signalling,),
        _stay("_pass", "forget it: nobody would hear it in time"),
    ),
    ((_LOADING,), (events.Signalling,), _DEAF),
    ((_JUDGING,), (frames.Signalled,), _stay("_pass", "ignored: the place is not settled")),
    ((_GREETING,), (frames.Signalled,), _OUT_OF_TURN),
    (_LOADED, (events.HandedStored,), _stay("_pass", "nothing waits for it")),
    (_LOADED, (events.Queued,), _stay("_queued", "send it, if it is its turn")),
    (
        _LOADED,
        (events.Handed,),
        _stay("_handed", "to be saved behind; acked with a memory store"),
    ),
    # Time.
    ((_LOADING,), (events.TimePassed,), _DEAF),
    ((_CONNECTING, _CLOSING), (events.TimePassed,), _stay("_tick", "save the place when due")),
    (
        (_WAITING,),
        (events.TimePassed,),
        Row("_tick", (_WAITING, _CONNECTING), "connect when due"),
    ),
    (
        (_GREETING,),
        (events.TimePassed,),
        Row("_tick", (_GREETING, _CLOSING), "heartbeat_lost when due"),
    ),
    (
        (_JUDGING,),
        (events.TimePassed,),
        Row("_tick", (_JUDGING, _CLOSING), "heartbeat_lost when due"),
    ),
    (
        (_SYNCING,),
        (events.TimePassed,),
        Row("_tick", _ON, "ack when due; heartbeat_lost when due"),
    ),
    # Ends.
    (
        _TALKING,
        (frames.Goodbye,),
        Row("_goodbye", (_CLOSING,), "the code decides: come back or stop"),
    ),
    (
        _TALKING,
        (events.Malformed,),
        Row("_malformed", (_CLOSING,), "close with its code, stop"),
    ),
    (
        (_CONNECTING, *_TALKING),
        (events.Disconnected,),
        Row("_lost", (_WAITING, _STOPPED), "the code decides: come back or stop"),
    ),
    (
        (_CLOSING,),
        (events.Disconnected,),
        Row("_closed", (_WAITING, _STOPPED), "do as was decided"),
    ),
    (
        (_LOADING, _WAITING),
        (events.CloseRequested,),
        Row("_stop_now", (_STOPPED,), "save the place, stop"),
    ),
    (
        (_CONNECTING, *_TALKING, _CLOSING),
        (events.CloseRequested,),
        Row("_leave", (_CLOSING,), "ack, save the place, close, stop"),
    ),
)
_ROWS = {(state, what): row for states, whats, row in _RULES for state in states for what in whats}
assert len(_ROWS) == sum(len(states) * len(whats) for states, whats, _ in _RULES), "said twice"


def _row(state: State, what: Happening) -> Row:
    if state is State.STOPPED:
        return _DEAF
    return _ROWS.get((state, what), _IMPOSSIBLE)


TABLE = {(state, what): _row(state, what) for state in State for what in HAPPENINGS}


def table() -> list[tuple[str, str, str, str]]:
    """The machine as text: state, event, next states, note. PROTOCOL.md may show it."""
    return [
        (
            state.value,
            what.__name__,
            ", ".join(following.value for following in after) or "-",
            row.note,
        )
        for (state, what), row in TABLE.items()
        for after in [row.next or (() if row is _IMPOSSIBLE else (state,))]
    ]
