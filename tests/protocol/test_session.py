"""The session in plays, and its table: total, true to its rows, and every row visited."""

from collections.abc import Callable
from typing import Any

import pytest

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.model import (
    Accepted,
    AccountId,
    Chain,
    CursorMark,
    CursorScope,
    Position,
    ReadRequest,
    Refused,
    Seq,
    VerdictNote,
    direct,
)
from syncd.protocol import commands, events
from syncd.protocol.session import Session
from syncd.protocol.session_table import EVENTS, TABLE, State
from syncd.protocol.signalling import SignalKind
from syncd.wire.frames import (
    Ack,
    Answers,
    Heartbeat,
    RefusedField,
    Reset,
    Send,
    Signal,
    Signalled,
    Truncated,
    Welcome,
)
from tests.drafts import (
    ALICE,
    BOB,
    EPOCH,
    LAPTOP,
    OTHER_EPOCH,
    PHONE,
    message,
    page,
    submission,
)
from tests.playbook import ANYTHING
from tests.protocol.session_playbook import (
    NOWHERE,
    WINDOW,
    Playbook,
    admitting,
    closed,
    greeting,
    hello,
    live,
    opened,
    opening,
)

CHAIN = Chain(b"a chain.")
CONVERSATION = direct(ALICE, BOB)
SIGNALLED = Signalled(CONVERSATION, BOB, LAPTOP, SignalKind.TYPING, b"")


def mark(seq: Seq, generation: int = 1) -> commands.SaveCursor:
    return commands.SaveCursor(CursorMark(ALICE, PHONE, generation, EPOCH, seq))


def note(text: str = "welcome", generation: int = 1) -> commands.NoteVerdict:
    return commands.NoteVerdict(VerdictNote(PHONE, generation, text))


def read(after: Seq, room: int = WINDOW) -> commands.Read:
    return commands.Read(ReadRequest(ALICE, after, room))


def close(refusal: Refusal, instance: str | None = None) -> commands.Close:
    return commands.Close(refusal, instance)


def signal(kind: SignalKind = SignalKind.TYPING) -> Signal:
    return Signal(CONVERSATION, kind, b"...")


def following(head: Seq = 5, place: Seq = 2) -> Playbook:
    """A live session that follows a log of `head` entries from `place`, its first read out."""
    position = Position(EPOCH, place, CHAIN)
    welcome = Welcome(ALICE, PHONE, EPOCH, 0, head, place, CHAIN, head - place, 0)
    return (
        opened(Playbook(), hello(position))
        .event(events.Opened(opening(head, stated_chain=CHAIN)))
        .commands(mark(place), note(), commands.Reply(welcome), read(place))
    )


# ---------------------------------------------------------------- the table

EXAMPLES: dict[type, events.Event] = {
    events.Received: events.Received(hello(), 0),
    events.Malformed: events.Malformed(errors.MALFORMED_FRAME),
    events.Admitted: events.Admitted(ALICE, PHONE, 1),
    events.NotAdmitted: events.NotAdmitted(errors.NOT_AUTHENTICATED),
    events.Opened: events.Opened(opening()),
    events.NotOpened: events.NotOpened(errors.DEVICE_REVOKED),
    events.Committed: events.Committed((Accepted(1, 1, False),)),
    events.PageRead: events.PageRead(page(0, 0, 0)),
    events.ReadFailed: events.ReadFailed(),
    events.Woken: events.Woken(),
    events.Signalled: events.Signalled(SIGNALLED),
    events.Superseded: events.Superseded("0011223344556677"),
    events.Ended: events.Ended(errors.TOKEN_ROTATED),
    events.Draining: events.Draining(),
    events.Throttled: events.Throttled(2500),
    events.WriteStalled: events.WriteStalled(),
    events.TimePassed: events.TimePassed(),
    events.Disconnected: events.Disconnected(),
}
LEADING: dict[State, Callable[[Playbook], Playbook]] = {
    State.GREETING: greeting,
    State.ADMITTING: admitting,
    State.OPENING: opened,
    State.LIVE: live,
    State.CLOSED: closed,
}


ROWS = [(state, event) for state in State for event in EVENTS]


def test_the_table_is_total_and_every_row_has_a_play() -> None:
    assert set(TABLE) == set(ROWS)
    assert set(EXAMPLES) == set(EVENTS)
    assert set(LEADING) == set(State)


