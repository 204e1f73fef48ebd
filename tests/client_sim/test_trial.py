"""A play, played somewhere and judged; what cannot be played says so."""

import logging

import pytest

from client_sim import play as plays
from client_sim.judging.verdict import Ruling
from client_sim.trial import LIVE, SQLITE, Ground, NotPlayed, hush

IMPOSSIBLE = """
story = "There is nothing to restore."
steps = ["the backup is restored"]
[cast]
alice = ["PC1"]
"""


def test_the_same_seed_is_the_same_history() -> None:
    play = plays.load("two_typing_at_once")
    first, again, other = (Ground().trial(play, seed) for seed in (1, 1, 2))
    assert first.history.digest() == again.history.digest() != other.history.digest()
    assert first.play.seed == 1
    assert first.judgement.ruling is Ruling.TRUE


def test_what_is_not_as_expected_is_a_breach() -> None:
    text = plays.load("founding_report").toml().replace("PC2 holds 5", "PC2 holds 6")
    judgement = Ground().judged(plays.read(text, "wrong"))
    assert judgement.broken == ("expectations",)


def test_what_the_world_cannot_do_is_not_played() -> None:
    with pytest.raises(NotPlayed, match="nothing: no backup was taken"):
        Ground().trial(plays.read(IMPOSSIBLE, "nothing"), 1)


def test_the_options_lead_back() -> None:
    assert Ground().options() == ""
    assert Ground(LIVE).options() == " --world live"
    assert Ground(storage=SQLITE).options() == " --storage sqlite"
    assert Ground(adapter="python mine.py").options() == " --adapter 'python mine.py'"


def test_what_a_play_does_on_purpose_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    level = logging.getLogger("syncd").level
    try:
        hush()
        Ground().trial(plays.load("written_on_a_plane"), 1)
    finally:
        logging.getLogger("syncd").setLevel(level)
    assert caplog.records == []
