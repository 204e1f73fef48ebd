"""Python libraries that log people in, unmodified.

wechatpy's OAuth client is pointed here by its class attributes. social-auth-core and authlib spell
the real hosts out or are given them, so a proxy leads those to the platform: see loopback.py.
"""

import asyncio
import warnings
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from wechatpy.exceptions import WeChatOAuthException
from wechatpy.oauth import WeChatOAuth
from yarl import URL

from tests.platform.third_party.loopback import API_HOST, BROWSER_HOST, Loopback
from tests.platform.town import ACCOUNT, BACK, NICKNAME, WEBSITE, Browser, Town, secret_of

with warnings.catch_warnings():
    # A library below it asks for an XML parser of long ago first.
    warnings.simplefilter("ignore", DeprecationWarning)
    from social_core.backends.weixin import WeixinOAuth2, WeixinOAuth2APP
    from social_core.exceptions import AuthProviderError
    from social_core.storage import BaseStorage, NonceMixin
    from social_core.strategy import BaseStrategy

API = f"https://{API_HOST}/sns"


async def followed(browser: Browser, link: str) -> dict[str, str]:
    """What a link of a library leads to: the parameters that come back to the app."""
    url = URL(link)
    assert url.host == BROWSER_HOST
    response = await browser.open(url.raw_path_qs)
    location = response.headers["Location"]
    assert location.startswith(BACK)
    return dict(parse_qsl(urlsplit(location).query))


# --- wechatpy ------------------------------------------------------------------------------------


def wechatpy_oauth(streets: Loopback, appid: str, scope: str) -> WeChatOAuth:
    pointed = type("Pointed", (WeChatOAuth,), {"API_BASE_URL": f"{streets.url}/"})
    return pointed(appid, secret_of(appid), BACK, scope, "st4te")


async def test_wechatpy_from_link_to_profile(town: Town, streets: Loopback, phone: Browser) -> None:
    oauth = wechatpy_oauth(streets, ACCOUNT, "snsapi_base")
    came = await followed(phone, oauth.authorize_url)
    assert came["state"] == "st4te"
    granted = await asyncio.to_thread(oauth.fetch_access_token, came["code"])
    assert granted["openid"] == oauth.open_id == town.openid(ACCOUNT, "alice")
    with pytest.raises(WeChatOAuthException) as caught:
        await asyncio.to_thread(oauth.get_user_info)
    assert caught.value.errcode == 48001


async def test_wechatpy_reads_a_profile_checks_and_refreshes(town: Town, streets: Loopback) -> None:
    oauth = wechatpy_oauth(streets, ACCOUNT, "snsapi_userinfo")
    code = town.code(ACCOUNT, "alice", "snsapi_userinfo")
    granted = await asyncio.to_thread(oauth.fetch_access_token, code)
    with pytest.raises(WeChatOAuthException) as caught:
        await asyncio.to_thread(oauth.fetch_access_token, code)
    assert caught.value.errcode == 40163
    user = await asyncio.to_thread(oauth.get_user_info)
    assert (user["nickname"], user["unionid"]) == (NICKNAME, town.unionid("alice"))
    assert await asyncio.to_thread(oauth.check_access_token)
    town.time += 7200
    await asyncio.to_thread(oauth.refresh_access_token, granted["refresh_token"])
    assert oauth.access_token != granted["access_token"]
    assert await asyncio.to_thread(oauth.check_access_token)


async def test_wechatpys_qr_link_shows_a_page(streets: Loopback, pc: Browser) -> None:
    url = URL(wechatpy_oauth(streets, WEBSITE, "snsapi_login").qrconnect_url)
    response = await pc.open(url.raw_path_qs)
    assert "/connect/qrcode/" in await response.text()


# --- social-auth-core ----------------------------------------------------------------------------


