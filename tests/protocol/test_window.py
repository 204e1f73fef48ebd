"""The window agrees with a model that keeps every byte; impossible acks change nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.limits import BATCH_BYTES_MAX, ENTRY_BYTES_MAX, WINDOW_BYTES_MAX, WINDOW_BYTES_MIN
from syncd.protocol.window import AckJudgement, Window

limits = st.integers(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX)
sends = st.tuples(st.just("send"), st.integers(1, 5), st.integers(1, BATCH_BYTES_MAX))
acks = st.tuples(st.just("ack"), st.integers(-3, 40), st.just(0))
restarts = st.tuples(st.just("restart"), st.integers(0, 100), st.just(0))
steps = st.lists(st.one_of(sends, acks, acks, restarts), max_size=60)


@given(limits, st.integers(0, 1000), steps)
def test_it_agrees_with_a_naive_model(
    limit: int, place: int, moves: list[tuple[str, int, int]]
) -> None:
    window = Window(place, limit)
    batches: list[tuple[int, int]] = []  # every batch ever sent and not freed
    acked = sent = place
    for what, number, size in moves:
        match what:
            case "send":
                if window.room() == 0:
                    continue
                size = min(size, max(window.room(), 1))
                sent += number
                window.send(sent, size)
                batches.append((sent, size))
            case "ack":
                seq = acked + number
                judged = window.ack(seq)
                if seq < acked:
                    assert judged is AckJudgement.BACKWARDS
                elif seq > sent:
                    assert judged is AckJudgement.BEYOND_SENT
                else:
                    assert judged is AckJudgement.TAKEN
                    acked = seq
                    batches = [batch for batch in batches if batch[0] > seq]
            case "restart":
                window.restart(number)
                acked = sent = number
                batches = []
        assert (window.acked, window.sent) == (acked, sent)
        outstanding = sum(size for _, size in batches)
        assert window.outstanding() == outstanding <= limit
        assert 0 <= window.room() <= min(BATCH_BYTES_MAX, limit - outstanding)
        assert batches == [] or window.room() == 0 or window.room() >= ENTRY_BYTES_MAX


def test_with_nothing_outstanding_there_is_room_for_any_entry() -> None:
    window = Window(7, WINDOW_BYTES_MIN)
    assert window.room() >= ENTRY_BYTES_MAX
    window.send(8, WINDOW_BYTES_MIN + 5_000)  # larger than the window: sent all the same
    assert window.room() == 0
    assert window.ack(8) is AckJudgement.TAKEN
    assert window.room() == WINDOW_BYTES_MIN


def test_a_page_into_the_room_never_exceeds_the_window() -> None:
    window = Window(0, WINDOW_BYTES_MIN)
    window.send(1, WINDOW_BYTES_MIN - ENTRY_BYTES_MAX)
    assert window.room() == ENTRY_BYTES_MAX
    window.send(2, 1)
    assert window.room() == 0


def test_an_ack_within_a_batch_frees_nothing_yet() -> None:
    window = Window(0, WINDOW_BYTES_MIN)
    window.send(10, 1_000)
    assert window.ack(9) is AckJudgement.TAKEN
    assert (window.acked, window.outstanding()) == (9, 1_000)
    assert window.ack(10) is AckJudgement.TAKEN
    assert window.outstanding() == 0


@pytest.mark.parametrize(
    ("seq", "judgement"), [(4, AckJudgement.BACKWARDS), (13, AckJudgement.BEYOND_SENT)]
)
def test_an_impossible_ack_changes_nothing(seq: int, judgement: AckJudgement) -> None:
    window = Window(3, WINDOW_BYTES_MIN)
    window.send(5, 10)
    window.send(12, 20)
    window.ack(5)
    assert window.ack(seq) is judgement
    assert (window.acked, window.sent, window.outstanding()) == (5, 12, 20)


def test_repeating_an_ack_is_allowed() -> None:
    window = Window(3, WINDOW_BYTES_MIN)
    assert window.ack(3) is AckJudgement.TAKEN
    window.send(5, 10)
    assert [window.ack(5), window.ack(5)] == [AckJudgement.TAKEN, AckJudgement.TAKEN]


def test_a_batch_that_does_not_go_forward_is_our_own_fault() -> None:
    window = Window(3, WINDOW_BYTES_MIN)
    with pytest.raises(AssertionError, match="forward"):
        window.send(3, 10)
