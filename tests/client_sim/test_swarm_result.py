"""What makes a swarm fail, and how its end is told."""

from dataclasses import replace

from client_sim.judges import Charge, Fault
from client_sim.member import Tally
from client_sim.swarm_result import Plan, Result, summary

GOOD = Result(Plan(3, 1, 1), Tally(sent=1, accepted_count=1), 1, (), (), True)


def test_any_fault_is_a_failure() -> None:
    charge = Charge(Fault.HOLE, "d1", "message 2 never came before 3")
    assert GOOD.right
    assert summary(GOOD)[-1] == "All right."
    for bad in (
        replace(GOOD, charges=(charge,)),
        replace(GOOD, failures=("d1: stopped",)),
        replace(GOOD, converged=False),
        replace(GOOD, tally=Tally()),
        replace(GOOD, tally=Tally(accepted_count=1, refused=1)),
    ):
        assert not bad.right
        assert summary(bad)[-1] == "NOT right."
        assert bad.as_json()["right"] is False
    assert "! d1: message 2 never came before 3" in summary(replace(GOOD, charges=(charge,)))
    assert replace(GOOD, charges=(charge,)).as_json()["holes"] == 1


def test_what_was_left_without_an_answer_is_explained() -> None:
    said = summary(replace(GOOD, tally=Tally(accepted_count=1, unanswered=2), arrived_later=2))
    assert [line for line in said if line.startswith("unanswered")] == [
        "unanswered 2: sends that a cut interrupted; their retry went on in the outbox, "
        "and 2 of them are in the log"
    ]
    assert "lag p50 0.0 ms, p99 0.0 ms" in said


def test_groups_are_told() -> None:
    said = summary(replace(GOOD, plan=Plan(9, 1, 1, groups=2, group_size=3)))
    assert any("9 devices of 1 accounts and 2 groups of 3: " in line for line in said)
