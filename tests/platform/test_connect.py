"""Browsers at the platform: consent, QR codes, and whoever tries to come between."""

import asyncio
import io
import re
from html import unescape
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import zxingcpp
from PIL import Image
from yarl import URL

from syncd.platform.connect import CONSENT_S, POLL_WAIT_S, Refusal
from syncd.platform.qrconnect import QR_CODES_PER_MINUTE_MAX, QR_LIFETIME_S
from syncd.platform.registry import SNAPSHOT
from tests.platform.town import ACCOUNT, BACK, WEBSITE, Browser, Town, running, until

STATE = "st4te"


def link(scope: str = "snsapi_base", **change: str) -> dict[str, str]:
    parameters = {
        "appid": ACCOUNT,
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": scope,
        "state": STATE,
    }
    return parameters | change


def field(page: str) -> str:
    """The hidden field of a page's form."""
    [value] = re.findall(r'name="subject" value="([^"]*)"', page)
    return unescape(value)


def answer(location: str) -> dict[str, str]:
    """What came back in a redirect to the app."""
    assert location.startswith(BACK + "?")
    return dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))


# --- Inside an official account ------------------------------------------------------------------


async def test_the_silent_scope_asks_nothing(town: Town, phone: Browser) -> None:
    response = await phone.open("/connect/oauth2/authorize", **link())
    assert response.status == 302
    came = answer(response.headers["Location"])
    assert came["state"] == STATE
    granted = await town.redeemed(ACCOUNT, came["code"])
    assert granted["openid"] == town.openid(ACCOUNT, "alice")


async def test_without_a_state_only_the_code_comes_back(phone: Browser) -> None:
    parameters = link()
    del parameters["state"]
    response = await phone.open("/connect/oauth2/authorize", **parameters)
    assert set(answer(response.headers["Location"])) == {"code"}


async def test_a_profile_is_shown_after_consent_only(town: Town, phone: Browser) -> None:
    page = await phone.open("/connect/oauth2/authorize", **link("snsapi_userinfo"))
    assert page.status == 200
    subject = field(await page.text())
    response = await phone.send("/connect/oauth2/answer", subject=subject, answer="allow")
    came = answer(response.headers["Location"])
    granted = await town.redeemed(ACCOUNT, came["code"])
    assert (granted["scope"], granted["unionid"]) == ("snsapi_userinfo", town.unionid("alice"))


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (Refusal.STATE_ONLY, {"state": STATE}),
        (Refusal.AUTHDENY, {"code": "authdeny", "state": STATE}),
    ],
)
async def test_a_refusal_goes_back_without_a_code(
    refusal: Refusal, expected: dict[str, str]
) -> None:
    async with running(Town(refusal)) as town, Browser(town) as browser:
        phone = await browser.of("alice")
        page = await phone.open("/connect/oauth2/authorize", **link("snsapi_userinfo"))
        subject = field(await page.text())
        response = await phone.send("/connect/oauth2/answer", subject=subject, answer="refuse")
        assert answer(response.headers["Location"]) == expected


async def test_consent_is_bound_to_the_browser_that_was_asked(town: Town, phone: Browser) -> None:
    page = await phone.open("/connect/oauth2/authorize", **link("snsapi_userinfo"))
    subject = field(await page.text())
    async with Browser(town) as other:
        for browser in (other, await other.of("bob")):
            response = await browser.send("/connect/oauth2/answer", subject=subject, answer="allow")
            assert response.status == 400


async def test_consent_is_asked_for_five_minutes(town: Town, phone: Browser) -> None:
    page = await phone.open("/connect/oauth2/authorize", **link("snsapi_userinfo"))
    town.time += CONSENT_S
    subject = field(await page.text())
    response = await phone.send("/connect/oauth2/answer", subject=subject, answer="allow")
    assert "Location" not in response.headers


