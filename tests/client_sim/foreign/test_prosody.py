"""Prosody through its adapter, with its offline storage and with its archive."""

from client_sim import play as plays
from client_sim.foreign.drawing import draw_foreign
from client_sim.judging.verdict import Ruling
from client_sim.trial import Ground
from tests.client_sim.foreign.peers import needs

pytestmark = needs("prosody")


def test_offline_storage_is_the_founding_bug() -> None:
    judgement = Ground(adapter="prosody").judged(plays.load("founding_report"))
    assert judgement.broken == ("convergence",)
    [first, *_] = (each.charges for each in judgement.opinions if each.charges)
    assert first[0].text.startswith("PC2 never received message 1 of laptop")


def test_a_storm_leaves_the_archive_whole() -> None:
    judgement = Ground(adapter="prosody-archive").judged(draw_foreign(1))
    assert judgement.ruling is Ruling.TRUE, judgement