@pytest.mark.parametrize(("state", "event"), ROWS)
def test_every_row_leads_where_it_says(state: State, event: type[events.Event]) -> None:
    play = LEADING[state](Playbook())
    play.ends_in(state)
    row = TABLE[state, event]
    if not row.next:
        with pytest.raises(AssertionError, match="cannot meet"):
            play.session.handle(EXAMPLES[event], play.now)
        return
    asked = play.session.handle(EXAMPLES[event], play.now)
    assert play.session.state in row.next
    closing = [each for each in asked if isinstance(each, commands.Close)]
    assert closing == asked[-1:] if closing else True
    if play.session.state is State.CLOSED:
        assert play.session.deadline() is None


def test_the_plays_visit_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    visited: set[tuple[State, type[events.Event]]] = set()

    class Counting(dict[Any, Any]):
        def __getitem__(self, key: Any) -> Any:
            visited.add(key)
            return super().__getitem__(key)

    monkeypatch.setattr("syncd.protocol.session.TABLE", Counting(TABLE))
    for state, event in ROWS:
        play = LEADING[state](Playbook())
        try:
            play.session.handle(EXAMPLES[event], play.now)
        except AssertionError:
            assert TABLE[state, event].next == ()
    assert visited == set(ROWS)


def test_a_closed_session_is_deaf_to_everything() -> None:
    for event in EXAMPLES.values():
        closed(Playbook()).event(event).none().ends_in(State.CLOSED)


# ---------------------------------------------------------------- hello and the verdicts


def test_a_hello_is_authenticated_then_opened_then_judged() -> None:
    live().ends_in(State.LIVE)


def test_a_device_that_holds_nothing_gets_the_whole_retained_log() -> None:
    welcome = Welcome(ALICE, PHONE, EPOCH, 0, 9, 0, NOWHERE, 9, 4)
    opened(Playbook()).event(events.Opened(opening(9, sent=4))).commands(
        note(), commands.Reply(welcome), read(0)
    )


def test_a_valid_position_is_an_acknowledgement() -> None:
    following().ends_in(State.LIVE)


def test_a_device_that_misses_nothing_is_not_read_for() -> None:
    position = Position(EPOCH, 5, CHAIN)
    welcome = Welcome(ALICE, PHONE, EPOCH, 0, 5, 5, CHAIN, 0, 0)
    opened(Playbook(), hello(position)).event(
        events.Opened(opening(5, stated_chain=CHAIN))
    ).commands(mark(5), note(), commands.Reply(welcome))


def test_the_cursor_hello_goes_on_at_the_stored_cursor() -> None:
    welcome = Welcome(ALICE, PHONE, EPOCH, 0, 5, 3, CHAIN, 2, 0)
    opened(Playbook(), hello(cursor=True)).event(
        events.Opened(opening(5, cursor=3, cursor_chain=CHAIN))
    ).commands(note(), commands.Reply(welcome), read(3))


@pytest.mark.parametrize(
    ("position", "stated_chain", "reason", "alarmed"),
    [
        (Position(OTHER_EPOCH, 5, CHAIN), CHAIN, "epoch", False),
        (Position(EPOCH, 10, CHAIN), None, "ahead", True),
        (Position(EPOCH, 5, CHAIN), Chain(b"another."), "forked", True),
    ],
)
def test_a_past_that_is_not_the_logs_is_reset_and_a_loss_alarms(
    position: Position, stated_chain: Chain | None, reason: str, alarmed: bool
) -> None:
    facts: dict[str, str | int] = {"account": ALICE, "device": PHONE}
    facts |= {"stated": position.seq, "head": 9}
    reset = Reset(ALICE, PHONE, EPOCH, 0, 9, 0, NOWHERE, 9, 6, reason)
    opened(Playbook(), hello(position)).event(
        events.Opened(opening(9, sent=6, stated_chain=stated_chain))
    ).commands(
        *([commands.Alarm(reason, facts)] if alarmed else []),
        note(f"reset {reason}"),
        commands.Reply(reset),
        read(0),
    )


def test_a_cursor_above_the_head_alarms_as_well() -> None:
    reset = Reset(ALICE, PHONE, EPOCH, 0, 9, 0, NOWHERE, 9, 0, "ahead")
    facts: dict[str, str | int] = {"account": ALICE, "device": PHONE, "stated": 12, "head": 9}
    opened(Playbook(), hello(cursor=True)).event(events.Opened(opening(9, cursor=12))).commands(
        commands.Alarm("ahead", facts), note("reset ahead"), commands.Reply(reset), read(0)
    )


