"""Turns: nobody is passed over, nothing changes places in its line, and shares are kept."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from syncd.turns import Turns


@dataclass
class Load:
    """Steps of different sizes; `pieces` are the steps that each cut took."""

    steps: list[int]
    pieces: list[list[int]] = field(default_factory=list)

    def cut(self, entries_max: int) -> int:
        piece = [self.steps.pop(0)]
        while self.steps and sum(piece) + self.steps[0] <= entries_max:
            piece.append(self.steps.pop(0))
        self.pieces.append(piece)
        return sum(piece)

    @property
    def finished(self) -> bool:
        return not self.steps


def test_everybody_gets_a_share_of_every_round() -> None:
    turns: Turns[Load] = Turns()
    flood, drop = Load([2] * 1000), Load([2])
    turns.add("flood", flood)
    turns.add("drop", drop)
    assert turns.round(8192, 128) == [flood, drop]
    assert flood.pieces == [[2] * 64]
    assert drop.finished
    assert len(turns) == 1


def test_without_company_the_share_is_the_whole() -> None:
    turns: Turns[Load] = Turns()
    loads = [Load([2] * 1024) for _ in range(6)]
    for each in loads:
        turns.add("alone", each)
    assert turns.round(8192, 8192) == loads[:4]
    assert turns.round(8192, 8192) == loads[4:]
    assert len(turns) == 0


def test_a_step_larger_than_the_share_is_taken_alone() -> None:
    turns: Turns[Load] = Turns()
    group = Load([500, 500])
    turns.add("group", group)
    turns.round(8192, 128)
    assert group.pieces == [[500]]


def test_who_took_more_than_a_share_sits_out_meanwhile() -> None:
    turns: Turns[Load] = Turns()
    group, direct = Load([500, 500]), Load([2] * 64 * 9)
    turns.add("group", group)
    turns.add("direct", direct)
    rounds = [turns.round(8192, 128) for _ in range(5)]
    assert [group in each for each in rounds] == [True, False, False, False, True]
    assert all(direct in each for each in rounds)


def test_who_was_not_served_comes_first_in_the_next_round() -> None:
    turns: Turns[Load] = Turns()
    loads = {name: Load([10] * 3) for name in "abc"}
    for name, load in loads.items():
        turns.add(name, load)
    assert turns.round(20, 10) == [loads["a"], loads["b"]]
    assert turns.round(20, 10) == [loads["c"], loads["a"]]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.lists(st.integers(1, 50), min_size=1, max_size=8)),
        max_size=20,
    ),
    st.integers(1, 200),
    st.integers(1, 60),
)
def test_every_line_empties_in_its_order(
    sent: list[tuple[str, list[int]]], entries_max: int, share_max: int
) -> None:
    turns: Turns[Load] = Turns()
    waiting = [(party, Load(list(steps))) for party, steps in sent]
    for party, load in waiting:
        turns.add(party, load)
    party_of = {id(load): party for party, load in waiting}
    begun: list[Load] = []
    idle = 0
    while len(turns):
        lines = len(turns)
        taken = turns.round(entries_max, share_max)
        assert len(taken) == len({id(load) for load in taken})
        idle = 0 if taken else idle + 1
        assert idle <= 50  # nobody sits out longer than a step is large
        shares = dict.fromkeys("abcd", 0)
        for load in taken:
            shares[party_of[id(load)]] += sum(load.pieces[-1])
            if len(load.pieces) == 1:
                begun.append(load)
        assert max(shares.values()) < share_max + 50
        assert sum(shares.values()) < entries_max + 50 * lines
    assert [load.steps for _, load in waiting] == [[]] * len(waiting)
    for _, load in waiting:
        steps = [step for piece in load.pieces for step in piece]
        assert steps in [list(given_steps) for _, given_steps in sent]
    for party in "abcd":
        line = [load for each, load in waiting if each == party]
        assert [load for load in begun if party_of[id(load)] == party] == line
