"""Codes: once, soon, and through their own door."""

from random import Random

import pytest

from syncd.platform.codes import LOGIN_CODE_S, REDEEMED_PER_MINUTE_MAX, Codes, Redeemed
from syncd.platform.errcodes import Failed
from tests.platform.town import database

NOW = 1_800_000_000.0
ALICE = Redeemed("alice", "", False)
ALICES_GRANT = Redeemed("alice", "snsapi_base", True)


@pytest.fixture
def codes() -> Codes:
    return Codes(database(), Random(5).randbytes)


def errcode(codes: Codes, appid: str, code: str, *, login: bool = True, now: float = NOW) -> int:
    with pytest.raises(Failed) as caught:
        codes.redeem(appid, code, login, now)
    return caught.value.errcode.number


def test_a_code_stands_for_what_it_was_made_for_once(codes: Codes) -> None:
    code = codes.issue("wx", ALICE, LOGIN_CODE_S, NOW)
    assert len(code) == 32
    assert codes.redeem("wx", code, True, NOW) == ALICE
    assert errcode(codes, "wx", code) == 40163


def test_the_two_kinds_do_not_open_each_others_doors(codes: Codes) -> None:
    login = codes.issue("wx", ALICE, LOGIN_CODE_S, NOW)
    grant = codes.issue("wx", ALICES_GRANT, LOGIN_CODE_S, NOW)
    assert errcode(codes, "wx", login, login=False) == 40029
    assert errcode(codes, "wx", grant) == 40029
    assert codes.redeem("wx", grant, False, NOW) == ALICES_GRANT


def test_another_app_has_no_use_for_it(codes: Codes) -> None:
    code = codes.issue("wx", ALICE, LOGIN_CODE_S, NOW)
    assert errcode(codes, "wxother", code) == 40029
    assert codes.redeem("wx", code, True, NOW) == ALICE


def test_it_ends_to_the_second(codes: Codes) -> None:
    first, second = (codes.issue("wx", ALICE, LOGIN_CODE_S, NOW) for _ in range(2))
    assert codes.redeem("wx", first, True, NOW + LOGIN_CODE_S - 1) == ALICE
    assert errcode(codes, "wx", second, now=NOW + LOGIN_CODE_S) == 40029


def test_so_many_a_minute_for_each_person(codes: Codes) -> None:
    made = [codes.issue("wx", ALICE, LOGIN_CODE_S, NOW) for _ in range(REDEEMED_PER_MINUTE_MAX + 1)]
    for code in made[:-1]:
        codes.redeem("wx", code, True, NOW)
    assert errcode(codes, "wx", made[-1], now=NOW + 59) == 45011
    bobs = codes.issue("wx", Redeemed("bob", "", False), LOGIN_CODE_S, NOW)
    assert codes.redeem("wx", bobs, True, NOW + 59).person == "bob"
    assert codes.redeem("wx", made[-1], True, NOW + 60) == ALICE


def test_used_codes_are_forgotten_in_the_end(codes: Codes) -> None:
    code = codes.issue("wx", ALICE, LOGIN_CODE_S, NOW)
    codes.redeem("wx", code, True, NOW)
    codes.issue("wx", ALICE, LOGIN_CODE_S, NOW + 2 * 86400)
    assert errcode(codes, "wx", code) == 40029
