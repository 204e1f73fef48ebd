"""A play in the live world: judged like any other, and nothing of it is left."""

import tempfile
from pathlib import Path

import pytest

from client_sim import play as plays
from client_sim.expectations import charges
from client_sim.history import SERVER, Appended, Begin
from client_sim.house import CannotDo
from client_sim.judging.court import judge
from client_sim.judging.verdict import Ruling
from client_sim.live.nursery import Nursery
from client_sim.live.playing import play_live
from client_sim.live_server import ServerFailed

SMALL = """
story = "One sends to the other; the server is killed."
steps = [
    "PC1 logs in",
    "PC1 sends 2 to ben",
    "the server is killed",
    "the server starts",
    "phone logs in",
]
expect = ["phone holds 2"]
[cast]
ann = ["PC1"]
ben = ["phone"]
"""


def test_it_is_played_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nursery: Nursery
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    play = plays.read(SMALL, "small")
    history = play_live(play, 3, nursery)
    assert judge(history.records, charges(play, history.records)).ruling is Ruling.TRUE
    [begin] = [each for each in history.records if isinstance(each, Begin)]
    assert (begin.world, begin.seed, begin.faults) == ("live", 3, ("server_crash",))
    assert any(isinstance(each, Appended) and each.by == SERVER for each in history.records)
    assert not [path for path in tmp_path.iterdir() if "shim" not in path.name]


def test_there_is_no_weather(nursery: Nursery) -> None:
    play = plays.read(SMALL + "[weather]\nwake_lost = 0.5\n", "small")
    with pytest.raises(CannotDo, match="pretend world only"):
        play_live(play, 1, nursery)


def test_a_server_that_does_not_start() -> None:
    play = plays.read(SMALL, "small")
    with pytest.raises(ServerFailed, match="cannot run /nowhere"):
        play_live(play, 1, ("/nowhere",))
