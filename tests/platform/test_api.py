"""The endpoints that servers of apps call, over a socket."""

import asyncio
import hmac
import json
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.platform.town import ACCOUNT, PROGRAM, WEBSITE, Town, secret_of

JSON = "application/json; encoding=utf-8"


async def ask(town: Town, path: str, method: str = "GET", **given: Any) -> tuple[str, Any]:
    """The content type and the body of an answer."""
    url = town.url.join(URL(path))
    async with ClientSession() as client, client.request(method, url, **given) as response:
        assert response.status == 200
        return response.headers["Content-Type"], json.loads(await response.read())


def login(code: str, **change: str) -> dict[str, str]:
    given = {"appid": PROGRAM, "secret": secret_of(PROGRAM), "js_code": code}
    return given | {"grant_type": "authorization_code"} | change


async def session(town: Town, code: str, **change: str) -> Any:
    content_type, body = await ask(town, "/sns/jscode2session", params=login(code, **change))
    assert content_type == "text/plain"
    return body


async def token(town: Town, appid: str = ACCOUNT) -> str:
    given = {"grant_type": "client_credential", "appid": appid, "secret": secret_of(appid)}
    content_type, body = await ask(town, "/cgi-bin/token", params=given)
    assert content_type == "application/json"
    assert body["expires_in"] == 7200
    return str(body["access_token"])


# --- Logging in ----------------------------------------------------------------------------------


async def test_a_login_answers_what_is_documented_and_no_errcode(town: Town) -> None:
    body = await session(town, town.world.login_code(PROGRAM, "alice", town.time))
    assert set(body) == {"session_key", "openid", "unionid"}
    assert body["openid"] == town.openid(PROGRAM, "alice")


async def test_of_sixteen_who_come_at_once_one_wins(town: Town) -> None:
    code = town.world.login_code(PROGRAM, "alice", town.time)
    bodies = await asyncio.gather(*(session(town, code) for _ in range(16)))
    assert sorted(body.get("errcode", 0) for body in bodies) == [0] + [40163] * 15


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"js_code": ""}, 41008),
        ({"grant_type": "code"}, 40002),
        ({"appid": "wxnone", "secret": "wrong", "js_code": "wrong"}, 40013),
        ({"secret": "wrong", "js_code": "wrong"}, 40125),
        ({"js_code": "wrong"}, 40029),
        ({"appid": ACCOUNT, "secret": secret_of(ACCOUNT)}, 40029),
    ],
)
async def test_mistakes_in_their_order(town: Town, change: dict[str, str], errcode: int) -> None:
    code = town.world.login_code(PROGRAM, "alice", town.time)
    assert (await session(town, code, **change))["errcode"] == errcode
    assert "openid" in await session(town, code, access_token="ignored")


async def test_a_form_is_not_read(town: Town) -> None:
    code = town.world.login_code(PROGRAM, "alice", town.time)
    _, body = await ask(town, "/sns/jscode2session", "POST", data=login(code))
    assert body["errcode"] == 41002


@pytest.mark.parametrize("path", ["/sns/jsCode2Session", "/", "/cgi-bin/none", "/sns/userInfo"])
async def test_paths_are_case_sensitive(town: Town, path: str) -> None:
    _, body = await ask(town, path)
    assert body["errcode"] == 40066


# --- session_key ---------------------------------------------------------------------------------


async def signed(town: Town, **change: str) -> dict[str, str]:
    body = await session(town, town.world.login_code(PROGRAM, "alice", town.time))
    signature = hmac.digest(body["session_key"].encode(), b"", "sha256").hex()
    given = {"openid": body["openid"], "signature": signature, "sig_method": "hmac_sha256"}
    return given | change


async def test_a_signature_is_taken_from_the_query_and_from_a_body(town: Town) -> None:
    given = await signed(town)
    access = {"access_token": await token(town, PROGRAM)}
    ok = (JSON, {"errcode": 0, "errmsg": "ok"})
    assert await ask(town, "/wxa/checksession", params=given | access) == ok
    assert await ask(town, "/wxa/checksession", params=access, json=given) == ok


