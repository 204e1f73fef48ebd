"""The OAuth2 endpoints over a socket: bytes and content types as clients expect them."""

import asyncio
import re

import pytest
from aiohttp import ClientSession

from syncd.platform.grants import ACCESS_TOKEN_S, MOBILE_REFRESH_TOKEN_S, REFRESH_TOKEN_S
from tests.platform.town import ACCOUNT, MOBILE, NICKNAME, NOW, WEBSITE, Town, secret_of


async def test_a_code_becomes_a_grant(town: Town) -> None:
    granted = await town.granted("alice")
    assert granted == {
        "access_token": granted["access_token"],
        "refresh_token": granted["refresh_token"],
        "expires_in": 7200,
        "openid": town.openid(ACCOUNT, "alice"),
        "scope": "snsapi_userinfo",
        "unionid": town.unionid("alice"),
    }


async def test_the_silent_scope_brings_no_unionid(town: Town) -> None:
    assert "unionid" not in await town.granted("alice", scope="snsapi_base")


async def test_an_app_that_is_not_bound_gets_no_unionid(town: Town) -> None:
    with town.world.db:
        town.registry.bind(ACCOUNT, None)
    granted = await town.granted("alice")
    assert "unionid" not in granted
    assert "unionid" not in await user_info(town, granted)


async def test_a_form_is_as_good_as_a_query(town: Town) -> None:
    code = town.code(WEBSITE, "alice", "snsapi_login")
    form = {"appid": WEBSITE, "secret": secret_of(WEBSITE), "code": code}
    form |= {"grant_type": "authorization_code", "redirect_uri": "ignored"}
    granted = await town.ask("/sns/oauth2/access_token", "POST", **form)
    assert granted["scope"] == "snsapi_login"


async def test_a_chinese_nickname_survives_a_client_that_takes_it_for_latin_1(town: Town) -> None:
    granted = await town.granted("alice")
    query = {"access_token": granted["access_token"], "openid": granted["openid"]}
    async with (
        ClientSession() as client,
        client.get(town.url / "sns/userinfo", params=query) as response,
    ):
        body = await response.read()
    assert NICKNAME.encode() in body
    assert b"\\u" not in body
    mangled = body.decode("latin-1")
    assert mangled.encode("raw_unicode_escape").decode() == body.decode()


async def user_info(town: Town, granted: dict[str, str], **change: str) -> dict[str, object]:
    given = {"access_token": granted["access_token"], "openid": granted["openid"]}
    return await town.ask("/sns/userinfo", **given | change)


async def test_a_profile_has_the_documented_fields(town: Town) -> None:
    granted = await town.granted("alice")
    assert await user_info(town, granted, lang="zh_CN") == {
        "openid": granted["openid"],
        "nickname": NICKNAME,
        "sex": 0,
        "language": "",
        "province": "",
        "city": "",
        "country": "",
        "headimgurl": "https://img.example/0",
        "privilege": [],
        "unionid": town.unionid("alice"),
    }


async def test_a_token_can_be_checked(town: Town) -> None:
    granted = await town.granted("alice", scope="snsapi_base")
    given = {"access_token": granted["access_token"], "openid": granted["openid"]}
    assert await town.ask("/sns/auth", **given) == {"errcode": 0, "errmsg": "ok"}


async def test_a_failure_names_its_request(town: Town) -> None:
    failed = await town.redeemed(ACCOUNT, "none")
    assert failed["errcode"] == 40029
    rid = re.fullmatch(
        r"invalid code, rid: ([0-9a-f]{8})-[0-9a-f]{8}-[0-9a-f]{8}", failed["errmsg"]
    )
    assert rid
    assert int(rid[1], 16) == NOW


@pytest.mark.parametrize(
    ("missing", "errcode"),
    [("appid", 41002), ("secret", 41004), ("code", 41008), ("grant_type", 40002)],
)
async def test_what_is_missing_is_named(town: Town, missing: str, errcode: int) -> None:
    code = town.code(ACCOUNT, "alice", "snsapi_base")
    failed = await town.redeemed(ACCOUNT, code, **{missing: ""})
    assert failed["errcode"] == errcode
    assert "access_token" in await town.redeemed(ACCOUNT, code)


async def test_app_and_secret_come_before_the_code(town: Town) -> None:
    code = town.code(ACCOUNT, "alice", "snsapi_base")
    assert (await town.redeemed(ACCOUNT, code, appid="wxnone"))["errcode"] == 40013
    assert (await town.redeemed(ACCOUNT, code, secret="wrong"))["errcode"] == 40125
    town.freeze(ACCOUNT)
    assert (await town.redeemed(ACCOUNT, code))["errcode"] == 50002
    town.freeze(ACCOUNT, False)
    assert "access_token" in await town.redeemed(ACCOUNT, code)


async def test_of_sixteen_who_come_at_once_one_wins(town: Town) -> None:
    code = town.code(ACCOUNT, "alice", "snsapi_base")
    answers = await asyncio.gather(*(town.redeemed(ACCOUNT, code) for _ in range(16)))
    assert sorted(answer.get("errcode", 0) for answer in answers) == [0] + [40163] * 15


# --- Refreshing ----------------------------------------------------------------------------------


