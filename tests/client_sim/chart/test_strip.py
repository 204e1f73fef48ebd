"""A strip holds every entry exactly once and fits, however long the log is."""

from hypothesis import given
from hypothesis import strategies as st

from client_sim.chart.moments import Glimpse
from client_sim.chart.strip import Strip


@given(
    st.integers(0, 50),
    st.integers(0, 2000),
    st.sets(st.integers(0, 2050), max_size=12),
    st.lists(st.integers(0, 2050), max_size=3),
)
def test_every_entry_is_in_one_cell(
    floor: int, count: int, touched: set[int], places: list[int]
) -> None:
    strip = Strip(Glimpse(floor, floor + count), 100, 200, frozenset(touched), places)
    held = [seq for cell in strip.cells for seq in range(cell.first, cell.last + 1)]
    assert held == list(range(floor + 1, floor + count + 1))
    assert strip.right - strip.left <= 200.001
    for cell in strip.cells:
        inside = set(range(cell.first, cell.last + 1))
        assert inside <= touched if cell.touched else not inside & touched
    marks = [strip.place(seq) for seq in sorted(places)]
    assert marks == sorted(marks)


def test_short_logs_are_shown_one_by_one() -> None:
    strip = Strip(Glimpse(2, 5), 100, 200)
    assert [cell.label for cell in strip.cells] == ["3", "4", "5"]
    assert strip.place(2) == strip.left
    assert strip.place(5) == strip.right
    assert Strip(Glimpse(0, 0), 100, 200).place(0) == 100


def test_stretches_are_one_cell() -> None:
    strip = Strip(Glimpse(0, 90), 100, 200, frozenset({40, 41}))
    assert [cell.label for cell in strip.cells] == ["1-39", "40", "41", "42-90"]
