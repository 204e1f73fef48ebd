"""Token buckets: what may be spent, when there is more, and what is forgotten."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.allowance import Allowances

steps = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["take", "charge", "meet"]),
        st.floats(0, 20),
        st.floats(0, 3),
    ),
    max_size=50,
)


def test_a_key_may_spend_its_burst_at_once_and_then_its_rate() -> None:
    allowances: Allowances[str] = Allowances(10, 5)
    assert [allowances.take("a", 1, 0.0) for _ in range(5)] == [0.0] * 5
    assert allowances.take("a", 1, 0.0) == pytest.approx(0.1)
    assert allowances.take("b", 5, 0.0) == 0.0
    assert allowances.take("a", 1, 0.1) == 0.0


def test_what_is_refused_costs_nothing() -> None:
    allowances: Allowances[str] = Allowances(1, 2)
    assert allowances.take("a", 2, 0.0) == 0.0
    for _ in range(100):
        assert allowances.take("a", 1, 0.5) == pytest.approx(0.5)
    assert allowances.take("a", 1, 1.0) == 0.0


def test_who_owes_is_exhausted_until_the_debt_is_paid() -> None:
    allowances: Allowances[str] = Allowances(10, 5, debt_s_max=100)
    assert not allowances.exhausted("a", 0.0)
    allowances.charge("a", 25, 0.0)
    assert allowances.exhausted("a", 1.9)
    assert not allowances.exhausted("a", 2.1)


def test_no_debt_lasts_longer_than_agreed() -> None:
    allowances: Allowances[str] = Allowances(10, 5, debt_s_max=3)
    for _ in range(10):
        allowances.charge("a", 1000, 0.0)
    assert allowances.exhausted("a", 2.9)
    assert not allowances.exhausted("a", 3.1)


def test_a_rate_of_nothing_is_no_limit() -> None:
    allowances: Allowances[str] = Allowances(0, 0)
    allowances.charge("a", 1e9, 0.0)
    assert allowances.take("a", 1e9, 0.0) == 0.0
    assert not allowances.exhausted("a", 0.0)
    assert len(allowances) == 0


def test_a_key_that_was_met_is_remembered_without_a_cost() -> None:
    allowances: Allowances[str] = Allowances(1, 3)
    assert "a" not in allowances
    allowances.meet("a", 0.0)
    assert "a" in allowances
    assert allowances.take("a", 3, 0.0) == 0.0


def test_buckets_that_are_full_again_are_forgotten() -> None:
    allowances: Allowances[int] = Allowances(10, 5)
    most = 0
    for key in range(100_000):
        allowances.take(key, 1, key / 1000)  # a thousand keys a second, full after 0.1 s
        most = max(most, len(allowances))
    assert most <= 1024


@given(steps, st.floats(0.1, 10), st.floats(1, 10))
def test_nobody_takes_more_than_burst_and_rate(
    taken: list[tuple[str, str, float, float]], per_s: float, burst: float
) -> None:
    allowances: Allowances[str] = Allowances(per_s, burst)
    spent = dict.fromkeys("abc", 0.0)
    now = 0.0
    for key, deed, amount, pause in taken:
        now += pause
        if deed == "take" and allowances.take(key, amount, now) == 0.0:
            spent[key] += amount
        elif deed == "charge":
            allowances.charge(key, amount, now)
        elif deed == "meet":
            allowances.meet(key, now)
        most = burst + per_s * now
        assert spent[key] <= most or math.isclose(spent[key], most)
