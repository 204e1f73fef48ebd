"""The list of planted bugs is true: each line is there, and each name is somebody's."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

from client_sim import play
from client_sim.judging.court import EXPECTATIONS
from client_sim.judging.judges import JUDGES
from client_sim.planted.bug import Bug
from client_sim.planted.bugs import BUGS
from client_sim.planted.planting import changed

GROUNDS = ("storm", "storm sqlite", "crash points", "power cut")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_its_line_is_there_once_and_its_change_is_a_program(bug: Bug) -> None:
    spec = importlib.util.find_spec(bug.module)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    compile(changed(bug, source), spec.origin, "exec")
    assert changed(bug, source) != source


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_its_ground_and_its_judges_exist(bug: Bug) -> None:
    assert bug.judges
    assert set(bug.judges) <= {*JUDGES, EXPECTATIONS}
    kind, _, name = bug.ground.partition(" ")
    assert bug.ground in GROUNDS or (kind in ("play", "live") and name in play.names())


def test_there_are_enough_of_them_and_no_name_twice() -> None:
    assert len(BUGS) >= 20
    assert max(Counter(bug.name for bug in BUGS).values()) == 1
