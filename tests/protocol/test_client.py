"""Plays: what a client does, rule by rule. The table itself is tried in test_client_table.py."""

from typing import Any

import msgspec
import pytest

from syncd import errors, limits
from syncd.model import Accepted, Epoch, Refused
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.client import Client, Settings
from syncd.protocol.client_events import Echo, Mark, Marked
from syncd.protocol.client_table import State
from syncd.wire import frames
from tests.playbook import ANYTHING, Playbook
from tests.protocol.client_plays import (
    ALICE,
    BLANK,
    EPOCH,
    INSTANCE,
    NEW_EPOCH,
    OTHER,
    OWN,
    WINDOW,
    ack,
    at,
    batch,
    client,
    entry,
    got,
    hello,
    loaded,
    message,
    play,
    reset,
    send,
    signal,
    signalled,
    stored,
    taken,
    truncated,
    verdict,
)

REPORTED = commands.Report(ANYTHING)
FLOORED = commands.Report(commands.Floored(5))
HALF_MAX_FIRST = limits.RECONNECT_DELAY_MIN_S / 2


def machine(stage: Playbook) -> Client:
    assert isinstance(stage.machine, Client)
    return stage.machine


def goodbye(refusal: errors.Refusal, instance: str | None = None, after: int | None = None) -> Any:
    return got(frames.Goodbye(refusal.code, refusal.name, instance, after))


def answers(*accepted: tuple[int, int | None, bool], refused: Any = ()) -> events.Received:
    return got(
        frames.Answers(
            tuple(Accepted(*each) for each in accepted),
            tuple(frames.RefusedField(number, refusal.code) for number, refusal in refused),
        )
    )


# ---------------------------------------------------------------- hello and verdict


def test_from_the_store_to_the_first_entry() -> None:
    stage = Playbook(client())
    stage >> BLANK << commands.Connect()
    stage >> events.Connected() << hello(None)
    welcome = verdict(start=5)
    stage >> got(welcome) << commands.TakeVerdict(welcome, 0)
    stage >> taken(handed=5) << commands.Report(commands.Judged(welcome)) << FLOORED
    stage >> batch(5, entry(1), entry(2))
    stage << commands.StoreBatch(5, (entry(1), entry(2)), at(7), (), 5)
    stage >> stored(7)
    assert (machine(stage).account, machine(stage).device) == (ALICE, OWN)
    assert (machine(stage).head, machine(stage).place.stored) == (20, at(7))
    stage.wait() >> events.TimePassed() << ack(7)
    stage.end()


def test_a_cursor_hello_states_nothing_and_takes_any_start() -> None:
    stage = Playbook(client(cursor=True))
    stage >> loaded()
    stage.skip()
    stage >> events.Connected() << hello(None, cursor=True)
    stage >> got(verdict(start=17)) << commands.TakeVerdict(ANYTHING, 10)
    stage.end()


@pytest.mark.parametrize("frame", [verdict(), truncated(), reset(), reset("forked", epoch=EPOCH)])
def test_every_verdict_is_taken_before_any_send(frame: Any) -> None:
    stage = play(State.GREETING)
    stage >> got(frame) << commands.TakeVerdict(frame, 10)
    stage >> events.Queued((message(4),))
    stage >> taken(message(3), message(4), era=1, handed=frame.start)
    stage << commands.Report(commands.Judged(frame))
    stage << commands.Report(commands.Floored(frame.floor)) << send(3, 4)
    stage.end()
    assert machine(stage).place.stored == at(frame.start, frame.epoch)


def test_marks_and_numbers_are_reported() -> None:
    stage = play(State.JUDGING)
    marked = Marked(Mark.NOT_ON_SERVER, 3)
    stage >> taken(message(1), numbered=((7, 1),), marked=marked)
    stage << commands.Report(commands.Numbered(((7, 1),)))
    stage << REPORTED << FLOORED << commands.Report(marked) << send(1)
    stage >> batch(10, entry(1)) << commands.StoreBatch(*[ANYTHING] * 5)
    stage >> events.BatchStored(at(11), (), marked) << commands.Report(marked)
    stage.end()


