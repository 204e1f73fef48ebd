"""The platform's pages in a real browser: its script polls and leaves, its policy lets it."""

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.client_sim.chart.browser import Tab, browser, needs_chromium
from tests.platform.test_connect import decide, link, scanned
from tests.platform.town import ACCOUNT, WEBSITE, Browser, Town, until

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


class Screen:
    """The page that the browser shows."""

    def __init__(self, tab: Tab, town: Town) -> None:
        self._tab = tab
        self._town = town
        with town.world.db:
            for appid in (ACCOUNT, WEBSITE):
                town.registry.register(appid, town.url.authority)

    async def visit(self, path: str, **query: str) -> None:
        url = self._town.url.with_path(path).with_query(query)
        await asyncio.to_thread(self._tab.visit, str(url))

    async def say(self, expression: str) -> Any:
        return await asyncio.to_thread(self._tab.say, expression)

    async def shown(self, condition: str) -> None:
        """Until the page says that it is so."""
        again = "await new Promise(done => setTimeout(done, 20))"
        async with asyncio.timeout(20):
            await self.say(f"(async () => {{ while (!({condition})) {again}; }})()")

    async def left_for(self, place: str) -> dict[str, list[str]]:
        """What the address says once the browser has come to that place."""
        async with asyncio.timeout(20):
            while urlsplit(href := await self.say("location.href")).path != place:
                await self.shown("document.readyState == 'complete'")
        return parse_qs(urlsplit(str(href)).query)


@pytest.fixture
def screen(tab: Tab, town: Town) -> Screen:
    return Screen(tab, town)


async def test_a_pc_is_logged_in_by_a_phone(screen: Screen, town: Town, phone: Browser) -> None:
    back = str(town.url.with_path("/back").with_query(next="a b"))
    change = {"appid": WEBSITE, "redirect_uri": back, "lang": "en"}
    await screen.visit("/connect/qrconnect", **link("snsapi_login", **change))
    await screen.shown("document.querySelector('img').naturalWidth > 0")
    source = await screen.say("document.querySelector('img').src")
    uuid = str(source).rpartition("/")[2]
    await until(lambda: town.bell.waiting > 0)
    page = await scanned(phone, uuid)
    await screen.shown("document.querySelector('.status').textContent.startsWith('Scanned')")
    await decide(phone, page, "refuse")
    await screen.shown("document.querySelector('.status').textContent.startsWith('You refused')")
    await decide(phone, await scanned(phone, uuid), "allow")
    came = await screen.left_for("/back")
    assert (came["next"], came["state"]) == (["a b"], ["st4te"])
    assert "openid" in await town.redeemed(WEBSITE, came["code"][0])


async def test_a_person_consents_in_a_browser_of_his_own(screen: Screen, town: Town) -> None:
    await screen.visit("/connect/browser", ticket=town.oauth.invite("alice"))
    assert await screen.say("location.search") == ""
    back = str(town.url.with_path("/back"))
    for answer, fields in (("refuse", {"state"}), ("allow", {"code", "state"})):
        await screen.visit(
            "/connect/oauth2/authorize", **link("snsapi_userinfo", redirect_uri=back)
        )
        await screen.say(f"document.querySelector('button[value={answer}]').click()")
        came = await screen.left_for("/back")
        assert set(came) == fields
    granted = await town.redeemed(ACCOUNT, came["code"][0])
    assert granted["scope"] == "snsapi_userinfo"
