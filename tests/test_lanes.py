"""What waits for the disk: pieces in order, all of it exactly once, nothing after a refusal."""

from hypothesis import given
from hypothesis import strategies as st

from syncd import errors
from syncd.fan_outs import FanOuts
from syncd.lanes import Lane, Waiting
from tests.drafts import ALICE, submission


def waiting_for(lane: Lane, count: int) -> Waiting:
    return Waiting(lane, submission(*range(1, count + 1)), lambda outcomes: None, FanOuts())


@given(st.integers(1, 40), st.integers(1, 50))
def test_a_submission_leaves_in_pieces_in_its_order(count: int, entries_max: int) -> None:
    waiting = waiting_for(Lane(), count)
    numbers: list[int] = []
    while not waiting.finished:
        entries = waiting.cut(entries_max)
        assert entries == 2 * len(waiting.piece.drafts)
        assert entries <= max(2, entries_max)
        numbers += [draft.number for draft in waiting.piece.drafts]
    assert numbers == list(range(1, count + 1))
    assert waiting.account == ALICE


def test_what_is_refused_leaves_at_once_and_writes_nothing() -> None:
    lane = Lane()
    waiting = waiting_for(lane, 10)
    waiting.cut(4)
    lane.refusing = errors.BUSY
    assert waiting.cut(4) == 0
    assert waiting.finished
    assert [draft.number for draft in waiting.piece.drafts] == list(range(3, 11))