def test_what_the_store_queues_with_a_batch_is_sent() -> None:
    stage = play(State.SYNCING)
    stage >> batch(10, entry(1)) << commands.StoreBatch(*[ANYTHING] * 5)
    stage >> events.BatchStored(at(11), (), None, (message(5), message(6))) << send(5, 6)
    stage.end()


def test_frames_that_come_while_the_verdict_is_taken_are_held() -> None:
    stage = play(State.JUDGING)
    stage >> batch(10, entry(1))
    stage >> got(frames.Heartbeat(EPOCH, 21, 11))
    stage >> taken() << REPORTED << FLOORED << commands.StoreBatch(10, (entry(1),), at(11), (), 10)
    stage.end()
    assert machine(stage).head == 21


def test_a_second_verdict_is_held_with_what_follows_it() -> None:
    stage = play(State.JUDGING)
    again = reset()
    stage >> got(again)
    stage >> batch(5, entry(1))
    stage >> taken() << REPORTED << FLOORED << commands.TakeVerdict(again, 10)
    stage >> taken(era=1, handed=5) << commands.Report(commands.Judged(again)) << FLOORED
    stage << commands.StoreBatch(5, (entry(1),), at(6, NEW_EPOCH), (), 5)
    stage.end()


# ---------------------------------------------------------------- the floor, and signals


def floored(*floors: int) -> list[commands.ClientCommand]:
    return [commands.Report(commands.Floored(floor)) for floor in floors]


def heartbeat(floor: int) -> events.Received:
    return got(frames.Heartbeat(EPOCH, 20, 10, floor))


def test_the_floor_that_is_heard_never_falls_within_an_epoch() -> None:
    stage = play(State.SYNCING)
    assert machine(stage).floor == 5
    news = []
    for floor in (5, 7, 6, 7, 9):
        stage >> heartbeat(floor)
        news += stage.skip()
    assert news == floored(7, 9)
    assert machine(stage).floor == 9
    stage >> got(truncated(floor=8, start=8, head=20)) << commands.TakeVerdict(ANYTHING, 10)
    stage >> taken(handed=8) << REPORTED
    stage.end()
    assert machine(stage).floor == 9


def test_a_verdict_that_finds_the_floor_risen_is_told_after_itself() -> None:
    stage = play(State.SYNCING)
    trimmed = truncated()
    stage >> got(trimmed) << commands.TakeVerdict(trimmed, 10)
    stage >> taken(handed=15) << commands.Report(commands.Judged(trimmed))
    stage << commands.Report(commands.Floored(15))
    stage.end()


@pytest.mark.parametrize("epoch", [NEW_EPOCH, EPOCH])
def test_after_a_reset_the_floor_starts_anew(epoch: Epoch) -> None:
    stage = play(State.SYNCING)
    stage >> heartbeat(9) << REPORTED
    anew = reset(epoch=epoch, floor=2, start=2)
    stage >> got(anew) << commands.TakeVerdict(anew, 10)
    stage >> taken(era=1, handed=2) << commands.Report(commands.Judged(anew))
    stage << commands.Report(commands.Floored(2))
    stage.end()
    assert machine(stage).floor == 2


def test_a_heartbeat_that_is_a_gap_raises_no_floor() -> None:
    stage = play(State.SYNCING)
    stage >> got(frames.Heartbeat(EPOCH, 20, 9, 9)) << commands.Close(errors.GAP)
    stage.end()
    assert machine(stage).floor == 5


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
def test_a_signal_is_sent_while_it_is_true_or_never(state: State) -> None:
    stage = play(state)
    stage >> events.Signalling(signal())
    if state is State.SYNCING:
        stage << commands.SendFrame(signal())
    stage.end()


def test_a_signal_of_another_is_news() -> None:
    stage = play(State.SYNCING)
    stage >> got(signalled()) << commands.Report(commands.Signalled(signalled()))
    stage.end()


# ---------------------------------------------------------------- what the server may not say

