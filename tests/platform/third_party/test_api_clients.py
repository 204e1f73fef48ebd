"""Libraries that call the API for an app, unmodified: wechatpy in Python, co-wechat-api in
JavaScript.

co-wechat-api is pointed here by its own attributes. wechatpy spells the address of its token out,
so a proxy leads the real host to the platform: see loopback.py.
"""

import asyncio
import hmac
from typing import Any

import pytest
from wechatpy import WeChatClient
from wechatpy.crypto import WeChatWxaCrypto
from wechatpy.exceptions import WeChatClientException

from tests.platform.third_party.conftest import Play
from tests.platform.third_party.loopback import API_HOST, Loopback
from tests.platform.town import ACCOUNT, PROGRAM, Town, secret_of

DEAD = "x" * 86


@pytest.fixture
def followers(town: Town) -> list[str]:
    """alice and bob follow the official account: their openids, in order."""
    with town.world.db:
        for person in ("alice", "bob"):
            town.registry.follow(ACCOUNT, person, town.time)
    return sorted(town.openid(ACCOUNT, person) for person in ("alice", "bob"))


@pytest.fixture
def account(streets: Loopback) -> WeChatClient:
    return WeChatClient(ACCOUNT, secret_of(ACCOUNT))


@pytest.fixture
def program(streets: Loopback) -> WeChatClient:
    return WeChatClient(PROGRAM, secret_of(PROGRAM))


# --- wechatpy ------------------------------------------------------------------------------------


async def test_wechatpy_logs_a_person_in(town: Town, program: WeChatClient) -> None:
    code = town.world.login_code(PROGRAM, "alice", town.time)
    session = await asyncio.to_thread(program.wxa.code_to_session, code)
    assert session == {
        "openid": town.openid(PROGRAM, "alice"),
        "unionid": town.unionid("alice"),
        "session_key": session["session_key"],
    }
    with pytest.raises(WeChatClientException) as caught:
        await asyncio.to_thread(program.wxa.code_to_session, code)
    assert caught.value.errcode == 40163


async def test_wechatpy_reads_followers(
    town: Town, account: WeChatClient, followers: list[str]
) -> None:
    openid = town.openid(ACCOUNT, "alice")
    user = await asyncio.to_thread(account.user.get, openid)
    assert (user["subscribe"], user["openid"]) == (1, openid)
    assert (user["subscribe_time"], user["unionid"]) == (int(town.time), town.unionid("alice"))
    users = await asyncio.to_thread(account.user.get_batch, followers)
    assert [user["openid"] for user in users] == followers


@pytest.mark.parametrize("page", [1, 2, 10_000])
async def test_wechatpy_comes_to_the_end_of_the_followers(
    account: WeChatClient, followers: list[str], page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.platform.world.FOLLOWERS_PER_PAGE_MAX", page)
    assert await asyncio.to_thread(lambda: list(account.user.iter_followers())) == followers


async def test_wechatpy_comes_to_the_end_where_nobody_follows(account: WeChatClient) -> None:
    assert await asyncio.to_thread(lambda: list(account.user.iter_followers())) == []


async def test_wechatpy_replaces_a_token_that_died(
    town: Town, account: WeChatClient, followers: list[str]
) -> None:
    account.session.set(account.access_token_key, DEAD)
    assert (await asyncio.to_thread(account.user.get, followers[0]))["subscribe"] == 1
    first = account.session.get(account.access_token_key)
    assert first != DEAD
    # The client believes in it, the platform's clock does not.
    town.time += 7200
    assert (await asyncio.to_thread(account.user.get, followers[0]))["subscribe"] == 1
    assert account.session.get(account.access_token_key) != first


async def test_wechatpy_hears_of_a_wrong_secret(streets: Loopback) -> None:
    client = WeChatClient(ACCOUNT, "wrong")
    with pytest.raises(WeChatClientException) as caught:
        await asyncio.to_thread(client.fetch_access_token)
    assert caught.value.errcode == 40125


async def test_wechatpy_checks_and_resets_a_session(town: Town, program: WeChatClient) -> None:
    code = town.world.login_code(PROGRAM, "alice", town.time)
    session = await asyncio.to_thread(program.wxa.code_to_session, code)

    async def signed(path: str, key: str) -> Any:
        signature = hmac.digest(key.encode(), b"", "sha256").hex()
        given = {"openid": session["openid"], "signature": signature}
        url = f"https://{API_HOST}/wxa/{path}"
        return await asyncio.to_thread(
            program.get, url, params={**given, "sig_method": "hmac_sha256"}
        )

    assert (await signed("checksession", session["session_key"]))["errmsg"] == "ok"
    reset = await signed("resetusersessionkey", session["session_key"])
    assert (await signed("checksession", reset["session_key"]))["errcode"] == 0
    with pytest.raises(WeChatClientException) as caught:
        await signed("checksession", session["session_key"])
    assert caught.value.errcode == 87009


async def test_wechatpy_decrypts_what_a_person_agreed_to_show(
    town: Town, program: WeChatClient
) -> None:
    code = town.world.login_code(PROGRAM, "alice", town.time)
    session = await asyncio.to_thread(program.wxa.code_to_session, code)
    shown = town.world.user_info(PROGRAM, "alice", town.time)
    crypto = WeChatWxaCrypto(session["session_key"], shown.iv, PROGRAM)
    plain = crypto.decrypt_message(shown.encrypted_data)
    assert (plain["openId"], plain["unionId"]) == (session["openid"], session["unionid"])


# --- co-wechat-api -------------------------------------------------------------------------------


async def test_co_wechat_api(
    town: Town, streets: Loopback, followers: list[str], play: Play
) -> None:
    said = await play(
        "co_wechat_api",
        url=streets.url,
        appid=ACCOUNT,
        secret=secret_of(ACCOUNT),
        mini={"appid": PROGRAM, "secret": secret_of(PROGRAM)},
        dead=DEAD,
        openids=followers,
        code=town.world.login_code(PROGRAM, "alice", town.time),
    )
    assert said["user"]["openid"] == followers[0]
    assert [user["openid"] for user in said["users"]] == followers
    assert said["again"]["openid"] == followers[0]
    assert said["after"] not in (DEAD, said["before"])
    assert said["followers"] == followers
    assert said["session"]["openid"] == town.openid(PROGRAM, "alice")
    assert said["session"]["unionid"] == town.unionid("alice")
    assert said["replay"]["name"] == "WeChatAPIError"
    assert said["replay"]["code"] == 40163