async def test_an_app_that_is_frozen_meanwhile_gets_no_code(
    town: Town, pc: Browser, phone: Browser
) -> None:
    page = await phone.open("/connect/oauth2/authorize", **link("snsapi_userinfo"))
    _, uuid = await qr_page(pc)
    await decide(phone, await scanned(phone, uuid), "allow")
    town.freeze(ACCOUNT)
    town.freeze(WEBSITE)
    subject = field(await page.text())
    response = await phone.send("/connect/oauth2/answer", subject=subject, answer="allow")
    assert response.status == 400
    assert await poll(pc, uuid, last="404") == (402, "")
    assert (await phone.open("/connect/oauth2/authorize", **link())).status == 400


async def test_a_form_that_nobody_was_shown_is_no_consent(phone: Browser) -> None:
    for forged in ("", "x.y", "W10=."):
        response = await phone.send("/connect/oauth2/answer", subject=forged, answer="allow")
        assert response.status == 400


async def test_a_browser_outside_the_client_is_told_so(pc: Browser) -> None:
    response = await pc.open("/connect/oauth2/authorize", lang="en", **link())
    assert response.status == 200
    assert "Open this link in the client" in await response.text()


async def test_the_browser_of_a_person_who_ended_is_nobodys(town: Town, phone: Browser) -> None:
    town.end("alice")
    response = await phone.open("/connect/oauth2/authorize", **link())
    assert "Location" not in response.headers


async def test_a_forced_snapshot_shows_a_virtual_user(town: Town, phone: Browser) -> None:
    response = await phone.open("/connect/oauth2/authorize", **link(), forceSnapShot="true")
    granted = await town.redeemed(ACCOUNT, answer(response.headers["Location"])["code"])
    assert granted["is_snapshotuser"] == 1
    assert granted["openid"] == town.openid(ACCOUNT, SNAPSHOT)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "https://rp.example.evil/",
        "https://rp.example@evil/",
        "https://evil\\@rp.example/",
        "https://rp.example:8443/",
        "https://rp.example/#@evil/",
        "https%3A%2F%2Frp.example%2F",
        "https://rp.example%252eevil/",
        "javascript:alert(1)",
    ],
)
@pytest.mark.parametrize("path", ["oauth2/authorize", "qrconnect"])
async def test_nobody_is_sent_to_a_host_that_is_not_registered(
    phone: Browser, path: str, redirect_uri: str
) -> None:
    change = {"redirect_uri": redirect_uri}
    if path == "qrconnect":
        change |= {"appid": WEBSITE, "scope": "snsapi_login"}
    response = await phone.open(f"/connect/{path}", **link(**change))
    assert response.status == 400
    assert "Location" not in response.headers
    assert "10003" in await response.text()


async def test_parameters_in_another_order_are_refused(phone: Browser) -> None:
    parameters = dict(reversed(link().items()))
    response = await phone.open("/connect/oauth2/authorize", **parameters)
    assert response.status == 400


async def test_a_page_that_asks_can_neither_be_framed_nor_run_strange_script(
    phone: Browser,
) -> None:
    page = await phone.open("/connect/oauth2/authorize", **link("snsapi_userinfo"))
    policy = page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://rp.example;" in policy
    assert "unsafe" not in policy
    assert page.headers["Referrer-Policy"] == "no-referrer"


async def test_a_ticket_leaves_the_address_bar(town: Town, pc: Browser) -> None:
    ticket = town.oauth.invite("bob")
    response = await pc.open("/connect/browser", ticket=ticket)
    assert (response.status, response.headers["Location"]) == (302, "/connect/browser")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ticket not in cookie
    assert "Bob" in await (await pc.open("/connect/browser")).text()
    async with Browser(town) as other:
        assert "Set-Cookie" not in (await other.open("/connect/browser", ticket=ticket)).headers


# --- QR codes ------------------------------------------------------------------------------------


