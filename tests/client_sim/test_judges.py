"""The judges, on records with planted holes, doubles, disorder, contradictions and losses."""

import pytest

from client_sim.judges import Fault, Track, converged, counts, judge
from client_sim.measured import Line

Entry = tuple[int, str, int]


def track(*entries: Entry, device: str = "d1", start: int = 0) -> Track:
    """Entries as (seq, sender, number); the digest follows from the identity."""
    lines = [Line(seq, sender, number, f"{sender}{number}") for seq, sender, number in entries]
    return Track(device, "alice", start, lines)


GOOD = ((1, "a", 1), (2, "b", 1), (3, "a", 2))


def test_a_good_record() -> None:
    tracks = [track(*GOOD), track(*GOOD, device="d2")]
    accepted = {"alice": {("a", 1), ("b", 1), ("a", 2)}}
    assert judge(tracks, accepted) == []
    assert converged(tracks)


def test_a_record_that_begins_above_a_floor() -> None:
    assert judge([track((8, "a", 5), (9, "a", 6), start=7)], {}) == []


@pytest.mark.parametrize(
    ("entries", "faults"),
    [
        ([(1, "a", 1), (3, "a", 2)], {Fault.HOLE: 1}),
        ([(2, "a", 1)], {Fault.HOLE: 1}),
        ([(1, "a", 1), (1, "a", 1)], {Fault.DOUBLE: 1}),
        ([(1, "a", 1), (2, "a", 1)], {Fault.DOUBLE: 1}),
        ([(1, "a", 1), (2, "b", 1), (1, "a", 1)], {Fault.DOUBLE: 1, Fault.DISORDER: 1}),
        ([(1, "a", 2), (2, "a", 1)], {Fault.DISORDER: 1}),
        ([(2, "a", 1), (1, "b", 1)], {Fault.HOLE: 1, Fault.DISORDER: 1}),
    ],
)
def test_planted_faults_are_found(entries: list[Entry], faults: dict[Fault, int]) -> None:
    expected = {fault.value: faults.get(fault, 0) for fault in Fault}
    assert counts(judge([track(*entries)], {})) == expected


def test_a_contradiction_between_two_devices_of_an_account() -> None:
    tracks = [track((1, "a", 1)), track((1, "b", 1), device="d2")]
    [charge] = judge(tracks, {})
    assert (charge.fault, charge.device) == (Fault.CONTRADICTION, "d2")


def test_the_same_identity_with_another_body_is_a_contradiction() -> None:
    other = Track("d2", "alice", 0, [Line(1, "a", 1, "another body")])
    assert counts(judge([track((1, "a", 1)), other], {}))["contradictions"] == 1


def test_two_accounts_do_not_contradict_each_other() -> None:
    other = Track("d2", "bob", 0, [Line(1, "b", 1, "b1")])
    assert judge([track((1, "a", 1)), other], {}) == []


def test_an_accepted_message_that_never_came() -> None:
    tracks = [track(*GOOD), track(*GOOD[:2], device="d2")]
    [charge] = judge(tracks, {"alice": [("a", 2)]})
    assert (charge.fault, charge.device) == (Fault.LOST, "d2")
    assert not converged(tracks)