def test_a_position_below_the_floor_is_truncated_and_no_acknowledgement() -> None:
    truncated = Truncated(ALICE, PHONE, EPOCH, 4, 9, 4, NOWHERE, 5, 0, (3, 4))
    opened(Playbook(), hello(Position(EPOCH, 2, CHAIN))).event(
        events.Opened(opening(9, floor=4))
    ).commands(note("truncated 3-4"), commands.Reply(truncated), read(4))


def test_a_guest_that_turned_out_to_be_somebody_is_told_so() -> None:
    guest = AccountId("guest")
    told = opening(9, stated_chain=CHAIN, aliases=(guest,), merged_epochs=frozenset({OTHER_EPOCH}))
    reset = Reset(ALICE, PHONE, EPOCH, 0, 9, 0, NOWHERE, 9, 0, "merged", (guest,))
    opened(Playbook(), hello(Position(OTHER_EPOCH, 2, CHAIN))).event(events.Opened(told)).commands(
        note("reset merged"), commands.Reply(reset), read(0)
    )


def test_every_verdict_names_the_aliases() -> None:
    told = opening(4, stated_chain=CHAIN, aliases=(AccountId("guest"),))
    play = opened(Playbook(), hello(Position(EPOCH, 2, CHAIN))).event(events.Opened(told))
    welcome = Welcome(ALICE, PHONE, EPOCH, 0, 4, 2, CHAIN, 2, 0, (AccountId("guest"),))
    play.commands(mark(2), note(), commands.Reply(welcome), read(2))
    trimmed = page(2, 2, 9, floor=6)
    where = (EPOCH, 6, 9, 6, trimmed.floor_chain, 3, 0)
    truncated = Truncated(ALICE, PHONE, *where, (3, 6), (AccountId("guest"),))
    play.event(events.PageRead(trimmed)).commands(
        note("truncated 3-6"), commands.Reply(truncated), read(6)
    )


def test_growth_while_storage_opens_is_looked_for() -> None:
    welcome = Welcome(ALICE, PHONE, EPOCH, 0, 0, 0, NOWHERE, 0, 0)
    opened(Playbook()).event(events.Woken()).none().event(events.Opened(opening())).commands(
        note(), commands.Reply(welcome), read(0)
    )


@pytest.mark.parametrize("frame", [Ack(EPOCH, 1), Send((message(1),)), signal()])
def test_nothing_but_a_hello_comes_first(frame: Ack | Send | Signal) -> None:
    Playbook().frame(frame).commands(close(errors.OUT_OF_TURN)).ends_in(State.CLOSED)


def test_a_hello_cannot_ask_for_the_cursor_and_state_a_position() -> None:
    Playbook().frame(hello(Position(EPOCH, 0, CHAIN), cursor=True)).commands(
        close(errors.OUT_OF_TURN)
    )


@pytest.mark.parametrize("leading", [admitting, opened])
@pytest.mark.parametrize("frame", [hello(), Ack(EPOCH, 1), Send((message(1),)), signal()])
def test_nothing_is_taken_before_the_verdict(
    leading: Callable[[Playbook], Playbook], frame: Any
) -> None:
    leading(Playbook()).frame(frame).commands(close(errors.OUT_OF_TURN)).ends_in(State.CLOSED)


def test_a_second_hello_is_out_of_turn() -> None:
    live().frame(hello()).commands(close(errors.OUT_OF_TURN)).ends_in(State.CLOSED)


@pytest.mark.parametrize("refusal", [errors.NOT_AUTHENTICATED, errors.STORAGE_UNAVAILABLE])
def test_whoever_is_not_admitted_hears_why(refusal: Refusal) -> None:
    admitting(Playbook()).event(events.NotAdmitted(refusal)).commands(close(refusal))
    opened(Playbook()).event(events.NotOpened(refusal)).commands(close(refusal))


def test_a_hello_that_never_comes_is_waited_for_so_long() -> None:
    play = Playbook()
    due = play.now + limits.HELLO_TIMEOUT_S
    assert play.session.deadline() == due
    play.now = due - 0.001
    play.event(events.TimePassed()).none()
    play.now = due
    play.event(events.TimePassed()).commands(close(errors.HELLO_TIMEOUT)).ends_in(State.CLOSED)
    assert play.session.deadline() is None


