"""A glance at a swarm: who is behind, and how it is said."""

from rich.console import Console

from client_sim.measured import Line
from client_sim.member import Member, Tally
from client_sim.swarm_view import glance, heads_of, live, share


def members() -> list[Member]:
    both = [Member("ws://h", "alice", "t", Tally()), Member("ws://h", "alice", "t", Tally())]
    both[0].track.lines = [Line(seq, "a", seq, "") for seq in (1, 2, 3)]
    both[1].track.lines = [Line(1, "a", 1, "")]
    return both


def test_the_one_that_is_furthest_behind() -> None:
    tally = Tally(sent=3, accepted_count=3, delivered=4)
    tally.verdicts["welcome"] = 2
    tally.lags_ms.extend([1.0, 2.0, 9.0])
    assert heads_of(members()) == {"alice": 3}
    now = glance(members(), tally, 1.5)
    assert (now.behind, now.connected, now.devices) == (2, 0, 2)
    assert "behind 2" in now.line()
    assert "lag p50 2.0 p99 9.0 ms" in now.line()
    assert "welcome 2" in now.line()


def test_a_swarm_without_anything() -> None:
    assert "verdicts none" in glance([], Tally(), 0).line()
    assert share([], 0.5) == 0


def test_the_table_shows_cursors_and_heads() -> None:
    target = Console(width=100)
    with target.capture() as captured:
        target.print(live(members(), Tally(), 1.0))
    assert "furthest behind" in captured.get()
    assert ["alice", "1", "3", "2"] in [line.split() for line in captured.get().splitlines()]
