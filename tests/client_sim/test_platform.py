"""The platform of a play: one person, four apps, and codes that are redeemed once."""

import asyncio
import tomllib
from random import Random

import aiohttp

from client_sim.evidence import FreshCode
from client_sim.platform import Platform
from syncd.identity.upstream import Failure, Redeemed


def platform(seed: int = 1) -> Platform:
    return Platform(Random(seed), lambda: 1_000_000.0)


async def redeemed(asked: Platform, app: str, *, consent: bool = False) -> Redeemed:
    code = asked.code(FreshCode("alice", app, consent))
    answer = await asked.redeem(asked.apps[app], code)
    assert isinstance(answer, Redeemed)
    return answer


async def test_who_is_told_the_unionid() -> None:
    asked = platform()
    app, page, site, stranger = [
        await redeemed(asked, name) for name in ("app", "page", "site", "stranger")
    ]
    assert app.unionid is not None
    assert app.unionid == site.unionid
    assert (page.unionid, stranger.unionid) == (None, None)
    consented = await redeemed(asked, "page", consent=True)
    assert (consented.openid, consented.unionid) == (page.openid, app.unionid)
    assert len({app.openid, page.openid, site.openid, stranger.openid}) == 4
    assert app.session_key is not None


async def test_a_code_is_redeemed_once_and_by_its_app() -> None:
    asked = platform()
    code = asked.code(FreshCode("alice", "app"))
    assert await asked.redeem(asked.apps["page"], code) is Failure.INVALID
    answers = await asyncio.gather(*[asked.redeem(asked.apps["app"], code) for _ in range(3)])
    assert sorted(answer is Failure.USED for answer in answers) == [False, True, True]


def test_a_seed_has_one_platform() -> None:
    one, other = platform(), platform()
    fresh = FreshCode("alice", "app")
    assert (one.apps, one.code(fresh)) == (other.apps, other.code(fresh))


async def test_over_http_it_is_the_same() -> None:
    asked = platform()
    runner = await asked.listen()
    try:
        settings = tomllib.loads(asked.settings(runner))
        phone = settings["apps"]["app"]
        assert (phone["kind"], phone["platform"]) == ("mini-program", "open")
        query = {
            "appid": phone["appid"],
            "secret": phone["secret"],
            "js_code": asked.code(FreshCode("alice", "app")),
            "grant_type": "authorization_code",
        }
        url = settings["upstream"] + "/sns/jscode2session"
        async with aiohttp.ClientSession() as session, session.get(url, params=query) as response:
            answer = await response.json(content_type=None)
        assert answer["openid"] == (await redeemed(asked, "app")).openid
    finally:
        await runner.cleanup()
