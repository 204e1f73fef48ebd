"""mosquitto through its adapter: what it keeps, and what it does not."""

import pytest

from client_sim.foreign.drawing import draw_foreign
from client_sim.judging.verdict import Ruling
from client_sim.play import Play
from client_sim.sentences import doing
from client_sim.trial import Ground
from tests.client_sim.foreign.peers import needs

pytestmark = needs("mosquitto")
KILLED = (
    "phone logs in",
    "phone sends 3 to alice",
    "{end}",
    "the server starts",
    "PC1 logs in",
)


def test_a_storm_leaves_its_sessions_whole() -> None:
    judgement = Ground(adapter="mosquitto").judged(draw_foreign(1))
    assert judgement.ruling is Ruling.TRUE, judgement


@pytest.mark.parametrize(
    ("end", "broken"),
    [("the server stops", ()), ("the server is killed", ("durable-ack", "convergence"))],
)
def test_what_it_confirmed_survives_its_stop_and_not_its_kill(
    end: str, broken: tuple[str, ...]
) -> None:
    steps = tuple(doing(each.format(end=end)) for each in KILLED)
    play = Play("killed", "A broker ends.", {"alice": ("PC1",), "bob": ("phone",)}, steps)
    assert Ground(adapter="mosquitto").judged(play).broken == broken