def test_a_login_that_never_ends_is_waited_for_so_long() -> None:
    play = Playbook()
    play.now += limits.HELLO_TIMEOUT_S - 0.001
    admitting(play)
    due = play.now + limits.ADMITTING_TIMEOUT_S
    assert play.session.deadline() == due
    play.now = due - 0.001
    play.event(events.TimePassed()).none()
    play.now = due
    play.event(events.TimePassed()).commands(close(errors.HELLO_TIMEOUT)).ends_in(State.CLOSED)
    play.event(events.Admitted(ALICE, PHONE, 1)).none()


def test_storage_may_take_its_time_to_open() -> None:
    play = opened(Playbook())
    assert play.session.deadline() is None
    play.now += 1_000
    play.event(events.TimePassed()).none()


# ---------------------------------------------------------------- delivery


def test_a_page_becomes_the_batch_that_follows() -> None:
    found = page(2, 5, 5)
    following().event(events.PageRead(found)).commands(commands.Deliver(2, found))


def test_one_page_is_read_at_a_time() -> None:
    first, second = page(2, 4, 5), page(4, 5, 5)
    room = WINDOW - len(first.entries)
    following().event(events.Woken()).none().event(events.Woken()).none().event(
        events.PageRead(first)
    ).commands(commands.Deliver(2, first), read(4, room)).event(events.PageRead(second)).commands(
        commands.Deliver(4, second)
    )


def test_a_wake_during_a_read_is_looked_after() -> None:
    found = page(2, 5, 5)
    room = WINDOW - len(found.entries)
    following().event(events.Woken()).none().event(events.PageRead(found)).commands(
        commands.Deliver(2, found), read(5, room)
    ).event(events.PageRead(page(5, 5, 5))).none()


def test_a_wake_with_nothing_new_brings_one_empty_look() -> None:
    live().event(events.Woken()).commands(read(0)).event(events.PageRead(page(0, 0, 0))).none()


def test_a_full_window_stops_the_reading_and_an_ack_frees_it() -> None:
    play = following(head=9)
    full = page(2, 4, 9, body=bytes(32_000))
    play.event(events.PageRead(full)).commands(commands.Deliver(2, full))
    play.event(events.Woken()).none()
    play.ack(3).commands(mark(3))  # within the batch: nothing is freed yet
    play.ack(4).commands(mark(4), read(4))


def test_an_ack_is_saved_behind() -> None:
    play = following().event(events.PageRead(page(2, 5, 5))).commands(ANYTHING)
    play.ack(4).commands(mark(4)).ack(4).commands(mark(4)).ack(5).commands(mark(5))


@pytest.mark.parametrize(
    ("seq", "refusal"), [(6, errors.ACK_BEYOND_SENT), (1, errors.ACK_BACKWARDS)]
)
def test_an_impossible_ack_closes(seq: Seq, refusal: Refusal) -> None:
    play = following().event(events.PageRead(page(2, 5, 5))).commands(ANYTHING)
    play.ack(seq).commands(close(refusal)).ends_in(State.CLOSED)


def test_an_ack_for_what_is_only_being_read_is_beyond_what_was_sent() -> None:
    following().ack(3).commands(close(errors.ACK_BEYOND_SENT))


def test_an_ack_of_another_epoch_is_ignored() -> None:
    following().ack(99, OTHER_EPOCH).none().ends_in(State.LIVE)


def test_a_trim_that_passes_the_session_is_announced_in_place_of_a_batch() -> None:
    trimmed = page(2, 2, 9, floor=6)
    truncated = Truncated(ALICE, PHONE, EPOCH, 6, 9, 6, trimmed.floor_chain, 3, 0, (3, 6))
    play = following(head=9)
    play.event(events.PageRead(trimmed)).commands(
        note("truncated 3-6"), commands.Reply(truncated), read(6)
    )
    play.ack(2).none()  # it was under way when the place moved
    play.ack(6).commands(mark(6))
    play.ack(7).commands(close(errors.ACK_BEYOND_SENT))


def test_a_new_epoch_is_announced_in_place_of_a_batch() -> None:
    renewed = page(2, 2, 3, epoch=OTHER_EPOCH)
    reset = Reset(ALICE, PHONE, OTHER_EPOCH, 0, 3, 0, NOWHERE, 3, 0, "epoch")
    play = following()
    play.event(events.PageRead(renewed)).commands(
        note("reset epoch"), commands.Reply(reset), read(0)
    )
    play.ack(2).none()  # of the epoch before
    found = page(0, 3, 3, epoch=OTHER_EPOCH)
    play.event(events.PageRead(found)).commands(commands.Deliver(0, found))
    saved = CursorMark(ALICE, PHONE, 1, OTHER_EPOCH, 3)
    play.ack(3, OTHER_EPOCH).commands(commands.SaveCursor(saved))


