"""The adapter that a newcomer begins with."""

from pathlib import Path

from client_sim import play as plays
from client_sim.foreign import template_command
from client_sim.foreign.drawing import draw_foreign
from client_sim.judging.verdict import Ruling
from client_sim.trial import Ground
from tests.client_sim.foreign.peers import TEMPLATE

LINES_MAX = 60


def test_it_is_short() -> None:
    assert len(template_command.TEMPLATE.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


def test_its_first_run_works() -> None:
    judgement = Ground(adapter=TEMPLATE).trial(plays.load("founding_report"), 1).judgement
    assert judgement.ruling is Ruling.TRUE, judgement


def test_storms_leave_it_whole() -> None:
    for seed in range(3):
        judgement = Ground(adapter=TEMPLATE).judged(draw_foreign(seed))
        assert judgement.ruling is Ruling.TRUE, judgement


def test_the_page_names_every_request() -> None:
    page = (Path(template_command.__file__).parents[1] / "ADAPTERS.md").read_text(encoding="utf-8")
    text = template_command.TEMPLATE.read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("def "):
            assert f"| `{line[4:].partition('(')[0]}`" in page
