"""Tests of the rule that gives every message one effect."""

from hypothesis import given
from hypothesis import strategies as st

from syncd import errors
from syncd.limits import REMEMBERED_MESSAGES
from syncd.model import Accepted, Outcome, Refused
from syncd.storage.remembered import Answer, Remembered

from .works import content, draft


def remembered(*numbers: int, capacity: int = 3) -> Remembered:
    """A device whose message `n` lies at seq 10 * n."""
    made = Remembered(capacity)
    for number in numbers:
        made.accept(number, Answer(10 * number, content(number)))
    return made


def test_a_new_device_has_sent_nothing() -> None:
    made = Remembered()
    assert (made.highest, made.capacity) == (0, REMEMBERED_MESSAGES)
    assert made.judge(draft(1), 0) is None


def test_a_number_above_the_highest_is_new() -> None:
    assert remembered(5).judge(draft(6), 0) is None


def test_a_known_number_is_a_duplicate_with_its_seq_above_the_floor() -> None:
    assert remembered(5).judge(draft(5), 49) == Accepted(5, 50, True)
    assert remembered(5).judge(draft(5), 50) == Accepted(5, None, True)


def test_other_content_is_a_conflict_even_when_trimmed() -> None:
    assert remembered(5).judge(draft(5, "other"), 99) == Refused(5, errors.CONFLICT)


def test_a_gap_is_skipped_while_it_would_still_be_remembered() -> None:
    full = remembered(2, 4, 6)
    assert full.judge(draft(3), 0) == Refused(3, errors.SKIPPED)
    assert full.judge(draft(1), 0) == Refused(1, errors.STALE)
    assert remembered(2, 4).judge(draft(1), 0) == Refused(1, errors.SKIPPED)


@given(
    numbers=st.sets(st.integers(1, 30)).map(sorted),
    capacity=st.integers(1, 5),
    asked=st.integers(1, 30),
)
def test_the_answer_follows_from_all_that_was_ever_accepted(
    numbers: list[int], capacity: int, asked: int
) -> None:
    kept = remembered(*numbers, capacity=capacity)
    expected: Outcome | None
    if not numbers or asked > numbers[-1]:
        expected = None
    elif sum(1 for number in numbers if number > asked) >= capacity:
        expected = Refused(asked, errors.STALE)
    elif asked in numbers:
        expected = Accepted(asked, 10 * asked, True)
    else:
        expected = Refused(asked, errors.SKIPPED)
    assert kept.judge(draft(asked), 0) == expected
    assert len(kept.answers) <= capacity
