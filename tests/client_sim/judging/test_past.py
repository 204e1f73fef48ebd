"""One past of a log: what was seen of it, and what the next one shares with it."""

from hypothesis import given
from hypothesis import strategies as st

from client_sim.judging.past import Past


@given(st.lists(st.integers(1, 20), max_size=30), st.integers(0, 31), st.integers(0, 21))
def test_what_was_seen_before_and_who_saw_it_first(seen: list[int], before: int, seq: int) -> None:
    past = Past("alice", 0, -1)
    for index, each in enumerate(seen):
        past.see(index, each)
    highest = max(seen[:before], default=None)
    found = past.seen_before(before)
    assert (None if found is None else found[0]) == highest
    assert past.first_seen(seq) == next(
        (index for index, each in enumerate(seen) if each >= seq), None
    )


def test_a_past_goes_on_with_what_was_kept() -> None:
    past = Past("alice", 0, -1)
    past.touch("e1")
    for seq in (1, 2, 3):
        past.held["e1", seq] = (f"m{seq}", None)
        past.told["e1", seq] = seq
    following = past.continued(1, 10, "e2", 2)
    assert following.held == {("e2", 1): ("m1", None), ("e2", 2): ("m2", None)}
    assert following.told == {("e2", 1): 1, ("e2", 2): 2}
    assert not past.continued(1, 10, None, None).held
