"""Lanes stand side by side and rows one under another, none over another."""

from itertools import pairwise

from client_sim.chart.focus import everything, folds, on_charge
from client_sim.chart.layout import LANE, LOG, Layout, lay_out
from client_sim.chart.outcome import outcome
from client_sim.chart.telling import told
from client_sim.history import Connect, Device, Record
from tests.client_sim.chart.histories import accused, founding


def laid_out(records: list[Record]) -> Layout:
    telling = told(records)
    focus = everything(telling)
    return lay_out(telling.moments, focus, folds(telling, focus), telling.cast)


def test_nothing_overlaps() -> None:
    layout = laid_out(founding())
    edges = [(x - LANE / 2, x + LANE / 2) for x in layout.devices.values()]
    edges += [(x - LOG / 2, x + LOG / 2) for x in layout.logs.values()]
    assert all(left[1] <= right[0] for left, right in pairwise(sorted(edges)))
    assert all(above.y + above.height <= below.y for above, below in pairwise(layout.rows))
    assert layout.rows[-1].y + layout.rows[-1].height <= layout.height


def test_accounts_stand_on_either_side() -> None:
    layout = laid_out(founding())
    assert [layout.towards(each) for each in ("d-phone", "d-pc1", "d-pc2")] == [-1, 1, 1]


def test_an_account_that_is_alone_is_divided() -> None:
    records: list[Record] = [Device(device=name, account="bob", name=name) for name in "ab"]
    layout = laid_out([*records, Connect(device="a", session=1)])
    assert [layout.towards(each) for each in "ab"] == [-1, 1]


def test_folds_have_rows_of_their_own() -> None:
    records = founding()
    telling = told(records)
    charge = accused(records).opinions[1].charges[0]
    focus = on_charge(telling, charge, records, outcome(records, telling.cast))
    layout = lay_out(telling.moments, focus, folds(telling, focus), telling.cast)
    assert layout.rows[0].fold is not None
    assert set(layout.devices) == {"d-phone", "d-pc1", "d-pc2"}
    assert set(layout.logs) == {"bob"}
