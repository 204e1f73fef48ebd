"""What befalls devices and servers, as remarks on their lanes."""

from client_sim.chart.moments import Remark, Sign, Turn
from client_sim.chart.telling import told
from client_sim.history import (
    Closed,
    Complaint,
    Connect,
    Device,
    Fault,
    Floor,
    Merged,
    Process,
    Record,
    Revoked,
)

DEVICE = Device(device="a", account="alice", name="A")


def remarks(*records: Record) -> list[tuple[str, Sign, str, bool]]:
    moments = told([DEVICE, *records]).moments
    return [
        (each.where, each.sign, each.words(), each.ends)
        for each in moments
        if isinstance(each, Remark)
    ]


def test_a_cut_and_the_end_that_it_brings_are_one() -> None:
    assert remarks(
        Connect(device="a", session=1),
        Fault(kind="cut", target="a"),
        Closed(device="a", session=1),
        Closed(device="a", session=1, code="gone", by="server"),
    ) == [("a", Sign.CUT, "cut, gone", True)]


def test_a_server_that_starts_for_the_first_time_is_no_news() -> None:
    assert remarks(
        Process(whose="server", state="started"),
        Process(whose="server", state="crashed"),
        Process(whose="a", state="crashed"),
        Process(whose="server", state="started"),
    ) == [
        ("server", Sign.CRASH, "killed", False),
        ("a", Sign.CRASH, "killed", False),
        ("server", Sign.PLAIN, "started", False),
    ]


def test_alarms() -> None:
    assert remarks(Revoked(device="a"), Complaint(whose="server", text="the disk is gone")) == [
        ("a", Sign.ALARM, "its right has ended", False),
        ("server", Sign.ALARM, "the disk is gone", False),
    ]


def test_turns_of_a_log() -> None:
    moments = told(
        [
            DEVICE,
            Floor(account="alice", epoch="e", floor=4),
            Merged(guest="guest", account="alice", prover="a"),
        ]
    ).moments
    assert [each.text for each in moments if isinstance(each, Turn)] == [
        "all up to 4 is dropped",
        "takes over the log of guest",
    ]
