"""The clock goes forward only."""

from syncd.platform.clock import Clock
from tests.platform.town import database


def test_a_clock_that_is_moved_is_ahead_from_then_on() -> None:
    clock = Clock()
    before = clock.now()
    clock.move(3600)
    assert clock.now() >= before + 3600
    clock.move(3600)
    assert clock.now() >= before + 7200


def test_what_has_expired_stays_so_in_the_next_process() -> None:
    db = database()
    clock = Clock(db)
    clock.move(3600)
    clock.move(60)
    assert Clock(db).now() >= clock.now() - 1
