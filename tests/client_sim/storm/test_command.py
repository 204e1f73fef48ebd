"""`client-sim storm`: what it prints and returns."""

import json

import pytest
from rich.console import Console

from client_sim.__main__ import main
from client_sim.judging.verdict import Ruling
from client_sim.storm.campaign import Campaign, Outcome, Tally
from client_sim.storm.command import Showing

SMALL = ["--accounts", "2", "--devices", "2", "--sends", "15"]
GOOD = Outcome(1, Ruling.TRUE, 60, {"cut": 3})
BAD = Outcome(2, Ruling.FALSE, 60, {"cut": 1}, ("dense",), ("a hole",))


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["storm", "--seeds", "3", *SMALL]) == 0
    said = capsys.readouterr().out
    assert "faults fired" in said
    assert "3/3 storms" in said


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["storm", "--seeds", "2", "--first", "4", "--storage", "sqlite", "--json", *SMALL])
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert (found["seeds"], found["passed"], found["failures"]) == (2, 2, [])
    assert found["accepted"] > 0
    assert found["faults"]


@pytest.mark.parametrize(("keep_going", "seen"), [(False, 2), (True, 3)])
def test_a_failure_ends_it_unless_asked_to_go_on(keep_going: bool, seen: int) -> None:
    showing = Showing(Tally(Campaign()), 3, target := Console(width=120, force_terminal=False))
    with target.capture() as captured:
        showing.follow([GOOD, BAD, GOOD], keep_going)
        showing.end()
    assert showing.tally.seeds == seen
    assert "  a hole\n  replay: client-sim storm --seeds 1 --first 2\n" in captured.get()


def test_in_a_terminal_a_table_lives() -> None:
    showing = Showing(Tally(Campaign()), 2, target := Console(width=120, force_terminal=True))
    with target.capture() as captured:
        showing.follow([GOOD, GOOD], keep_going=False)
    assert "2 of 2" in captured.get()


def test_nothing_to_run_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["storm", "--seeds", "0"])
    assert ended.value.code == 2
    assert "at least 1, not 0" in capsys.readouterr().err
