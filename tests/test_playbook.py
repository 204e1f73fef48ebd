"""A playbook finds what a play passes over."""

import pytest

from tests.playbook import ANYTHING, Playbook


class Doubler:
    """Answers each number with itself, twice."""

    def handle(self, event: int, now: float) -> list[int]:
        return [event, event]

    def deadline(self) -> float | None:
        return 105.0


def test_a_play_that_says_everything_passes() -> None:
    play = Playbook(Doubler())
    play >> 1 << 1 << ANYTHING
    play >> 2 << 2 << 2
    play.end()


def test_a_wrong_command_is_shown() -> None:
    with pytest.raises(AssertionError, match="after 1:"):
        Playbook(Doubler()) >> 1 << 3


def test_a_missing_command_is_found_at_the_next_event_and_at_the_end() -> None:
    play = Playbook(Doubler())
    play >> 1 << 1
    with pytest.raises(AssertionError):
        play.end()
    with pytest.raises(AssertionError):
        play >> 2


def test_one_command_too_many_is_found() -> None:
    with pytest.raises(AssertionError):
        Playbook(Doubler()) >> 1 << 1 << 1 << 1


def test_unsaid_commands_may_be_taken() -> None:
    play = Playbook(Doubler())
    play >> 1 << 1
    assert play.skip() == [1]
    play.end()


def test_waiting_goes_to_the_deadline() -> None:
    play = Playbook(Doubler()).wait()
    assert play.now == 105.0