SKIPS = [
    ("nothing held, start above the floor", BLANK, verdict(start=9), commands.Skipped(None, 9, 4)),
    ("a start above what was stated", loaded(), verdict(start=12), commands.Skipped(10, 12, 2)),
    ("truncated past the floor", loaded(), truncated(start=17), commands.Skipped(None, 17, 2)),
    ("reset past the floor", loaded(), reset(start=6), commands.Skipped(None, 6, 1)),
]


@pytest.mark.parametrize(("_name", "store", "frame", "skipped"), SKIPS, ids=[s[0] for s in SKIPS])
def test_a_server_that_skips_is_left(
    _name: str, store: events.Loaded, frame: Any, skipped: commands.Skipped
) -> None:
    stage = Playbook(client())
    stage >> store
    stage.skip()
    stage >> events.Connected()
    stage.skip()
    stage >> got(frame) << commands.Close(None)
    stage >> events.Disconnected(1000) << commands.Stop(skipped)
    stage.end()
    assert machine(stage).place.stored == store.position, "nothing was taken"


@pytest.mark.parametrize(("_name", "store", "frame", "skipped"), SKIPS, ids=[s[0] for s in SKIPS])
def test_without_the_check_it_is_reported(
    _name: str, store: events.Loaded, frame: Any, skipped: commands.Skipped
) -> None:
    stage = Playbook(client(verify_start=False))
    stage >> store
    stage.skip()
    stage >> events.Connected()
    stage.skip()
    stage >> got(frame) << commands.Report(skipped) << commands.TakeVerdict(frame, ANYTHING)
    stage.end()


FORKED = msgspec.structs.replace(verdict(), chain=at(9).chain)


CONTRADICTIONS = [
    verdict(epoch=NEW_EPOCH),
    FORKED,
    verdict(start=9),
    verdict(start=4),
    reset(start=4),
    truncated(start=14),
]


@pytest.mark.parametrize("frame", CONTRADICTIONS)
def test_a_verdict_that_no_log_would_give_is_no_verdict(frame: Any) -> None:
    stage = play(State.GREETING)
    stage >> got(frame) << commands.Close(errors.OUT_OF_TURN)
    stage >> events.Disconnected(4502) << commands.Stop(commands.Ended(errors.OUT_OF_TURN))
    stage.end()


@pytest.mark.parametrize("changes", [{"account": "mallory"}, {"device": OTHER}])
def test_a_store_of_another_device_is_refused(changes: Any) -> None:
    stage = play(State.GREETING)
    token = f"{changes.get('account', ALICE)}/{changes.get('device', OWN)}"
    stage >> got(reset(**changes)) << commands.Close(None)
    stage >> events.Disconnected(1000)
    stage << commands.Stop(commands.Mismatch(f"{ALICE}/{OWN}", token))
    stage.end()


def test_a_merge_changes_the_account() -> None:
    stage = play(State.GREETING)
    merged = reset("merged", account="home")
    stage >> got(merged) << commands.TakeVerdict(merged, 10)
    stage >> taken(era=1, handed=5) << REPORTED
    assert machine(stage).account == "home"


def test_the_aliases_are_the_stores_until_a_verdict_tells_them() -> None:
    stage = play(State.LOADING)
    stage >> events.Loaded(ALICE, OWN, at(10), 5, 0, aliases=("guest",))
    assert machine(stage).aliases == ("guest",)
    stage = play(State.GREETING)
    told = msgspec.structs.replace(verdict(), aliases=("guest",))
    stage >> got(told) << commands.TakeVerdict(told, 10) >> taken() << REPORTED
    assert machine(stage).aliases == ("guest",)


# ---------------------------------------------------------------- delivery