def qr_link(**change: str) -> dict[str, str]:
    return link("snsapi_login", appid=WEBSITE, **change)


async def qr_page(pc: Browser, **change: str) -> tuple[str, str]:
    """The page and the uuid on it."""
    page = await (await pc.open("/connect/qrconnect", **qr_link(**change))).text()
    [uuid] = re.findall(r'<img class="qrcode[^"]*" src="/connect/qrcode/(\w+)"', page)
    return page, uuid


async def poll(browser: Browser, uuid: str, **last: str) -> tuple[int, str]:
    response = await browser.open("/connect/l/qrconnect", uuid=uuid, _="1700000000000", **last)
    assert response.content_type == "text/javascript"
    match = re.fullmatch(
        r"window\.wx_errcode=(\d{3});window\.wx_code='(\w*)';", await response.text()
    )
    assert match
    return int(match[1]), match[2]


async def read_image(pc: Browser, uuid: str) -> URL:
    """The address in the QR image, as an independent reader sees it."""
    response = await pc.open(f"/connect/qrcode/{uuid}")
    assert response.content_type == "image/png"
    [code] = zxingcpp.read_barcodes(Image.open(io.BytesIO(await response.read())))
    assert code.format == zxingcpp.BarcodeFormat.QRCode
    return URL(code.text)


async def scanned(phone: Browser, uuid: str) -> str:
    """The page that a phone shows after scanning."""
    return await (await phone.open("/connect/confirm", uuid=uuid)).text()


async def decide(phone: Browser, page: str, decision: str) -> None:
    response = await phone.send("/connect/answer", subject=field(page), answer=decision)
    assert response.status == 200


async def test_a_scanned_and_confirmed_code_logs_the_browser_in(
    town: Town, pc: Browser, phone: Browser
) -> None:
    page, uuid = await qr_page(pc)
    address = await read_image(pc, uuid)
    assert address.origin() == town.url.origin()
    shown = await (await phone.open(address.path, **address.query)).text()
    assert f"App {WEBSITE}" in shown
    assert "127.0.0.1" in shown
    [number] = re.findall(r'<p class="matching">(\d{4})</p>', shown)
    assert f'<p class="matching">{number}</p>' in page
    assert await poll(pc, uuid) == (404, "")
    await decide(phone, shown, "allow")
    status, code = await poll(pc, uuid, last="404")
    assert status == 405
    granted = await town.redeemed(WEBSITE, code)
    assert granted["openid"] == town.openid(WEBSITE, "alice")
    assert granted["scope"] == "snsapi_login"
    assert granted["unionid"] == town.unionid("alice")
    assert await poll(pc, uuid, last="404") == (402, "")


async def test_a_poll_waits_for_news(town: Town, pc: Browser, phone: Browser) -> None:
    _, uuid = await qr_page(pc)
    waiting = await start_poll(town, pc, uuid)
    shown = await scanned(phone, uuid)
    assert await waiting == (404, "")
    waiting = await start_poll(town, pc, uuid, last="404")
    await decide(phone, shown, "allow")
    status, code = await waiting
    assert status == 405
    assert code


async def start_poll(
    town: Town, pc: Browser, uuid: str, **last: str
) -> asyncio.Task[tuple[int, str]]:
    waiting = asyncio.create_task(poll(pc, uuid, **last))
    await until(lambda: town.bell.waiting > 0 or waiting.done())
    return waiting


async def test_a_poll_ends_when_its_time_is_up(town: Town, pc: Browser) -> None:
    _, uuid = await qr_page(pc)
    waiting = await start_poll(town, pc, uuid)
    town.time += POLL_WAIT_S
    town.bell.ring()
    assert await waiting == (408, "")


async def test_a_poll_learns_that_the_code_expired(town: Town, pc: Browser) -> None:
    _, uuid = await qr_page(pc)
    waiting = await start_poll(town, pc, uuid)
    town.time += QR_LIFETIME_S
    town.bell.ring()
    assert await waiting == (402, "")
    assert (await pc.open(f"/connect/qrcode/{uuid}")).status == 404


