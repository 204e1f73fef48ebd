"""The page in a real browser: a phone lets it in, and it is an inbox from then on."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from syncd import errors, limits
from syncd.model import AccountId, Kind, direct
from tests.client_sim.chart.browser import Tab, browser, needs_chromium
from tests.server.conftest import Running
from tests.server.conftest import start as start
from tests.server.pairings import Asker
from tests.server.peers import Town, found_town

EVIL = "<img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>'&\u202e"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


@dataclass
class Screen:
    """The page as a person sees it, beside a running service."""

    tab: Tab
    town: Town

    async def say(self, expression: str) -> Any:
        return await asyncio.to_thread(self.tab.say, expression)

    async def visit(self) -> None:
        await asyncio.to_thread(self.tab.visit, f"{self.town.running.url}/pair")

    async def until(self, condition: str) -> None:
        """Until the page says that it is so."""
        again = "await new Promise(done => setTimeout(done, 20))"
        async with asyncio.timeout(20):
            await self.say(f"(async () => {{ while (!({condition})) {again}; }})()")

    async def text(self, selector: str) -> str:
        return str(await self.say(f"document.querySelector({selector!r}).textContent"))

    async def texts(self, selector: str) -> list[str]:
        shown = await self.say(
            f"[...document.querySelectorAll({selector!r})].map(e => e.textContent)"
        )
        return list(shown)

    async def kept(self) -> dict[str, Any]:
        stored: dict[str, Any] = json.loads(await self.say("localStorage.getItem('syncd /pair')"))
        return stored

    async def write(self, form: str, text: str) -> None:
        await self.say(
            f"document.querySelector('#{form} input').value = {json.dumps(text)};"
            f"document.querySelector('#{form}').requestSubmit()"
        )

    async def open_ben(self) -> None:
        """Look at the conversation with Ben."""
        button = "document.querySelector('[data-conversation=\"anne~ben\"]')"
        await self.until(button)
        await self.say(f"{button}.click()")
        await self.until("document.querySelector('#title').textContent == 'ben'")

    async def log_in(self) -> Asker:
        """As if the page had been let in before; somebody signed in to the account."""
        made = await self.town.running.service.create_device("anne", name="page", platform="web")
        kept = json.dumps({"account": "anne", "device": made.device, "token": made.token})
        await self.say(f"localStorage.setItem('syncd /pair', {json.dumps(kept)})")
        await self.visit()
        await self.until("document.querySelector('#who').textContent == 'anne'")
        return Asker(self.town.running, self.town.tokens["phone"])

    async def let_in(self) -> Asker:
        """Anne's phone scans what is shown, compares, and says yes."""
        anne = Asker(self.town.running, self.town.tokens["phone"])
        await self.until("!document.querySelector('#pairing').hidden")
        begun = {"user_code": await self.text("#user-code")}
        status, scanned = await anne.scan(begun)
        assert status == 200, scanned
        assert scanned["matching_code"] == await self.text("#matching-code")
        assert scanned["platform"] == "web"
        assert (await anne.confirm(begun))[0] == 200
        await self.until("!document.querySelector('#inbox').hidden")
        await self.until("document.querySelector('#who').textContent == 'anne'")
        return anne


@pytest.fixture
async def screen(
    tab: Tab, start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Screen]:
    monkeypatch.setattr(limits, "PAIRING_INTERVAL_S", 1)
    town = await found_town(start, monkeypatch, store="memory:")
    tab.complaints.clear()
    shown = Screen(tab, town)
    await shown.visit()
    yield shown
    await asyncio.to_thread(tab.visit, "about:blank")
    await town.close()


@needs_chromium
async def test_a_phone_lets_the_page_in_and_it_becomes_an_inbox(screen: Screen) -> None:
    town = screen.town
    await screen.until("document.querySelector('#qr').naturalWidth > 0")
    [seen] = zxingcpp.read_barcodes(Image.open(BytesIO(screen.tab.photograph())))
    assert seen.text == f"{town.running.url}/pair#{await screen.text('#user-code')}"
    await screen.let_in()
    phone = await town.live("phone")
    await town.running.service.publish("anne", b"hello PC", sender="ben")
    await screen.open_ben()
    assert await screen.texts("#messages li") == ["benhello PC"]
    # What is looked at is read, on all devices.
    await screen.until("!document.querySelector('.count')")
    assert await town.running.service.unread("anne") == {}

    await screen.write("write", "hello from the page \u4f60\u597d")
    await screen.until("document.querySelectorAll('#messages li').length == 2")
    heard = [entry for batch in await phone.catch_up(4, ack=False) for entry in batch.entries]
    assert [each.kind for each in heard] == [Kind.SYSTEM, Kind.MESSAGE, Kind.READ, Kind.MESSAGE]
    assert heard[-1].body == "hello from the page \u4f60\u597d".encode()
    assert heard[-1].conversation == direct(AccountId("anne"), AccountId("ben"))
    assert screen.tab.complaints == []