async def refreshed(town: Town, token: str, appid: str = ACCOUNT) -> dict[str, object]:
    given = {"appid": appid, "grant_type": "refresh_token", "refresh_token": token}
    return await town.ask("/sns/oauth2/refresh_token", **given)


async def test_a_grant_is_renewed_without_a_secret(town: Town) -> None:
    granted = await town.granted("alice")
    town.time += ACCESS_TOKEN_S - 1
    again = await refreshed(town, granted["refresh_token"])
    assert again == {name: value for name, value in granted.items() if name != "unionid"}
    town.time += ACCESS_TOKEN_S
    assert (await user_info(town, granted))["errcode"] == 42001
    later = await refreshed(town, granted["refresh_token"])
    assert later["access_token"] != granted["access_token"]
    assert (await user_info(town, granted))["errcode"] == 40001
    assert "nickname" in await user_info(town, granted | later)


async def test_a_refresh_token_is_bound_to_its_app(town: Town) -> None:
    granted = await town.granted("alice")
    assert (await refreshed(town, granted["refresh_token"], WEBSITE))["errcode"] == 40030
    assert (await refreshed(town, granted["refresh_token"], "wxnone"))["errcode"] == 40013


async def test_a_refresh_token_is_bound_to_what_it_is(town: Town) -> None:
    granted = await town.granted("alice")
    assert (await refreshed(town, granted["access_token"]))["errcode"] == 40030
    assert (await user_info(town, granted, access_token=granted["refresh_token"]))[
        "errcode"
    ] == 40001
    assert (await refreshed(town, ""))["errcode"] == 41003
    assert (await refreshed(town, "\u5f20"))["errcode"] == 40030


@pytest.mark.parametrize(
    ("appid", "lifetime_s"),
    [(ACCOUNT, REFRESH_TOKEN_S), (WEBSITE, REFRESH_TOKEN_S), (MOBILE, MOBILE_REFRESH_TOKEN_S)],
)
async def test_a_refresh_token_ends(town: Town, appid: str, lifetime_s: float) -> None:
    granted = await town.granted("alice", appid)
    town.time += lifetime_s - 1
    assert "access_token" in await refreshed(town, granted["refresh_token"], appid)
    town.time += 1
    assert (await refreshed(town, granted["refresh_token"], appid))["errcode"] == 42002


async def test_a_refresh_token_in_a_second_network_is_noticed(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    granted = await town.granted("alice")
    await refreshed(town, granted["refresh_token"])
    assert not caplog.messages
    given = {"appid": ACCOUNT, "grant_type": "refresh_token"}
    given["refresh_token"] = granted["refresh_token"]
    town.oauth.refresh_token(given, "192.0.2.7", NOW)
    assert caplog.messages == [f"! a refresh token of app {ACCOUNT} is used from a second network"]


# --- Confused tokens -----------------------------------------------------------------------------


async def test_a_token_is_good_for_its_own_person_only(town: Town) -> None:
    alices, bobs = await town.granted("alice"), await town.granted("bob")
    for path in ("/sns/userinfo", "/sns/auth"):
        given = {"access_token": alices["access_token"], "openid": bobs["openid"]}
        assert (await town.ask(path, **given))["errcode"] == 40003


async def test_the_openid_of_another_app_is_no_openid_here(town: Town) -> None:
    here, there = await town.granted("alice"), await town.granted("alice", WEBSITE)
    assert (await user_info(town, here, openid=there["openid"]))["errcode"] == 40003


async def test_the_silent_scope_opens_no_profile(town: Town) -> None:
    granted = await town.granted("alice", scope="snsapi_base")
    assert (await user_info(town, granted))["errcode"] == 48001


@pytest.mark.parametrize(
    ("token", "errcode"),
    [("", 41001), ("not a token", 40014), ("\u5f20" * 40, 40014), ("x" * 86, 40001)],
)
async def test_tokens_that_are_none(town: Town, token: str, errcode: int) -> None:
    granted = await town.granted("alice")
    assert (await user_info(town, granted, access_token=token))["errcode"] == errcode


async def test_an_openid_must_be_named(town: Town) -> None:
    granted = await town.granted("alice")
    assert (await user_info(town, granted, openid=""))["errcode"] == 41009


async def test_a_frozen_app_learns_nothing_more(town: Town) -> None:
    granted = await town.granted("alice")
    town.freeze(ACCOUNT)
    assert (await user_info(town, granted))["errcode"] == 50002
    assert (await refreshed(town, granted["refresh_token"]))["errcode"] == 50002


async def test_the_grants_of_a_person_who_ended_are_dead(town: Town) -> None:
    granted = await town.granted("alice")
    town.end("alice")
    assert (await user_info(town, granted))["errcode"] == 40001
    assert (await refreshed(town, granted["refresh_token"]))["errcode"] == 40030


async def test_a_snapshot_shows_nobody(town: Town) -> None:
    seen = []
    for person in ("alice", "bob"):
        code = town.code(ACCOUNT, person, "snsapi_userinfo", snapshot=True)
        granted = await town.redeemed(ACCOUNT, code)
        assert granted.pop("is_snapshotuser") == 1
        seen.append((granted["openid"], await user_info(town, granted)))
    assert seen[0] == seen[1]
    assert seen[0][1]["nickname"] == "\u5fae\u4fe1\u7528\u6237"
    assert "is_snapshotuser" not in await town.granted("alice")