class Nonces(NonceMixin):
    """States that were handed out and have not come back."""

    handed_out: ClassVar[set[tuple[str, int, str]]] = set()

    @classmethod
    def use(cls, server_url: str, timestamp: int, salt: str) -> bool:
        cls.handed_out.add((server_url, timestamp, salt))
        return True

    @classmethod
    def consume(cls, server_url: str, timestamp: int, salt: str) -> bool:
        known = (server_url, timestamp, salt) in cls.handed_out
        cls.handed_out.discard((server_url, timestamp, salt))
        return known


class Shelf(BaseStorage):
    nonce = Nonces


class Site(BaseStrategy):
    """What a site that embeds the library says of itself: settings, a session, and who came."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(Shelf)
        self._settings = settings
        self.session: dict[str, Any] = {}
        self.came: dict[str, str] = {}

    def get_setting(self, name: str) -> Any:
        return self._settings[name]

    def request_data(self, merge: bool = True) -> dict[str, str]:
        return self.came

    def session_get(self, name: str, default: Any = None) -> Any:
        return self.session.get(name, default)

    def session_set(self, name: str, value: Any) -> None:
        self.session[name] = value

    def session_pop(self, name: str) -> Any:
        return self.session.pop(name, None)

    def build_absolute_uri(self, path: str | None = None) -> str:
        return BACK

    def authenticate(self, backend: Any, *args: Any, **kwargs: Any) -> Any:
        return kwargs["response"]


def site(appid: str, scope: str) -> Site:
    names = ("SOCIAL_AUTH_WEIXIN", "SOCIAL_AUTH_WEIXINAPP")
    return Site(
        {f"{name}_KEY": appid for name in names}
        | {f"{name}_SECRET": secret_of(appid) for name in names}
        | {f"{name}_SCOPE": [scope] for name in names}
        | {f"{name}_IGNORE_DEFAULT_SCOPE": True for name in names}
    )


async def test_social_auth_core_in_an_account(streets: Loopback, phone: Browser) -> None:
    strategy = site(ACCOUNT, "snsapi_base")
    backend = WeixinOAuth2APP(strategy, BACK)
    strategy.came = await followed(phone, backend.auth_url())
    backend.data = strategy.came
    with pytest.raises(AuthProviderError) as caught:
        await asyncio.to_thread(backend.auth_complete)
    assert caught.value.provider_code == 48001


async def test_social_auth_core_on_a_website(
    town: Town, streets: Loopback, pc: Browser, phone: Browser
) -> None:
    strategy = site(WEBSITE, "snsapi_login")
    backend = WeixinOAuth2(strategy, BACK)
    link = URL(backend.auth_url())
    assert link.host == BROWSER_HOST
    assert "/connect/qrcode/" in await (await pc.open(link.raw_path_qs)).text()
    code = town.code(WEBSITE, "alice", "snsapi_login")
    strategy.came = {"code": code, "state": link.query["state"]}
    backend.data = strategy.came
    user = await asyncio.to_thread(backend.auth_complete)
    assert backend.get_user_details(user) == {
        "username": NICKNAME,
        "profile_image_url": "https://img.example/0",
    }
    assert (user["openid"], user["unionid"]) == (
        town.openid(WEBSITE, "alice"),
        town.unionid("alice"),
    )


# --- authlib -------------------------------------------------------------------------------------


def authlib_session(**given: Any) -> OAuth2Session:
    return OAuth2Session(
        ACCOUNT, secret_of(ACCOUNT), token_endpoint_auth_method="client_secret_post", **given
    )


async def test_authlib_with_the_platforms_own_names(town: Town, streets: Loopback) -> None:
    session = authlib_session()
    granted = await asyncio.to_thread(
        session.fetch_token,
        f"{API}/oauth2/access_token",
        method="GET",
        code=town.code(ACCOUNT, "alice", "snsapi_userinfo"),
        grant_type="authorization_code",
        appid=ACCOUNT,
        secret=secret_of(ACCOUNT),
    )
    query = {"access_token": granted["access_token"], "openid": granted["openid"]}
    response = await asyncio.to_thread(
        session.get, f"{API}/userinfo", params=query, withhold_token=True
    )
    response.encoding = "utf-8"
    assert response.json()["nickname"] == NICKNAME
