"""A planted bug is a value, so that it can be named, counted and compared."""

from client_sim.planted.bug import Bug


def test_a_bug_is_equal_to_one_that_says_the_same() -> None:
    one, other = (
        Bug("late", "too late", "syncd.reader", "a", "b", "storm", ("dense",)) for _ in range(2)
    )
    assert one == other
    assert len({one, other}) == 1
