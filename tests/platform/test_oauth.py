"""The core behind the pages and endpoints, where a socket would show nothing more."""

from pathlib import Path
from random import Random

import pytest

from syncd.platform.errcodes import Failed
from syncd.platform.links import ACCOUNT_DOOR, Asked, Mistake
from syncd.platform.oauth import OAuth
from syncd.platform.qrconnect import NotYours
from syncd.platform.registry import AppState
from syncd.platform.world import World
from tests.platform.town import ACCOUNT, BACK, NOW, WEBSITE, database, new_world, secret_of

ASKED = Asked(ACCOUNT, BACK, "snsapi_userinfo", "st4te")


def redeem(oauth: OAuth, code: str) -> dict[str, object]:
    given = {"appid": ACCOUNT, "secret": secret_of(ACCOUNT), "code": code}
    return oauth.access_token(given | {"grant_type": "authorization_code"}, "127.0.0.1", NOW)


def test_a_link_of_an_unknown_app_is_a_mistake() -> None:
    oauth = new_world(database()).oauth
    link = [("appid", "wxnone"), ("redirect_uri", BACK), ("response_type", "code")]
    assert oauth.read(ACCOUNT_DOOR, [*link, ("scope", "snsapi_base")]) is Mistake.APPID
    assert oauth.read(ACCOUNT_DOOR, []) is Mistake.PARAMETERS


def test_a_confirmed_qr_code_that_gets_no_code_yet_is_not_used_up() -> None:
    world = new_world(database())
    oauth = world.oauth
    uuid, _ = oauth.open_qr(WEBSITE, "browser", "127.0.0.1", NOW)
    oauth.scan_qr(uuid, "alice", NOW)
    oauth.decide_qr(uuid, "alice", True, NOW)
    with world.db:
        world.registry.set_app_state(WEBSITE, AppState.FROZEN)
    with pytest.raises(Failed):
        oauth.take_qr_code(uuid, "browser", NOW)
    with world.db:
        world.registry.set_app_state(WEBSITE, AppState.NORMAL)
    assert oauth.take_qr_code(uuid, "browser", NOW)


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "platform.db"
    first = new_world(database(path)).oauth
    granted = redeem(first, first.code(ASKED, "alice", False, NOW))
    browser = first.enter(first.invite("alice"))
    uuid, _ = first.open_qr(WEBSITE, "pc", "127.0.0.1", NOW)
    first.scan_qr(uuid, "alice", NOW)

    second = World(database(path), Random(6).randbytes).oauth
    given = {name: str(granted[name]) for name in ("access_token", "openid")}
    assert second.user_info(given, NOW)["openid"] == granted["openid"]
    assert browser
    assert second.person_of(browser) == "alice"
    with pytest.raises(NotYours):
        second.scan_qr(uuid, "bob", NOW)
    second.decide_qr(uuid, "alice", True, NOW)
    assert second.take_qr_code(uuid, "pc", NOW)


def test_no_secret_lies_in_the_database() -> None:
    world = new_world(database())
    oauth = world.oauth
    code = oauth.code(ASKED, "alice", False, NOW)
    granted = redeem(oauth, code)
    ticket = oauth.invite("alice")
    browser = oauth.enter(oauth.invite("alice")) or ""
    oauth.open_qr(WEBSITE, "secret of a PC's browser", "127.0.0.1", NOW)
    token = world.api_token(ACCOUNT, secret_of(ACCOUNT), NOW).access_token
    dump = "\n".join(world.db.iterdump())
    secrets = [str(granted[name]) for name in ("access_token", "refresh_token")]
    secrets += [code, ticket, browser, token, secret_of(ACCOUNT), "secret of a PC's browser"]
    for secret in secrets:
        assert secret
        assert secret not in dump
