"""Strokes: each says something, begins what it ends, and can be read as a play."""

from random import Random

import pytest

from client_sim.storm.stage import Stage
from client_sim.storm.strokes import STROKES

ENDS = {
    "unplug": "plug",
    "stall": "unstall",
    "kill": "log_in",
    "kill_server": "start_server",
    "stop_server": "start_server",
    "freeze_server": "thaw_server",
    "fill_disk": "free_disk",
    "slow_disk": "fast_disk",
    "back_up": "restore",
}


def stage_with_two() -> Stage:
    stage = Stage(8.0, {"alice": ("PC1",), "bob": ("PC2",)})
    stage.add(0.0, "log_in", device="PC1")
    stage.add(0.0, "log_in", device="PC2")
    return stage


@pytest.mark.parametrize("name", STROKES)
def test_a_stroke_brings_a_fault_about(name: str) -> None:
    for seed in range(20):
        stage = stage_with_two()
        STROKES[name](stage, Random(seed))
        said = stage.steps[2:]
        # A store that is lost and a right that ends are no faults by themselves.
        assert any(step.fault for step in said)
        assert all(step.at is not None and 0 <= step.at <= 12 for step in said)


@pytest.mark.parametrize("name", STROKES)
def test_what_begins_also_ends(name: str) -> None:
    stage = stage_with_two()
    STROKES[name](stage, Random(1))
    said = [step.verb for step in stage.steps[2:]]
    for begins, ends in ENDS.items():
        if begins in said and name != "files_put_back":
            assert ends in said


def test_each_is_called_what_it_is() -> None:
    assert all(stroke.__name__ == name and stroke.__doc__ for name, stroke in STROKES.items())
