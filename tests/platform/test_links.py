"""Links are followed exactly as documented, or not at all."""

import itertools

import pytest

from syncd.platform.links import ACCOUNT_DOOR, WEBSITE_DOOR, Asked, Asker, Door, Mistake, read

BACK = "https://rp.example/back"
APPS = {
    "wxaccount": Asker("official-account", "rp.example"),
    "wxfrozen": Asker("official-account", "rp.example", normal=False),
    "wxweb": Asker("website", "rp.example"),
    "wxphone": Asker("mini-program", "rp.example"),
}
LINK = {
    "appid": "wxaccount",
    "redirect_uri": BACK,
    "response_type": "code",
    "scope": "snsapi_base",
    "state": "st4te",
}
QR_LINK = {**LINK, "appid": "wxweb", "scope": "snsapi_login"}


def asked(door: Door, link: dict[str, str]) -> Asked | Mistake:
    return read(door, link.items(), APPS)


def test_the_documented_link_is_followed() -> None:
    assert asked(ACCOUNT_DOOR, LINK) == Asked("wxaccount", BACK, "snsapi_base", "st4te")
    assert asked(WEBSITE_DOOR, QR_LINK) == Asked("wxweb", BACK, "snsapi_login", "st4te")


def test_without_a_state_none_comes_back_and_an_empty_one_comes_back_empty() -> None:
    without = {name: value for name, value in LINK.items() if name != "state"}
    assert asked(ACCOUNT_DOOR, without) == Asked("wxaccount", BACK, "snsapi_base", None)
    assert asked(ACCOUNT_DOOR, LINK | {"state": ""}) == Asked("wxaccount", BACK, "snsapi_base", "")


def test_parameters_that_mean_nothing_may_stand_anywhere() -> None:
    link = [("lang", "en"), *LINK.items(), ("connect_redirect", "1"), ("forcePopup", "true")]
    assert read(ACCOUNT_DOOR, link, APPS) == asked(ACCOUNT_DOOR, LINK)


def test_the_order_counts_at_one_door_only() -> None:
    for order in itertools.permutations(LINK.items()):
        followed = read(ACCOUNT_DOOR, order, APPS) is not Mistake.PARAMETERS
        assert followed == (list(order) == list(LINK.items()))
    for order in itertools.permutations(QR_LINK.items()):
        assert isinstance(read(WEBSITE_DOOR, order, APPS), Asked)


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"appid": "wxnone"}, Mistake.APPID),
        ({"appid": "wxweb"}, Mistake.APPID),
        ({"appid": "wxphone"}, Mistake.APPID),
        ({"appid": "wxfrozen"}, Mistake.FROZEN),
        ({"redirect_uri": "https://rp.example.evil/"}, Mistake.REDIRECT_URI),
        ({"redirect_uri": ""}, Mistake.REDIRECT_URI),
        ({"response_type": "token"}, Mistake.PARAMETERS),
        ({"scope": "snsapi_login"}, Mistake.SCOPE),
        ({"scope": "snsapi_base snsapi_userinfo"}, Mistake.SCOPE),
        ({"scope": ""}, Mistake.SCOPE),
        ({"state": "x" * 129}, Mistake.STATE),
        ({"state": "not a state"}, Mistake.STATE),
    ],
)
def test_mistakes(change: dict[str, str], mistake: Mistake) -> None:
    assert asked(ACCOUNT_DOOR, LINK | change) is mistake


@pytest.mark.parametrize("name", ["appid", "redirect_uri", "response_type", "scope"])
def test_what_must_be_there_must_be_there_once(name: str) -> None:
    without = {each: value for each, value in LINK.items() if each != name}
    assert isinstance(asked(ACCOUNT_DOOR, without), Mistake)
    # Two of a kind: whoever checks one and follows the other is fooled.
    doubled = [*LINK.items(), (name, "https://evil/" if name == "redirect_uri" else LINK[name])]
    assert read(ACCOUNT_DOOR, doubled, APPS) is Mistake.PARAMETERS


def test_the_website_door_takes_its_scope_only() -> None:
    for scope in ("snsapi_base", "snsapi_userinfo"):
        assert asked(WEBSITE_DOOR, QR_LINK | {"scope": scope}) is Mistake.SCOPE
