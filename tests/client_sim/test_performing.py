"""A performance: the same seed gives the same history, and the house is closed whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from client_sim.actor import Troupe
from client_sim.history import Begin, Log, Phase, Process
from client_sim.house import CannotDo
from client_sim.performing import perform, play_in
from client_sim.pretend.house import PretendHouse
from client_sim.weather import CHANCES
from tests.client_sim.scenes import played, scene, told

WILD = scene(
    "PC1 logs in",
    "phone logs in",
    "at 0.5 s: PC1 sends 9 to bob",
    "at 0.6 s: phone sends 9 to alice",
    "at 0.9 s: PC1 is killed",
    "at 1.2 s: PC2 logs in",
    "at 2 s: the server is killed",
    "at 2.5 s: the server starts",
    groups={"team": ("alice", "bob")},
    weather=dict.fromkeys(CHANCES, 0.05),
)

DIGEST = """
from tests.client_sim.test_performing import WILD
from client_sim.performing import perform
print(perform(WILD, 7).digest())
"""


def digest(hash_seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", DIGEST]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_same_seed_gives_the_same_history_in_every_process() -> None:
    here = perform(WILD, 7).digest()
    assert digest("1") == digest("2") == here
    assert perform(WILD, 8).digest() != here


def test_a_history_begins_with_what_was_meant() -> None:
    steps = ("PC1 logs in", "PC1 is killed", "the clock jumps by 5 s")
    history = played(*steps, judges=("prefix",), seed=3)
    begin = history.records[0]
    assert isinstance(begin, Begin)
    assert (begin.world, begin.play, begin.seed) == ("pretend", "scene", 3)
    assert (begin.faults, begin.judges) == (("clock_jump", "device_crash"), ("prefix",))
    phases = [each.name for each in told(history, Phase)]
    assert phases == ["storm", "calm", "farewell", "end"]


def test_the_real_sqlite_code_tells_the_same_kind_of_story() -> None:
    history = perform(scene("PC1 logs in", "PC1 sends 3 to bob"), 1, "sqlite")
    assert [log.head for log in told(history, Log)] == [6, 5]


def test_a_house_is_closed_whatever_happens() -> None:
    house = PretendHouse(1)
    troupe = Troupe(house, {}, house.chance)
    play = scene("PC1 logs in", "the backup is restored")
    with pytest.raises(CannotDo, match="no backup"):
        house.run(play_in(house, play, troupe))
    device = told(house.history, Process)[-1]
    assert device.state == "crashed"  # nobody's app is left behind


@pytest.mark.parametrize("seed", range(8))
def test_what_cannot_be_done_is_said_also_while_a_device_is_closing(seed: int) -> None:
    steps = ("phone logs in", "PC1 logs in", "meanwhile phone logs out", "0.01 s pass")
    with pytest.raises(CannotDo, match="PC2 was not copied"):
        played(*steps, "PC2 is set back to its copy", seed=seed)
