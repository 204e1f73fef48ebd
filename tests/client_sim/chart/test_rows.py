"""Rows: what joins, what is moved, and that every record has its number in the end."""

from client_sim.chart.moments import Greeting, Heading
from client_sim.chart.rows import Rows
from client_sim.history import Connect, Phase, Record

RECORDS: list[Record] = [
    Connect(device="a", session=1),
    Phase(name="calm"),
    Connect(device="a", session=1, by="server"),
]


def grown() -> Rows:
    rows = Rows(RECORDS)
    rows.add(Greeting(at=0, records=[], device="a", account=""), 0)
    rows.add(Heading(at=1, records=[], text="calm", phase=True), 1)
    return rows


def test_a_moment_that_is_moved_takes_its_records_along() -> None:
    rows = grown()
    row = rows.move(0, 2.0)
    rows.join(2, row)
    moments = rows.finish()
    assert [type(each) for each in moments] == [Heading, Greeting]
    assert moments[1].at == 2.0
    assert rows.row_of == [1, 0, 1]


def test_a_moment_is_open_until_something_else_touches_its_lanes() -> None:
    rows = grown()
    assert rows.open(0, "a", "alice")
    rows.written["alice"] = 1
    assert not rows.open(0, "a", "alice")
    rows.barrier = 1
    assert not rows.open(0, "a")


def test_what_has_no_moment_of_its_own_waits_for_one() -> None:
    rows = Rows(RECORDS)
    rows.follow(0, "a")
    rows.add(Heading(at=1, records=[], text="calm", phase=True), 1)
    rows.follow(2, "b")
    rows.finish()
    assert rows.row_of == [0, 0, 0]
