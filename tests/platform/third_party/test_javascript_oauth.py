"""JavaScript libraries that log people in, unmodified: what they say is what the platform said.

Both spell the real hosts out and have no option for others, so node/loopback.cjs, loaded before
them, leads every TLS connection to the platform.
"""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from yarl import URL

from tests.platform.third_party.conftest import Play
from tests.platform.third_party.loopback import BROWSER_HOST
from tests.platform.town import ACCOUNT, BACK, NICKNAME, WEBSITE, Browser, Town, secret_of


def client(appid: str) -> dict[str, str]:
    return {"appid": appid, "secret": secret_of(appid)}


async def came_back(browser: Browser, link: str) -> dict[str, str]:
    url = URL(link)
    assert url.host == BROWSER_HOST
    response = await browser.open(url.raw_path_qs)
    return dict(parse_qsl(urlsplit(response.headers["Location"]).query))


# --- co-wechat-oauth -----------------------------------------------------------------------------


async def test_co_wechat_oauths_links_are_followed(phone: Browser, play: Play) -> None:
    links = await play("co_wechat_oauth", **client(ACCOUNT), redirect=BACK)
    page = await phone.open(URL(links["login"]).raw_path_qs)
    assert "<form" in await page.text()
    links = await play("co_wechat_oauth", **client(WEBSITE), redirect=BACK)
    page = await phone.open(URL(links["qr"]).raw_path_qs)
    assert "/connect/qrcode/" in await page.text()


async def test_co_wechat_oauth_from_code_to_profile(town: Town, play: Play) -> None:
    code = town.code(ACCOUNT, "alice", "snsapi_userinfo")
    said = await play("co_wechat_oauth", **client(ACCOUNT), code=code)
    assert said["token"]["openid"] == town.openid(ACCOUNT, "alice")
    assert said["user"]["nickname"] == NICKNAME
    assert said["valid"] == {"errcode": 0, "errmsg": "ok"}
    assert said["refreshed"]["access_token"] == said["token"]["access_token"]
    assert said["replay"] == {"name": "WeChatAPIError", "code": 40163}


# --- passport-wechat -----------------------------------------------------------------------------


async def strategy(play: Play, query: dict[str, str], **change: str) -> Any:
    options = {**client(ACCOUNT), "callback": BACK, "scope": "snsapi_userinfo"} | change
    return await play("passport_wechat", **options, query=query)


async def test_passport_wechat_goes_and_comes_back(town: Town, phone: Browser, play: Play) -> None:
    asked = await strategy(play, {}, scope="snsapi_base")
    came = await came_back(phone, asked["location"])
    assert (await strategy(play, came))["user"] == {"openid": town.openid(ACCOUNT, "alice")}


async def test_passport_wechat_reads_a_profile(town: Town, play: Play) -> None:
    code = town.code(ACCOUNT, "alice", "snsapi_userinfo")
    user = (await strategy(play, {"code": code, "state": "st4te"}))["user"]
    assert (user["nickname"], user["unionid"]) == (NICKNAME, town.unionid("alice"))


@pytest.mark.parametrize("query", [{"state": "st4te"}, {"state": "st4te", "code": "authdeny"}])
async def test_passport_wechat_understands_both_refusals(query: dict[str, str], play: Play) -> None:
    assert await strategy(play, query) == {"refused": 401}


async def test_passport_wechat_hears_that_a_code_is_invalid(play: Play) -> None:
    said = await strategy(play, {"code": "none", "state": "st4te"})
    assert said == {"error": {"name": "WeChatAPIError", "code": 40029}}
