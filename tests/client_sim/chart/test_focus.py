"""What matters for a charge is kept, the rest is folded and counted."""

from client_sim.chart.focus import KEPT_MAX, MARKED_MAX, everything, folds, on_charge
from client_sim.chart.outcome import outcome
from client_sim.chart.telling import told
from client_sim.history import Record, Verdict
from client_sim.judging.verdict import Charge
from client_sim.performing import perform
from client_sim.storm.draw import draw
from tests.client_sim.chart.histories import accused, founding


def test_the_founding_charge_shows_the_other_cursor() -> None:
    records = founding()
    telling = told(records)
    charge = accused(records).opinions[1].charges[0]
    focus = on_charge(telling, charge, records, outcome(records, telling.cast))
    assert focus.accounts == ("bob",)
    assert focus.devices == ("d-phone", "d-pc1", "d-pc2")
    said = [
        telling.moments[row].sentence(telling.cast)
        for row in focus.marked
        if row < len(telling.moments)
    ]
    assert [each.split()[0] for each in said] == ["phone", "PC1", "PC2"]
    assert focus.marked[-1] == len(telling.moments)


def test_a_storm_stays_readable_and_every_record_is_counted() -> None:
    records: list[Record] = perform(draw(5), 5).records
    telling = told(records)
    steps = [index for index, each in enumerate(records) if isinstance(each, Verdict)]
    device = records[steps[-1]].device  # type: ignore[union-attr]
    charge = Charge("for the sake of the test", tuple(steps), device)
    focus = on_charge(telling, charge, records, outcome(records, telling.cast))
    assert len(focus.marked) <= MARKED_MAX
    assert len(focus.rows) <= KEPT_MAX
    hidden = sum(each.records for each in folds(telling, focus).values())
    shown = sum(len(telling.moments[row].records) for row in focus.rows)
    final = sum(row == len(telling.moments) for row in telling.row_of)
    assert hidden + shown + final == len(records)
    assert not folds(telling, everything(telling))
