"""The plays as a list. What they measure on real servers stands in test_reproduce.py."""

from client_sim.variants import FOUNDING_REPORT, VARIANTS


def test_every_variant_has_both_halves_a_name_and_a_title_of_its_own() -> None:
    plays = (FOUNDING_REPORT, *VARIANTS)
    assert all({"platform", "device"} <= set(each.scopes) for each in plays)
    assert len({each.name for each in plays}) == len({each.title for each in plays}) == len(plays)
    assert all(each.play.__doc__ for each in plays)


def test_the_account_scope_is_played_where_a_phone_takes_part() -> None:
    assert [each.name for each in VARIANTS if "account" in each.scopes] == ["phone_first"]