@pytest.mark.parametrize(
    "frame",
    [
        batch(11, entry(1)),
        batch(9, entry(1)),
        got(frames.Batch(10, 12, (entry(1),), at(12).chain, 20)),
        got(frames.Heartbeat(EPOCH, 20, 9)),
        got(frames.Heartbeat(EPOCH, 20, 11)),
        got(frames.Heartbeat(NEW_EPOCH, 20, 10)),
    ],
)
def test_a_gap_closes_and_comes_back_with_jitter(frame: events.Received) -> None:
    stage = play(State.SYNCING)
    stage >> frame << commands.Close(errors.GAP)
    stage >> batch(10, entry(1))
    stage >> events.Disconnected(errors.GAP.code)
    assert machine(stage).deadline() == stage.now + HALF_MAX_FIRST
    stage.wait() >> events.TimePassed() << commands.Connect()
    stage >> events.Connected() << hello(at(10))
    stage.end()


def test_batches_follow_what_was_received_not_what_was_stored() -> None:
    stage = play(State.SYNCING)
    stage >> batch(10, entry(1)) << commands.StoreBatch(*[ANYTHING] * 5)
    stage >> batch(11, entry(2)) << commands.StoreBatch(11, (entry(2),), at(12), (), 10)
    stage >> got(frames.Heartbeat(EPOCH, 20, 12))
    stage >> stored(11)
    stage >> stored(12)
    stage.end()


