"""Storms for adapters: reproducible, sensible, and of nothing but what every adapter can do."""

from hypothesis import given
from hypothesis import strategies as st

from client_sim import play as plays
from client_sim.foreign.drawing import STEPS, draw_foreign

POSSIBLE = {"log_in", "log_out", "send", "kill", "cut", "unplug", "plug", "settle"}
seeds = st.integers(0, 10**6)


@given(seeds)
def test_a_seed_is_one_play(seed: int) -> None:
    play = draw_foreign(seed)
    assert play == draw_foreign(seed)
    assert plays.read(play.toml(), play.name).steps == play.steps


@given(seeds)
def test_there_is_a_fault_and_nothing_that_adapters_cannot_do(seed: int) -> None:
    play = draw_foreign(seed)
    assert play.faults
    assert len(play.steps) >= STEPS
    assert {step.verb for step in play.steps} <= POSSIBLE


@given(seeds)
def test_only_who_runs_acts(seed: int) -> None:
    running: set[object] = set()
    for step in draw_foreign(seed).steps:
        device = step.arguments.get("device")
        if step.verb == "log_in":
            assert device not in running
            running.add(device)
        elif device is not None:
            assert device in running
            running -= {device} if step.verb in ("log_out", "kill") else set()
