"""Every play that comes with the program, in the pretend world; a handful against a real server.

All of them against a real server: `client-sim run --world live`, which takes two minutes.
"""

from dataclasses import replace

import pytest

from client_sim import play as plays
from client_sim.judging.verdict import Judgement, Ruling
from client_sim.trial import LIVE, MEMORY, SQLITE, Ground

LIVE_PLAYS = ("founding_report", "cut_in_every_frame", "server_killed_while_sending")
"""One of each kind: nothing happens, lines end, the server ends."""

VARIANTS_OF_THE_REPORT = {
    "pc2_new",
    "pc2_synced_before",
    "pc1_still_online",
    "three_pcs",
    "phone_first",
    "one_pc_at_a_time",
    "pc2_killed",
}


def words(judgement: Judgement) -> list[str]:
    said = [charge.text for opinion in judgement.opinions for charge in opinion.charges]
    return [*said, *judgement.why]


@pytest.mark.parametrize("name", plays.names())
@pytest.mark.parametrize(("storage", "seeds"), [(MEMORY, (1, 2, 3)), (SQLITE, (4,))])
def test_a_play_holds_in_the_pretend_world(name: str, storage: str, seeds: tuple[int, ...]) -> None:
    for seed in seeds:
        judgement = Ground(storage=storage).trial(plays.load(name), seed).judgement
        assert judgement.ruling is Ruling.TRUE, words(judgement)


@pytest.mark.parametrize("name", LIVE_PLAYS)
def test_a_play_holds_in_the_live_world(name: str) -> None:
    judgement = Ground(LIVE).trial(plays.load(name), 1).judgement
    assert judgement.ruling is Ruling.TRUE, words(judgement)


def test_the_founding_report_is_there_with_its_variants() -> None:
    assert set(plays.names()) >= VARIANTS_OF_THE_REPORT | {"founding_report"}


@pytest.mark.parametrize("name", ["founding_report", "pc2_new", "pc2_synced_before", "three_pcs"])
def test_the_founding_bug_is_found_where_it_is(name: str) -> None:
    """With one cursor for all PCs, and nobody who looks where the server begins."""
    wrong = {"scope": "platform", "verify_start": False}
    judgement = Ground().trial(replace(plays.load(name), options=wrong), 1).judgement
    assert judgement.ruling is Ruling.FALSE
    assert {"expectations", "explicit-gap"} <= set(judgement.broken)


def test_every_play_tells_a_story_and_expects_something() -> None:
    for play in map(plays.load, plays.names()):
        assert play.story.endswith("."), play.name
        assert play.expect, play.name
        assert not play.weather, f"{play.name} could not be played live"
