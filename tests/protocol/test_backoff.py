"""The bound doubles up to its maximum, the jitter is full, and success starts anew."""

from syncd.limits import RECONNECT_DELAY_MAX_S, RECONNECT_DELAY_MIN_S
from syncd.protocol.backoff import Backoff


def test_the_bound_doubles_up_to_its_maximum() -> None:
    backoff = Backoff()
    bounds = [backoff.delay(1.0) for _ in range(8)]
    assert bounds[:3] == [RECONNECT_DELAY_MIN_S * factor for factor in (1, 2, 4)]
    assert bounds[-1] == RECONNECT_DELAY_MAX_S


def test_the_jitter_is_full() -> None:
    assert Backoff().delay(0.0) == 0.0
    assert Backoff().delay(0.5) == RECONNECT_DELAY_MIN_S / 2


def test_reset_begins_again() -> None:
    backoff = Backoff()
    backoff.delay(1.0)
    backoff.reset()
    assert backoff.delay(1.0) == RECONNECT_DELAY_MIN_S
