"""The picture itself: well-formed, every moment there, for any history of the worlds."""

from xml.etree import ElementTree

import pytest

from client_sim.chart.focus import everything
from client_sim.chart.outcome import outcome
from client_sim.chart.panel import Panel
from client_sim.chart.telling import told
from client_sim.history import Record
from client_sim.performing import perform
from client_sim.play import load
from tests.client_sim.chart.histories import founding


def drawn(records: list[Record]) -> tuple[Panel, ElementTree.Element]:
    telling = told(records)
    panel = Panel(telling, everything(telling), outcome(records, telling.cast), "row")
    ElementTree.fromstring(panel.head())
    return panel, ElementTree.fromstring(panel.body())


def kinds(svg: ElementTree.Element) -> list[str]:
    return [each.attrib["data-kind"] for each in svg.iter() if "data-kind" in each.attrib]


@pytest.mark.parametrize(
    "name",
    [
        "disk_full",
        "files_put_back_by_hand",
        "joiner_and_leaver",
        "slow_reader",
        "trimmed_while_away",
    ],
)
def test_every_moment_of_a_play_is_drawn(name: str) -> None:
    panel, svg = drawn(perform(load(name), 2).records)
    assert len(kinds(svg)) == len(panel.telling.moments)


def test_a_recording_of_the_server_alone_is_drawn() -> None:
    _, svg = drawn([each for each in founding() if each.by == "server"])
    assert {"greeting", "sending", "delivery"} <= set(kinds(svg))


def test_nothing_at_all_is_drawn() -> None:
    _, svg = drawn([])
    assert kinds(svg) == []