def test_a_verdict_during_the_session_tells_what_was_sent_meanwhile() -> None:
    play = following(head=9)
    play.frame(Send((message(4),))).commands(ANYTHING)
    play.event(events.Committed((Accepted(4, 10, False),))).commands(ANYTHING)
    trimmed = page(2, 2, 10, floor=6)
    truncated = Truncated(ALICE, PHONE, EPOCH, 6, 10, 6, trimmed.floor_chain, 4, 4, (3, 6))
    play.event(events.PageRead(trimmed)).commands(
        note("truncated 3-6"), commands.Reply(truncated), read(6)
    )


def test_a_log_that_lost_entries_alarms_and_ends_the_socket() -> None:
    facts: dict[str, str | int] = {"account": ALICE, "device": PHONE, "stated": 2, "head": 1}
    following().event(events.PageRead(page(1, 1, 1))).commands(
        commands.Alarm("ahead", facts), close(errors.STORAGE_UNAVAILABLE)
    ).ends_in(State.CLOSED)


def test_a_failed_read_closes_so_that_the_device_comes_back() -> None:
    following().event(events.ReadFailed()).commands(close(errors.STORAGE_UNAVAILABLE))
    assert errors.STORAGE_UNAVAILABLE.reconnect


def test_heartbeats_say_where_the_device_must_be() -> None:
    play = following().event(events.PageRead(page(2, 4, 5))).commands(ANYTHING, ANYTHING)
    due = play.now + limits.HEARTBEAT_INTERVAL_S
    assert play.session.deadline() == due
    play.now = due - 0.001
    play.event(events.TimePassed()).none()
    play.now = due + 3
    play.event(events.TimePassed()).commands(commands.Reply(Heartbeat(EPOCH, 5, 4, 0)))
    assert play.session.deadline() == due + 3 + limits.HEARTBEAT_INTERVAL_S


def test_heartbeats_tell_the_floor() -> None:
    play = following().event(events.PageRead(page(2, 4, 5, floor=1))).commands(ANYTHING, ANYTHING)
    play.now += limits.HEARTBEAT_INTERVAL_S
    play.event(events.TimePassed()).commands(commands.Reply(Heartbeat(EPOCH, 5, 4, 1)))


# ---------------------------------------------------------------- sending


def test_a_send_is_made_durable_before_it_is_answered() -> None:
    live().frame(Send((message(1), message(2)))).commands(commands.Append(submission(1, 2))).event(
        events.Committed((Accepted(1, 7, False), Accepted(2, 8, False)))
    ).commands(commands.Reply(Answers((Accepted(1, 7, False), Accepted(2, 8, False)), ())))


def test_what_could_never_be_accepted_is_answered_at_once() -> None:
    too_large = message(1, bytes(limits.BODY_BYTES_MAX + 1))
    refused = RefusedField(1, errors.TOO_LARGE.code)
    live().frame(Send((too_large, message(2)))).commands(
        commands.Reply(Answers((), (refused,))), commands.Append(submission(2))
    )


def test_after_a_retryable_refusal_nothing_more_reaches_the_log() -> None:
    busy = RefusedField(1, errors.BUSY.code)
    live().frame(Send((message(1),))).commands(ANYTHING).event(
        events.Committed((Refused(1, errors.BUSY),))
    ).commands(commands.Reply(Answers((), (busy,)))).frame(Send((message(2),))).commands(
        commands.Reply(Answers((), (RefusedField(2, errors.BUSY.code),)))
    )


def test_too_many_unanswered_messages_close() -> None:
    many = Send(tuple(message(each) for each in range(1, 1025)))
    live().frame(many).commands(ANYTHING).frame(Send((message(1025),))).commands(
        close(errors.TOO_MANY_UNANSWERED)
    )


def test_resending_after_a_verdict_during_the_session_does_not_close() -> None:
    many = Send(tuple(message(each) for each in range(1, 1025)))
    play = following(head=9).frame(many).commands(ANYTHING)
    play.event(events.PageRead(page(2, 2, 9, floor=6))).commands(ANYTHING, ANYTHING, read(6))
    play.frame(many).commands(ANYTHING).ends_in(State.LIVE)