async def test_a_reset_gives_a_new_key(town: Town) -> None:
    access = {"access_token": await token(town, PROGRAM)}
    given = await signed(town) | access
    _, body = await ask(town, "/wxa/resetusersessionkey", params=given)
    assert set(body) == {"errcode", "errmsg", "openid", "session_key"}
    content_type, body = await ask(town, "/wxa/checksession", params=given)
    assert (content_type, body["errcode"]) == (JSON, 87009)
    assert " rid: " in body["errmsg"]
    assert ", rid: " not in body["errmsg"]


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"signature": "0" * 64}, 87009),
        ({"signature": "\u5f20"}, 87009),
        ({"sig_method": "md5"}, 87008),
        ({"openid": "o" * 28}, 40003),
        ({"openid": ""}, 41009),
    ],
)
async def test_signatures_that_are_none(town: Town, change: dict[str, str], errcode: int) -> None:
    given = await signed(town, **change) | {"access_token": await token(town, PROGRAM)}
    _, body = await ask(town, "/wxa/checksession", params=given)
    assert body["errcode"] == errcode


async def test_another_app_has_no_say_in_it(town: Town) -> None:
    given = await signed(town) | {"access_token": await token(town, ACCOUNT)}
    _, body = await ask(town, "/wxa/resetusersessionkey", params=given)
    assert body["errcode"] == 40003


# --- Tokens --------------------------------------------------------------------------------------


async def stable(town: Town, **change: object) -> Any:
    given = {"grant_type": "client_credential", "appid": ACCOUNT, "secret": secret_of(ACCOUNT)}
    _, body = await ask(town, "/cgi-bin/stable_token", "POST", json=given | change)
    return body


async def test_a_stable_token_stays(town: Town) -> None:
    first = await stable(town)
    town.time += 100
    again = await stable(town)
    assert again == {"access_token": first["access_token"], "expires_in": 7100}
    forced = await stable(town, force_refresh=True)
    assert forced["access_token"] != first["access_token"]
    assert (await stable(town, force_refresh=True))["errcode"] == 45011


async def test_each_token_endpoint_has_its_method(town: Town) -> None:
    _, body = await ask(town, "/cgi-bin/stable_token")
    assert body["errcode"] == 43002
    _, body = await ask(town, "/cgi-bin/token", "POST")
    assert body["errcode"] == 43001


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"])
async def test_a_body_that_is_no_object(town: Town, data: bytes) -> None:
    _, body = await ask(town, "/cgi-bin/stable_token", "POST", data=data)
    assert body["errcode"] == 47001
    query = {"access_token": await token(town)}
    _, body = await ask(town, "/cgi-bin/user/info/batchget", "POST", params=query, data=data)
    assert body["errcode"] == 47001


@pytest.mark.parametrize(
    ("change", "errcode"),
    [({"grant_type": ""}, 40002), ({"secret": "wrong"}, 40125), ({"appid": "wxnone"}, 40013)],
)
async def test_tokens_that_are_not_given(town: Town, change: dict[str, str], errcode: int) -> None:
    assert (await stable(town, **change))["errcode"] == errcode


async def test_tokens_of_people_and_of_apps_are_not_confused(town: Town) -> None:
    granted, api_token = await town.granted("alice"), await token(town)
    given = {"access_token": granted["access_token"], "openid": granted["openid"]}
    _, body = await ask(town, "/cgi-bin/user/info", params=given)
    assert body["errcode"] == 40001
    for path in ("/sns/userinfo", "/sns/auth"):
        _, body = await ask(town, path, params={**given, "access_token": api_token})
        assert body["errcode"] == 40001


async def test_a_token_dies_with_the_apps_freedom(town: Town) -> None:
    query = {"access_token": await token(town)}
    town.freeze(ACCOUNT)
    _, body = await ask(town, "/cgi-bin/user/get", params=query)
    assert body["errcode"] == 50002


# --- Followers -----------------------------------------------------------------------------------


async def test_a_batch_has_a_bound(town: Town) -> None:
    query = {"access_token": await token(town)}
    openid = town.openid(ACCOUNT, "alice")
    for count, expected in ((100, "user_info_list"), (101, "errcode")):
        given = {"user_list": [{"openid": openid, "lang": "zh_CN"}] * count}
        _, body = await ask(town, "/cgi-bin/user/info/batchget", "POST", params=query, json=given)
        assert expected in body


async def test_an_openid_of_another_app_is_none_here(town: Town) -> None:
    given = {"access_token": await token(town), "openid": town.openid(WEBSITE, "alice")}
    assert (await ask(town, "/cgi-bin/user/info", params=given))[1]["errcode"] == 40003
