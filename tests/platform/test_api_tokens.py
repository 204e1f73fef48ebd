"""API tokens: two kinds, their overlaps, and their quotas."""

from random import Random

import pytest

from syncd.platform.api_tokens import (
    FORCED_APART_S,
    FORCED_PER_DAY_MAX,
    OVERLAP_S,
    TOKEN_S,
    ApiTokens,
)
from syncd.platform.errcodes import Failed
from tests.platform.town import database

NOW = 1_800_000_000.0


@pytest.fixture
def tokens() -> ApiTokens:
    return ApiTokens(database(), bytes(32), Random(5).randbytes)


def errcode(tokens: ApiTokens, token: str, now: float) -> int:
    with pytest.raises(Failed) as caught:
        tokens.appid_of(token, now)
    return caught.value.errcode.number


def test_a_token_is_its_apps_until_it_expires(tokens: ApiTokens) -> None:
    token, expires_in = tokens.plain("wx", NOW)
    other, _ = tokens.plain("wxother", NOW)
    assert expires_in == TOKEN_S
    assert tokens.appid_of(token, NOW + TOKEN_S - 1) == "wx"
    assert tokens.appid_of(other, NOW) == "wxother"
    assert errcode(tokens, token, NOW + TOKEN_S) == 42001


def test_the_previous_token_works_for_five_more_minutes(tokens: ApiTokens) -> None:
    first, _ = tokens.plain("wx", NOW)
    second, _ = tokens.plain("wx", NOW + 100)
    assert first != second
    assert tokens.appid_of(first, NOW + 100 + OVERLAP_S - 1) == "wx"
    assert errcode(tokens, first, NOW + 100 + OVERLAP_S) == 40001
    assert tokens.appid_of(second, NOW + 100 + OVERLAP_S) == "wx"


def test_a_stable_token_stays_until_it_nears_its_end(tokens: ApiTokens) -> None:
    first, _ = tokens.stable("wx", False, NOW)
    late = NOW + TOKEN_S - OVERLAP_S
    assert tokens.stable("wx", False, late - 1) == (first, OVERLAP_S + 1)
    second, expires_in = tokens.stable("wx", False, late)
    assert (second != first, expires_in) == (True, TOKEN_S)
    assert tokens.appid_of(first, late) == tokens.appid_of(second, late) == "wx"


def test_the_two_kinds_do_not_end_each_other(tokens: ApiTokens) -> None:
    stable, _ = tokens.stable("wx", False, NOW)
    plain, _ = tokens.plain("wx", NOW)
    tokens.plain("wx", NOW)
    tokens.stable("wx", True, NOW)
    assert tokens.appid_of(plain, NOW) == "wx"
    assert errcode(tokens, stable, NOW) == 40001


def test_a_forced_token_ends_the_one_before_and_has_quotas(tokens: ApiTokens) -> None:
    now = NOW
    for _ in range(FORCED_PER_DAY_MAX):
        tokens.stable("wx", True, now)
        with pytest.raises(Failed, match=r"45011|45009"):
            tokens.stable("wx", True, now + FORCED_APART_S - 1)
        now += FORCED_APART_S
    with pytest.raises(Failed, match="45009"):
        tokens.stable("wx", True, now)
    assert tokens.stable("wx", True, NOW + 86400 + FORCED_APART_S)


@pytest.mark.parametrize(
    ("token", "number"), [("short", 40014), ("a b" * 20, 40014), ("x" * 86, 40001)]
)
def test_what_is_no_token(tokens: ApiTokens, token: str, number: int) -> None:
    assert errcode(tokens, token, NOW) == number


def test_tokens_are_not_in_their_repr(tokens: ApiTokens) -> None:
    made = tokens.plain("wx", NOW)
    assert made.access_token not in repr(made)
