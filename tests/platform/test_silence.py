"""The table of silent unionids: every combination of facts, under both policies."""

import itertools

import pytest

from syncd.platform.silence import Facts, UnionidPolicy, is_told

BOUND, YEAR_2017 = UnionidPolicy.BOUND, UnionidPolicy.YEAR_2017

TOLD_IN_2017 = {
    # component used, same-owner app, follows, logged in
    (True, True, True, False),
    (True, True, False, True),
    (True, True, True, True),
}


@pytest.mark.parametrize("others", list(itertools.product([True, False], repeat=4)))
def test_every_combination(others: tuple[bool, bool, bool, bool]) -> None:
    assert is_told(BOUND, Facts(True, *others))
    assert is_told(YEAR_2017, Facts(True, *others)) == (others in TOLD_IN_2017)
    for policy in UnionidPolicy:
        assert not is_told(policy, Facts(False, *others))