def test_the_generation_of_the_opening_is_on_all_that_is_asked() -> None:
    play = opened(Playbook(), hello(Position(EPOCH, 0, NOWHERE))).event(
        events.Opened(opening(generation=12, stated_chain=NOWHERE))
    )
    play.commands(mark(0, generation=12), note(generation=12), ANYTHING)
    play.frame(Send((message(1),))).commands(commands.Append(submission(1, generation=12)))


# ---------------------------------------------------------------- signals


def test_a_signal_is_passed_on() -> None:
    live().frame(signal()).commands(commands.Signal(signal())).ends_in(State.LIVE)


def test_signals_beyond_the_burst_are_dropped_in_silence() -> None:
    play = live()
    for _ in range(limits.SIGNALS_BURST):
        play.frame(signal()).commands(commands.Signal(signal()))
    play.frame(signal()).none()
    play.now += 1
    for _ in range(limits.SIGNALS_PER_SECOND):
        play.frame(signal()).commands(commands.Signal(signal()))
    play.frame(signal()).none().ends_in(State.LIVE)


def test_a_signal_to_the_device_is_replied_as_it_is() -> None:
    live().event(events.Signalled(SIGNALLED)).commands(commands.Reply(SIGNALLED))


@pytest.mark.parametrize(
    ("event", "goodbye"),
    [
        (events.Disconnected(), []),
        (events.Draining(), [commands.Close(errors.DRAINING)]),
        (events.Throttled(7), [commands.Close(errors.SLOW_DOWN, None, 7)]),
        (events.Received(hello(), 0), [commands.Close(errors.OUT_OF_TURN)]),
    ],
)
def test_who_said_here_and_ends_is_said_to_be_away(
    event: events.Event, goodbye: list[commands.Command]
) -> None:
    here, away = signal(SignalKind.HERE), Signal(CONVERSATION, SignalKind.AWAY, b"")
    play = live().frame(here).commands(commands.Signal(here))
    play.event(event).commands(commands.Signal(away), *goodbye).ends_in(State.CLOSED)
    play.event(events.Disconnected()).none()


def test_throttled_says_how_long_to_stay_away_in_every_state() -> None:
    for state, leading in LEADING.items():
        play = leading(Playbook()).event(events.Throttled(2500))
        closing = commands.Close(errors.SLOW_DOWN, None, 2500)
        play.commands(*([] if state is State.CLOSED else [closing]))


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize(
    ("event", "goodbye"),
    [
        (events.Superseded("0011223344556677"), close(errors.FENCED, "0011223344556677")),
        (events.Ended(errors.DEVICE_REVOKED), close(errors.DEVICE_REVOKED)),
        (events.Ended(errors.TOKEN_ROTATED), close(errors.TOKEN_ROTATED)),
        (events.Draining(), close(errors.DRAINING)),
        (events.WriteStalled(), close(errors.SLOW_READER)),
        (events.Malformed(errors.WRONG_ENCODING), close(errors.WRONG_ENCODING)),
    ],
)
def test_the_end_has_a_code_and_is_the_end(event: events.Event, goodbye: commands.Close) -> None:
    play = following().event(event).commands(goodbye)
    play.event(events.PageRead(page(2, 5, 5))).none().event(events.Woken()).none()
    play.event(events.Committed((Accepted(1, 1, False),))).none()
    play.ack(5).none().event(events.TimePassed()).none().ends_in(State.CLOSED)


def test_a_completion_after_the_socket_is_gone_falls_on_deaf_ears() -> None:
    play = opened(Playbook()).event(events.Disconnected()).none()
    play.event(events.Opened(opening())).none().ends_in(State.CLOSED)


def test_draining_reaches_sessions_in_every_state() -> None:
    for state, leading in LEADING.items():
        play = leading(Playbook()).event(events.Draining())
        play.commands(*([] if state is State.CLOSED else [close(errors.DRAINING)]))


def test_a_wrong_scope_starts_at_the_shared_cursor() -> None:
    welcome = Welcome(ALICE, PHONE, EPOCH, 0, 5, 5, CHAIN, 0, 0)
    opened(Playbook(CursorScope.ACCOUNT)).event(
        events.Opened(opening(5, cursor=5, cursor_chain=CHAIN))
    ).commands(note(), commands.Reply(welcome))


def test_the_repr_shows_state_and_place() -> None:
    assert repr(Session(CursorScope.DEVICE, 0.0)) == "<Session greeting />"
    assert repr(following().session) == f"<Session live alice/{PHONE} 2<=2<=5>"
