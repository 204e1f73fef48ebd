"""Lanes: times in words; spans of connections and of the server."""

from xml.etree import ElementTree

import pytest

from client_sim.chart.focus import everything
from client_sim.chart.lanes import clock
from client_sim.chart.outcome import outcome
from client_sim.chart.panel import Panel
from client_sim.chart.telling import told
from client_sim.history import Connect, Device, Process, Record
from tests.client_sim.chart.histories import founding

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.5, "0.50 s"), (75, "1:15 min"), (3725.4, "1:02:05")]
)
def test_times(seconds: float, said: str) -> None:
    assert clock(seconds) == said


def drawn(records: list[Record]) -> ElementTree.Element:
    telling = told(records)
    panel = Panel(telling, everything(telling), outcome(records, telling.cast), "row")
    return ElementTree.fromstring(panel.body())


def test_each_connection_is_a_span() -> None:
    spans = [
        each.get("data-online") for each in drawn(founding()).iter() if "data-online" in each.attrib
    ]
    assert sorted(filter(None, spans)) == ["d-pc1", "d-pc2", "d-phone"]


def test_a_server_that_is_down_leaves_a_gap() -> None:
    records: list[Record] = [
        Device(device="a", account="alice", name="A"),
        Connect(at=0, device="a", session=1),
        Process(at=1, whose="server", state="crashed"),
        Connect(at=2, device="a", session=2),
        Process(at=3, whose="server", state="started"),
    ]
    grounds = [
        each for each in drawn(records).iter(f"{SVG}rect") if each.get("fill") == "var(--panel)"
    ]
    assert len(grounds) == 2
