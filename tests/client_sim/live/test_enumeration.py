"""`client-sim crash-points`: what it counts, what it prints, and how it ends."""

import argparse
import json

import pytest

from client_sim.house import CannotDo
from client_sim.judging.verdict import Charge, Judgement, Opinion, Ruling
from client_sim.live.crash_points import Life, Point
from client_sim.live.enumeration import Tally, add_arguments, run, show
from client_sim.live.faulty_disk import compiled

POINT = Point(7, "half", "pwrite syncd.db-wal 4096")
HELD = Judgement(Ruling.TRUE, (), accepted=5)
LOST = Judgement(
    Ruling.FALSE,
    (Opinion("durable-ack", Ruling.FALSE, 5, (Charge("a#1 was accepted and is lost"),), 1),),
    accepted=5,
)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_what_is_counted() -> None:
    tally = Tally()
    for life in (Life(POINT, True, HELD), Life(POINT, False, HELD), Life(POINT, True, LOST)):
        tally.add(life)
    facts = tally.facts()
    assert [facts[name] for name in ("points", "survived", "missed")] == [3, 1, 1]
    [failure] = facts["failures"]
    assert failure["charges"] == ["durable-ack: a#1 was accepted and is lost"]
    assert failure["replay"] == "client-sim crash-points --point 7 --when half"


def test_one_point_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        compiled()
    except CannotDo as reason:
        pytest.skip(str(reason))
    assert run(parsed("--point", "40", "--when", "before", "--jobs", "1", "--json")) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["points"], facts["survived"], facts["failures"]) == (1, 1, [])


def test_what_people_read(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(power_cut=True)
    for life in (Life(POINT, True, LOST), Life(POINT, False, HELD)):
        tally.add(life)
    show(tally)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "false at 7 half: pwrite syncd.db-wal 4096",
        "durable-ack: a#1 was accepted and is lost",
        "replay: client-sim crash-points --point 7 --when half --power-cut",
        "2 crash points: 0 survived, 1 did not, 1 not come to; 0 s",
    ]


def test_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert run(parsed("--jobs", "1")) == 2
    assert "there is no C compiler here" in capsys.readouterr().err
