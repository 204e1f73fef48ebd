"""Marks: where they stand, and what they are drawn in."""

from xml.etree import ElementTree

import pytest

from client_sim.chart import colours
from client_sim.chart.focus import everything, folds
from client_sim.chart.lanes import Lanes
from client_sim.chart.layout import lay_out
from client_sim.chart.moments import Glimpse, Sign
from client_sim.chart.pen import Pen
from client_sim.chart.strip import Strip
from client_sim.chart.telling import told
from client_sim.drawing import Sheet
from tests.client_sim.chart.histories import founding

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def pen() -> Pen:
    telling = told(founding())
    focus = everything(telling)
    layout = lay_out(telling.moments, focus, folds(telling, focus), telling.cast)
    return Pen(Sheet(1000, 1000, "", ""), Lanes(telling, focus, layout))


def marks(pen: Pen, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(pen.sheet.svg()).iter(SVG + tag))


def test_an_arrow_ends_at_the_lane(pen: Pen) -> None:
    pen.arrow("d-pc2", "bob", 50, "gets 1")
    (head,) = marks(pen, "polygon")
    x = float(head.attrib["points"].split(",")[0])
    assert 0 < pen.lanes.layout.devices["d-pc2"] - x < 20
    assert [each.text for each in marks(pen, "text")] == ["gets 1"]


def test_what_is_torn_has_no_head(pen: Pen) -> None:
    pen.arrow("d-pc1", "bob", 50, "lost", torn=True)
    assert not marks(pen, "polygon")
    assert len(marks(pen, "line")) == 3


def test_who_has_no_lane_is_not_drawn(pen: Pen) -> None:
    pen.arrow("stranger", "bob", 50, "")
    assert not marks(pen, "line")
    assert pen.ink("stranger") == colours.INK


def test_cells_that_alarm_are_red(pen: Pen) -> None:
    pen.cells(Strip(Glimpse(0, 2), 100, 200, frozenset({2})), 50, alarming=True)
    fills = [each.attrib["fill"] for each in marks(pen, "rect")]
    assert fills == [colours.PANEL, colours.RED_FILL]


@pytest.mark.parametrize("sign", [Sign.CRASH, Sign.FAULT, Sign.CUT, Sign.ALARM])
def test_signs_leave_a_mark(pen: Pen, sign: Sign) -> None:
    pen.mark(sign, 10, 10, colours.RED)
    assert "var(--red)" in pen.sheet.svg()
