"""The clock goes forward only."""

import sqlite3

from syncd.platform.clock import Clock


def test_a_clock_that_is_moved_is_ahead_from_then_on() -> None:
    clock = Clock()
    before = clock.now()
    clock.move(3600)
    assert clock.now() >= before + 3600
    clock.move(3600)
    assert clock.now() >= before + 7200


def test_what_has_expired_stays_so_in_the_next_process() -> None:
    db = sqlite3.connect(":memory:")
    clock = Clock(db)
    clock.move(3600)
    clock.move(60)
    assert Clock(db).now() >= clock.now() - 1