@needs_chromium
async def test_a_reload_keeps_the_device_and_shows_everything_again(screen: Screen) -> None:
    town = screen.town
    await screen.log_in()
    before = await screen.kept()
    await town.running.service.publish("anne", b"before", sender="ben")
    await screen.open_ben()
    await screen.visit()
    await screen.open_ben()
    assert await screen.kept() == before
    await town.running.service.publish("anne", b"after", sender="ben")
    await screen.until("document.querySelectorAll('#messages li').length == 2")
    assert await screen.texts("#messages li") == ["benbefore", "benafter"]
    assert len(await town.running.service.devices("anne")) == 3
    assert screen.tab.complaints == []


@needs_chromium
async def test_what_strangers_write_is_text(screen: Screen) -> None:
    town = screen.town
    await screen.log_in()
    await town.running.service.create_device("anne", name="safe", platform="pc")
    await town.running.service.publish("anne", EVIL.encode(), sender="ben")
    await town.running.service.publish("anne", b"\xff\xfe broken", sender="ben")
    await screen.open_ben()
    await screen.until("document.querySelectorAll('#messages li').length == 2")
    assert (await screen.texts("#messages li"))[0] == "ben" + EVIL
    assert (
        await screen.say("document.querySelectorAll('#messages img, #messages script').length") == 0
    )
    assert await screen.say("document.title") == "syncd"
    assert screen.tab.complaints == []


@needs_chromium
async def test_a_revoked_page_says_so_and_forgets_its_device(screen: Screen) -> None:
    anne = await screen.log_in()
    device = (await screen.kept())["device"]
    assert (await anne.ask("DELETE", f"/v1/self/devices/{device}"))[0] == 200
    await screen.until("!document.querySelector('#notice').hidden")
    assert await screen.text("#notice-text") == "This device was revoked."
    assert await screen.kept() == {}


@needs_chromium
async def test_logging_out_and_in_again_is_the_same_device(screen: Screen) -> None:
    await screen.let_in()
    before = await screen.kept()
    await screen.say("document.querySelector('#log-out').click()")
    await screen.until(
        "document.querySelector('#notice-text').textContent == 'You are signed out.'"
    )
    assert set(await screen.kept()) == {"device", "secret"}
    status, _ = await Asker(screen.town.running, before["token"]).ask("GET", "/v1/self/devices")
    assert status == 401
    await screen.say("document.querySelector('#again').click()")
    await screen.let_in()
    after = await screen.kept()
    assert (after["device"], after["secret"]) == (before["device"], before["secret"])
    assert after["token"] != before["token"]


@needs_chromium
async def test_a_line_that_is_cut_is_taken_up_where_it_was(screen: Screen) -> None:
    town = screen.town
    await screen.log_in()
    await town.running.service.publish("anne", b"one", sender="ben")
    await screen.open_ben()
    for body in (b"two", b"three"):
        town.backstage.live.abort()
        await town.running.service.publish("anne", body, sender="ben")
    await screen.until("document.querySelectorAll('#messages li').length == 3")
    await screen.until("document.querySelector('#state').textContent == ''")
    await screen.write("write", "four")
    await screen.until("document.querySelectorAll('#messages li').length == 4")
    assert await screen.texts("#messages li") == ["benone", "bentwo", "benthree", "four"]


@needs_chromium
async def test_two_windows_do_not_fight(screen: Screen) -> None:
    """The same browser is the same device: the newer window goes on, the older one says so."""
    await screen.log_in()
    other = await screen.town.socket()
    await other.greet((await screen.kept())["token"], number=9)
    await screen.until("!document.querySelector('#notice').hidden")
    assert await screen.text("#notice-text") == "This inbox is open in another window."
    await screen.say("document.querySelector('#again').click()")
    await screen.until("!document.querySelector('#inbox').hidden")
    await screen.until("document.querySelector('#state').textContent == ''")
    async with asyncio.timeout(10):
        await other.socket.wait_closed()
    assert other.socket.close_code == errors.FENCED.code


@needs_chromium
async def test_the_address_in_the_picture_says_what_to_do(screen: Screen) -> None:
    await asyncio.to_thread(screen.tab.visit, "about:blank")
    await asyncio.to_thread(screen.tab.visit, f"{screen.town.running.url}/pair#BCDF-GHJK")
    await screen.until("!document.querySelector('#notice').hidden")
    assert "confirm BCDF-GHJK in the app" in await screen.text("#notice-text")


@needs_chromium
async def test_a_no_is_told(screen: Screen) -> None:
    anne = Asker(screen.town.running, screen.town.tokens["phone"])
    await screen.until("!document.querySelector('#pairing').hidden")
    begun = {"user_code": await screen.text("#user-code")}
    await anne.scan(begun)
    await anne.decline(begun)
    await screen.until("!document.querySelector('#notice').hidden")
    assert await screen.text("#notice-text") == "It was declined on the other device."


@needs_chromium
async def test_a_foreign_page_opens_no_socket(screen: Screen) -> None:
    """Cross-site WebSocket hijacking: the browser says where the page is from."""
    address = screen.town.running.url.replace("http", "ws", 1) + "/v1/sync"
    opened = (
        "new Promise(done => {"
        f" const socket = new WebSocket('{address}', ['syncd.v1.json']);"
        " socket.onopen = () => done('open'); socket.onerror = () => done('refused'); })"
    )
    assert await screen.say(opened) == "open"
    await asyncio.to_thread(screen.tab.visit, "about:blank")
    assert await screen.say(opened) == "refused"
