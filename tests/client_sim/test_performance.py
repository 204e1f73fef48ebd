"""What follows from measured halves: reproduced, fixed, the exit, the JSON."""

from dataclasses import replace

from client_sim.performance import Act, Performance
from tests.client_sim.samples import performance, right_half, wrong_half


def test_reproduced_and_fixed() -> None:
    shown = performance(3)
    assert (shown.reproduced, shown.fixed, shown.succeeded) == (True, True, True)


def test_the_json_is_as_documented() -> None:
    told = performance(3).as_json()
    variants = told.pop("variants")
    assert told == {
        "platform": {"PC1": 3, "PC2": 0},
        "device": {"PC1": 3, "PC2": 3},
        "reproduced": True,
        "fixed": True,
    }
    assert variants["three_pcs"] == {
        "platform": {"PC1": 3, "PC2": 0},
        "device": {"PC1": 3, "PC2": 3},
        "due": 3,
        "loses": {"platform": True},
        "fixed": True,
    }


def test_without_the_bug_in_the_wrong_half_it_fails() -> None:
    main = Act("main", "main", {"platform": right_half(), "device": right_half()})
    shown = Performance(main, ())
    assert (shown.reproduced, shown.fixed, shown.succeeded) == (False, True, False)


def test_with_the_bug_in_the_right_half_it_fails() -> None:
    main = Act("main", "main", {"platform": wrong_half(), "device": wrong_half()})
    shown = Performance(main, ())
    assert (shown.reproduced, shown.fixed, shown.succeeded) == (True, False, False)


def test_a_variant_that_is_not_fixed_fails_all() -> None:
    spoilt = Act("variant", "variant", {"platform": wrong_half(), "device": wrong_half()})
    shown = replace(performance(), variants=(spoilt,))
    assert (shown.reproduced, shown.fixed, shown.succeeded) == (True, False, False)


def test_a_wrong_half_that_loses_nothing_in_a_variant_is_told_and_does_not_fail() -> None:
    kind = Act("variant", "variant", {"platform": right_half(), "device": right_half()})
    shown = replace(performance(), variants=(kind,))
    assert shown.succeeded
    assert shown.as_json()["variants"]["variant"]["loses"] == {"platform": False}


def test_a_running_server_is_judged_by_the_half_that_it_has() -> None:
    right = Performance(Act("main", "main", {"device": right_half()}), (), "device")
    assert right.succeeded
    assert right.as_json()["platform"] is None
    assert right.as_json()["scope"] == "device"
    wrong = Performance(Act("main", "main", {"platform": wrong_half()}), (), "platform")
    assert not wrong.succeeded
    assert wrong.as_json()["reproduced"] is True