def test_half_a_window_is_acked_at_once() -> None:
    stage = play(State.SYNCING)
    stage >> got(batch(10, entry(1)).frame, WINDOW // 2)
    stage.skip()
    stage >> stored(11) << ack(11)
    stage.end()


def test_with_a_memory_store_the_ack_waits_for_the_application() -> None:
    stage = play(State.SYNCING, durable=False)
    stage >> got(batch(10, entry(1)).frame, WINDOW // 2)
    stage.skip()
    stage >> stored(11)
    stage >> events.Handed(0, 11) << ack(11)
    stage.end()


def test_the_position_is_not_stated_before_the_application_has_finished() -> None:
    stage = play(State.SYNCING, durable=False)
    stage >> batch(10, entry(1))
    stage.skip()
    stage >> stored(11)
    stage >> events.Disconnected(None)
    stage.wait() >> events.TimePassed() << commands.Connect()
    stage >> events.Connected() << hello(at(10))
    stage >> events.Handed(0, 11)
    # What was stated counts, not what might be stated by now.
    stage >> got(verdict()) << commands.TakeVerdict(ANYTHING, 11)
    stage.end()


def test_a_reset_during_a_session_starts_the_place_anew() -> None:
    stage = play(State.SYNCING)
    again = reset(head=6)
    stage >> batch(10, entry(1))
    stage.skip()
    stage >> got(again) << commands.TakeVerdict(again, 10)
    stage >> stored(11)
    stage >> taken(era=1, handed=5) << REPORTED << FLOORED
    stage >> events.Handed(0, 11)
    stage >> batch(5, entry(7), head=6)
    stage << commands.StoreBatch(5, (entry(7),), at(6, NEW_EPOCH), (), 5)
    stage >> stored(6, epoch=NEW_EPOCH)
    stage.wait() >> events.TimePassed() << ack(6, NEW_EPOCH)
    stage.end()


def test_the_applications_place_is_saved_behind_or_with_the_next_batch() -> None:
    stage = play(State.SYNCING)
    stage >> events.Handed(0, 11)
    stage.wait() >> events.TimePassed() << commands.StoreHanded(11)
    stage >> events.HandedStored()
    stage >> events.Handed(0, 12)
    stage >> batch(10, entry(1)) << commands.StoreBatch(10, ANYTHING, at(11), (), 12)
    stage.now += limits.CURSOR_SAVE_DELAY_S
    stage >> events.TimePassed()
    stage.end()


# ---------------------------------------------------------------- sending


def test_accepted_then_echo_is_one_answer() -> None:
    stage = play(State.SYNCING)
    stage >> events.Queued((message(1),)) << send(1)
    outcomes = (Accepted(1, 11, False),)
    stage >> answers((1, 11, False)) << commands.StoreAnswers(outcomes)
    stage >> events.AnswersStored(outcomes) << commands.Report(commands.Answered(outcomes))
    stage >> batch(10, entry(1, OWN))
    stage << commands.StoreBatch(10, ANYTHING, at(11), (Echo(1, 11),), 10)
    stage >> stored(11, Echo(1, 11))
    stage.end()


def test_the_echo_may_come_first_and_is_the_answer() -> None:
    stage = play(State.SYNCING)
    stage >> events.Queued((message(1),)) << send(1)
    stage >> batch(10, entry(1, OWN))
    stage << commands.StoreBatch(10, ANYTHING, at(11), (Echo(1, 11),), 10)
    stage >> stored(11, Echo(1, 11))
    stage << commands.Report(commands.Answered((Accepted(1, 11, False),)))
    stage >> answers((1, 11, False)) << commands.StoreAnswers(ANYTHING)
    stage >> events.AnswersStored((Accepted(1, 11, False),))
    stage.end()


@pytest.mark.parametrize("seq", [None, 9, 10])
def test_an_accepted_message_without_an_echo_to_come_is_not_waited_for(seq: int | None) -> None:
    stage = play(State.SYNCING)
    stage >> events.Queued((message(1),)) << send(1)
    outcomes = (Accepted(1, seq, True),)
    stage >> answers((1, seq, True)) << commands.StoreAnswers(outcomes)
    stage >> events.AnswersStored(outcomes) << commands.Report(commands.Answered(outcomes))
    stage >> batch(10, entry(1, OWN)) << commands.StoreBatch(10, ANYTHING, at(11), (), 10)
    stage.end()


def test_another_message_under_our_number_is_no_echo() -> None:
    stage = play(State.SYNCING)
    stage >> events.Queued((message(1),)) << send(1)
    other = msgspec.structs.replace(entry(1, OWN), body=b"of the time before the restore")
    stage >> batch(10, other) << commands.StoreBatch(10, (other,), at(11), (), 10)
    stage >> stored(11)
    outcomes = (Refused(1, errors.CONFLICT),)
    stage >> answers(refused=[(1, errors.CONFLICT)]) << commands.StoreAnswers(outcomes)
    stage >> events.AnswersStored(outcomes) << commands.Report(commands.Answered(outcomes))
    stage.end()


def test_a_definite_refusal_ends_that_message_alone() -> None:
    stage = play(State.SYNCING)
    stage >> events.Queued((message(1), message(2))) << send(1, 2)
    outcomes = (Accepted(2, 11, False), Refused(1, errors.CONFLICT))
    stage >> answers((2, 11, False), refused=[(1, errors.CONFLICT)])
    stage << commands.StoreAnswers(outcomes)
    stage >> events.AnswersStored(outcomes) << commands.Report(commands.Answered(outcomes))
    stage >> events.Queued((message(3),)) << send(3)
    stage.end()


def test_after_a_retryable_refusal_nothing_more_is_sent_on_this_socket() -> None:
    stage = play(State.SYNCING)
    stage >> events.Queued((message(1), message(2))) << send(1, 2)
    stage >> answers((1, 11, False), refused=[(2, errors.BUSY)])
    stage << commands.StoreAnswers((Accepted(1, 11, False),)) << commands.Close(errors.RESENDING)
    stage >> events.AnswersStored((Accepted(1, 11, False),)) << REPORTED
    stage >> events.Queued((message(3),))
    stage >> events.Disconnected(errors.RESENDING.code)
    stage.wait() >> events.TimePassed() << commands.Connect()
    stage >> events.Connected() << hello(at(10))
    stage >> got(verdict(sent=1)) << commands.TakeVerdict(ANYTHING, 10)
    stage >> taken(message(2), message(3), accepted=(1,)) << REPORTED << send(2, 3)
    stage.end()


def test_a_busy_server_is_asked_ever_more_rarely() -> None:
    stage = play(State.SYNCING)
    delays = []
    for _ in range(3):
        stage >> answers(refused=[(1, errors.BUSY)]) << commands.Close(errors.RESENDING)
        stage >> events.Disconnected(None)
        due = machine(stage).deadline()
        assert due is not None
        delays.append(due - stage.now)
        for event in (events.TimePassed(), events.Connected(), got(verdict()), taken(message(1))):
            stage.wait() if isinstance(event, events.TimePassed) else None
            stage >> event
            stage.skip()
    assert delays == [HALF_MAX_FIRST * factor for factor in (1, 2, 4)]
    stage >> answers((1, 11, False)) << commands.StoreAnswers(ANYTHING)
    stage >> events.AnswersStored((Accepted(1, 11, False),)) << REPORTED
    stage >> events.Disconnected(None)
    assert machine(stage).deadline() == stage.now + HALF_MAX_FIRST


def test_what_is_put_back_before_what_was_sent_needs_a_new_socket() -> None:
    stage = play(State.SYNCING)
    stage >> events.Queued((message(4),)) << send(4)
    stage >> got(reset()) << commands.TakeVerdict(ANYTHING, 10)
    stage >> taken(message(3), message(4), era=1, handed=5)
    stage << REPORTED << FLOORED << commands.Close(errors.RESENDING)
    stage.end()


# ---------------------------------------------------------------- silence, ends, coming back


@pytest.mark.parametrize("state", [State.GREETING, State.SYNCING])
def test_two_intervals_without_a_frame(state: State) -> None:
    stage = play(state)
    silence = limits.HEARTBEAT_INTERVAL_S * limits.HEARTBEATS_MISSED_MAX
    stage.now += silence - 1
    if state is State.SYNCING:
        stage >> got(frames.Heartbeat(EPOCH, 20, 10))
        stage.now += silence - 1
    stage >> events.TimePassed()
    stage.wait() >> events.TimePassed() << commands.Close(errors.HEARTBEAT_LOST)
    stage >> events.Disconnected(None)
    assert machine(stage).state is State.WAITING


def test_the_backoff_ends_with_a_verdict_not_with_a_connection() -> None:
    stage = play(State.CONNECTING)
    for factor in (1, 2):
        stage >> events.Disconnected(None)
        assert machine(stage).deadline() == stage.now + HALF_MAX_FIRST * factor
        stage.wait() >> events.TimePassed() << commands.Connect()
    stage >> events.Connected() << hello(at(10))
    stage >> events.Disconnected(None)
    assert machine(stage).deadline() == stage.now + HALF_MAX_FIRST * 4
    for event in (events.TimePassed(), events.Connected(), got(verdict()), taken()):
        stage.wait() if isinstance(event, events.TimePassed) else None
        stage >> event
        stage.skip()
    stage >> events.Disconnected(None)
    assert machine(stage).deadline() == stage.now + HALF_MAX_FIRST


def test_why_no_connection_comes_to_be_is_told_once_per_reason() -> None:
    stage = play(State.CONNECTING)
    refused, missing = events.Disconnected(None, "refused"), events.Disconnected(None, "HTTP 404")
    reported = []
    for event in (refused, refused, missing, missing, refused):
        stage >> event
        reported.append(stage.skip())
        stage.wait() >> events.TimePassed() << commands.Connect()
    told = [commands.Report(commands.Unreachable(text)) for text in ("refused", "HTTP 404")]
    assert reported == [[told[0]], [], [told[1]], [], [told[0]]]
    stage >> events.Connected() << hello(at(10))
    stage >> events.Disconnected(None, "a line that breaks is no news")
    stage.wait() >> events.TimePassed() << commands.Connect()
    stage >> refused << told[0]
    stage.end()


@pytest.mark.parametrize("refusal", [errors.DRAINING, errors.SLOW_DOWN])
def test_a_goodbye_says_how_long_to_wait(refusal: errors.Refusal) -> None:
    stage = play(State.SYNCING)
    stage >> goodbye(refusal, after=3000) << commands.Close(None)
    stage >> events.Disconnected(refusal.code)
    assert machine(stage).deadline() == stage.now + 3 + HALF_MAX_FIRST
    stage.now += 3
    stage >> events.TimePassed()
    stage.wait() >> events.TimePassed() << commands.Connect()
    stage.end()


def test_slow_down_before_the_verdict_is_waited_for_as_well() -> None:
    stage = play(State.GREETING)
    stage >> goodbye(errors.SLOW_DOWN, after=60_000) << commands.Close(None)
    stage >> events.Disconnected(errors.SLOW_DOWN.code)
    due = machine(stage).deadline()
    assert due is not None
    assert due >= stage.now + 60


def test_fenced_by_itself_it_comes_back() -> None:
    stage = play(State.SYNCING)
    stage >> goodbye(errors.FENCED, INSTANCE) << commands.Close(None)
    stage >> events.Disconnected(errors.FENCED.code)
    assert machine(stage).state is State.WAITING


def test_fenced_by_a_run_that_crashed_it_comes_back_too() -> None:
    stage = Playbook(client())
    stage >> events.Loaded(ALICE, OWN, at(10), 10, 0, frozenset(("a" * 16,)))
    stage << commands.Connect()
    for event in (events.Connected(), got(verdict()), taken()):
        stage >> event
        stage.skip()
    stage >> goodbye(errors.FENCED, "a" * 16) << commands.Close(None)
    stage >> events.Disconnected(errors.FENCED.code)
    assert machine(stage).deadline() == stage.now + HALF_MAX_FIRST


def test_fenced_by_another_it_does_not() -> None:
    stage = play(State.SYNCING)
    stage >> goodbye(errors.FENCED, "f" * 16) << commands.Close(None)
    stage >> events.Disconnected(errors.FENCED.code)
    stage << commands.Stop(commands.Ended(errors.FENCED, "f" * 16))
    stage.end()


@pytest.mark.parametrize(
    ("code", "stops"), [(4504, True), (4999, True), (4001, False), (4321, False), (1006, False)]
)
def test_without_a_goodbye_the_close_code_decides(code: int, stops: bool) -> None:
    stage = play(State.SYNCING)
    stage >> events.Disconnected(code)
    stage.skip()
    assert machine(stage).state is (State.STOPPED if stops else State.WAITING)


def test_bytes_that_are_no_frame_end_it() -> None:
    stage = play(State.SYNCING)
    stage >> events.Malformed(errors.WRONG_ENCODING) << commands.Close(errors.WRONG_ENCODING)
    stage >> events.Disconnected(None) << commands.Stop(commands.Ended(errors.WRONG_ENCODING))
    stage.end()


def test_no_hello_before_the_store_has_answered() -> None:
    stage = play(State.SYNCING)
    stage >> batch(10, entry(1)) << commands.StoreBatch(*[ANYTHING] * 5)
    stage >> events.Disconnected(None)
    stage.now += 100
    assert machine(stage).deadline() is None
    stage >> events.TimePassed()
    stage >> stored(11)
    stage >> events.TimePassed() << commands.Connect()
    stage >> events.Connected() << hello(at(11))
    stage.end()


def test_a_verdict_that_is_taken_after_the_socket_is_gone_counts() -> None:
    stage = play(State.GREETING)
    stage >> got(reset()) << commands.TakeVerdict(ANYTHING, 10)
    stage >> batch(5, entry(1))
    stage >> events.Disconnected(None)
    stage >> taken(message(1), era=1, handed=5) << REPORTED << FLOORED
    stage.wait() >> events.TimePassed() << commands.Connect()
    stage >> events.Connected() << hello(at(5, NEW_EPOCH))
    stage.end()


def test_closing_acks_and_saves() -> None:
    stage = play(State.SYNCING)
    stage >> batch(10, entry(1))
    stage.skip()
    stage >> stored(11)
    stage >> events.Handed(0, 11)
    stage >> events.CloseRequested() << ack(11) << commands.Close(None)
    stage >> events.Disconnected(1000)
    stage << commands.StoreHanded(11) << commands.Stop(commands.Requested())
    stage.end()


def test_closing_while_closing_stops_too() -> None:
    stage = play(State.SYNCING)
    stage >> batch(99, entry(1)) << commands.Close(errors.GAP)
    stage >> events.CloseRequested()
    stage >> events.Disconnected(None) << commands.Stop(commands.Requested())
    stage.end()


def test_no_state_shows_the_token() -> None:
    settings = Settings("very-secret", INSTANCE)
    assert "very-secret" not in repr(settings) + repr(Client(settings, lambda: 0.0))