async def test_polls_end_with_the_platform(town: Town, pc: Browser) -> None:
    _, uuid = await qr_page(pc)
    waiting = await start_poll(town, pc, uuid)
    await town.app.shutdown()
    assert await waiting == (408, "")


async def test_a_refusal_shows_and_leads_nowhere(pc: Browser, phone: Browser) -> None:
    _, uuid = await qr_page(pc)
    await decide(phone, await scanned(phone, uuid), "refuse")
    assert await poll(pc, uuid, last="404") == (403, "")
    await decide(phone, await scanned(phone, uuid), "allow")
    assert (await poll(pc, uuid, last="403"))[0] == 405


async def test_the_code_goes_to_the_browser_that_opened_the_page_only(
    town: Town, pc: Browser, phone: Browser
) -> None:
    _, uuid = await qr_page(pc)
    await decide(phone, await scanned(phone, uuid), "allow")
    async with Browser(town) as other:
        assert await poll(other, uuid, last="404") == (402, "")
        await qr_page(other)  # it is a browser with a cookie of its own now
        assert await poll(other, uuid, last="404") == (402, "")
    assert await poll(phone, uuid, last="404") == (402, "")
    assert (await poll(pc, uuid, last="404"))[0] == 405


async def test_a_second_scanner_is_refused(town: Town, pc: Browser, phone: Browser) -> None:
    _, uuid = await qr_page(pc)
    shown = await scanned(phone, uuid)
    async with Browser(town) as browser:
        mallory = await browser.of("bob")
        assert "<form" not in await scanned(mallory, uuid)
        # What alice's phone was shown is of no use on another.
        response = await mallory.send("/connect/answer", subject=field(shown), answer="allow")
        assert response.status == 400
    assert await poll(pc, uuid) == (404, "")
    await decide(phone, shown, "allow")
    assert (await poll(pc, uuid, last="404"))[0] == 405


async def test_confirming_takes_a_page_that_the_phone_was_shown(
    pc: Browser, phone: Browser
) -> None:
    _, uuid = await qr_page(pc)
    await scanned(phone, uuid)
    # Another site can make alice's browser send this; it cannot know what to send.
    response = await phone.send("/connect/answer", subject=uuid, answer="allow")
    assert response.status == 400
    assert await poll(pc, uuid) == (404, "")


async def test_a_phone_that_is_nobodys_scans_nothing(pc: Browser) -> None:
    _, uuid = await qr_page(pc)
    assert "<form" not in await scanned(pc, uuid)


async def test_the_page_may_be_framed_by_its_app_only(pc: Browser) -> None:
    response = await pc.open("/connect/qrconnect", **qr_link(), self_redirect="true")
    assert "frame-ancestors https://rp.example" in response.headers["Content-Security-Policy"]
    assert '"frame": true' in await response.text()


async def test_the_page_leaves_with_the_code_and_the_state(pc: Browser) -> None:
    page, _ = await qr_page(pc, redirect_uri=BACK + "?next=%2Finbox&code=theirs")
    [before] = re.findall(r'"before": "([^"]*)"', page)
    [after] = re.findall(r'"after": "([^"]*)"', page)
    assert parse_qs(urlsplit(f"{before}C0DE{after}").query) == {
        "next": ["/inbox"],
        "code": ["C0DE"],
        "state": [STATE],
    }


async def test_a_place_that_opens_too_many_is_told_so(town: Town, pc: Browser) -> None:
    for _ in range(QR_CODES_PER_MINUTE_MAX):
        pc.town.oauth.open_qr(WEBSITE, "browser", "127.0.0.1", pc.town.time)
    response = await pc.open("/connect/qrconnect", **qr_link())
    assert response.status == 400
    assert "10009" in await response.text()
