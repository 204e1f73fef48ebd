"""What browsers see: links to log in, consent, QR codes, and the poll that ends with a code."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

import segno
from aiohttp import hdrs, web

from syncd.platform import pages
from syncd.platform.bell import Bell
from syncd.platform.browsers import sealed, unsealed
from syncd.platform.errcodes import Failed
from syncd.platform.links import ACCOUNT_DOOR, WEBSITE_DOOR, Asked, Door, Mistake
from syncd.platform.oauth import OAuth
from syncd.platform.qrconnect import NotYours, Status, TooMany
from syncd.platform.redirects import with_answer

POLL_WAIT_S = 25.0
"""How long a poll waits for news: less than the half minute after which proxies give up."""
CONSENT_S = 300.0
"""How long a consent page may be answered: as long as the code that it leads to lives."""

_BROWSER: Final = "platform_browser"
_NOBODY: Final = "'none'"


class Refusal(Enum):
    """What an official account is told when its consent page is refused: accounts differ."""

    STATE_ONLY = "state-only"
    AUTHDENY = "authdeny"
    """`code=authdeny`, as clients have seen it in reality."""


class Connect:
    """The pages of one platform.

    bell: rung by whoever scans, decides, or moves the clock somewhere else. now: Unix seconds.
    """

    def __init__(
        self, oauth: OAuth, bell: Bell, now: Callable[[], float], refusal: Refusal
    ) -> None:
        self._oauth = oauth
        self._bell = bell
        self._now = now
        self._refusal = refusal
        self._ending = False

    def join(self, app: web.Application) -> None:
        """Serve the pages as part of this application; when it shuts down, polls end at once."""
        app.add_routes(
            [
                web.get("/connect/oauth2/authorize", self.authorize),
                web.post("/connect/oauth2/answer", self.consent),
                web.get("/connect/qrconnect", self.qr_page),
                web.get("/connect/qrcode/{uuid}", self.qr_image),
                web.get("/connect/l/qrconnect", self.poll),
                web.get("/connect/confirm", self.scan),
                web.post("/connect/answer", self.decide),
                web.get("/connect/browser", self.browser),
            ]
        )
        app.on_shutdown.append(self._end)

    # --- Inside an official account ---------------------------------------------------------

    async def authorize(self, request: web.Request) -> web.Response:
        """A link inside the client: straight back with a code, or a page that asks first."""
        look, browser = _look(request), request.cookies.get(_BROWSER, "")
        asked = self._read(ACCOUNT_DOOR, request)
        if isinstance(asked, Mistake):
            return _unreachable(look, asked)
        person = self._oauth.person_of(browser)
        if person is None:
            return _page(look, pages.says(look, "nobody"))
        snapshot = request.query.get("forceSnapShot") == "true"
        if asked.scope == "snsapi_base":
            return self._leave_with_code(look, asked, person, snapshot)
        question = json.dumps([asdict(asked), snapshot, self._now()])
        page = pages.asks_consent(
            look, self._oauth.app_name(asked.appid), sealed(browser, question)
        )
        return _page(look, page, form_to=asked.redirect_uri)

    async def consent(self, request: web.Request) -> web.Response:
        """The answer to a consent page that this browser was shown."""
        look, browser = _look(request), request.cookies.get(_BROWSER, "")
        form = await request.post()
        question = unsealed(browser, str(form.get("subject", "")))
        person = self._oauth.person_of(browser)
        if question is None or person is None:
            return _unreachable(look, Mistake.PARAMETERS)
        link, snapshot, asked_at = json.loads(question)
        asked = Asked(**link)
        if self._now() >= asked_at + CONSENT_S:
            return _page(look, pages.says(look, "expired"))
        if form.get("answer") == "allow":
            return self._leave_with_code(look, asked, person, snapshot)
        code = "authdeny" if self._refusal is Refusal.AUTHDENY else None
        return _leave(with_answer(asked.redirect_uri, code=code, state=asked.state))

    # --- On a PC ----------------------------------------------------------------------------

    async def qr_page(self, request: web.Request) -> web.Response:
        """A QR code for this browser, and a script that polls until it can leave with a code."""
        look = _look(request)
        asked = self._read(WEBSITE_DOOR, request)
        if isinstance(asked, Mistake):
            return _unreachable(look, asked)
        browser = request.cookies.get(_BROWSER) or self._oauth.stranger()
        try:
            opened = self._oauth.open_qr(asked.appid, browser, request.remote or "", self._now())
        except TooMany:
            return _unreachable(look, Mistake.TOO_OFTEN)
        before = with_answer(asked.redirect_uri)
        said = {
            "before": before + ("&" if urlsplit(before).query else "?") + "code=",
            "after": "" if asked.state is None else f"&state={asked.state}",
            "frame": request.query.get("self_redirect") == "true",
        }
        app = self._oauth.app_name(asked.appid)
        page = pages.shows_qr(look, app, opened.uuid, opened.matching, said)
        response = _page(look, page, framed_by=asked.redirect_uri)
        _remember(response, request, browser)
        return response

    async def qr_image(self, request: web.Request) -> web.Response:
        """The QR code as a PNG image: the address that a phone opens."""
        uuid = request.match_info["uuid"]
        if not self._oauth.is_open_qr(uuid, self._now()):
            raise web.HTTPNotFound
        image = io.BytesIO()
        address = request.url.origin().with_path("/connect/confirm").with_query(uuid=uuid)
        segno.make_qr(str(address)).save(image, kind="png", scale=8)
        return web.Response(
            body=image.getvalue(),
            content_type="image/png",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )

    async def poll(self, request: web.Request) -> web.Response:
        """What became of the QR code, as a script; waits while nothing new did."""
        uuid, browser = request.query.get("uuid", ""), request.cookies.get(_BROWSER, "")
        until = self._now() + POLL_WAIT_S
        known = {str(Status.WAITING.value), request.query.get("last", "")}
        while True:
            now = self._now()
            status = self._oauth.qr_status(uuid, browser, now)
            if str(status.value) not in known or now >= until or self._ending:
                break
            if not await self._bell.wait(until - now):
                break
        code = None
        if status is Status.CONFIRMED:
            try:
                code = self._oauth.take_qr_code(uuid, browser, now)
            except Failed:
                status = Status.EXPIRED
        return web.Response(
            text=f"window.wx_errcode={status.value};window.wx_code='{code or ''}';",
            content_type="text/javascript",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )

    # --- On the phone that scanned it -------------------------------------------------------

    async def scan(self, request: web.Request) -> web.Response:
        """A phone opens what it read from a QR code: it is shown who asks, and asked back."""
        look, browser = _look(request), request.cookies.get(_BROWSER, "")
        person, uuid = self._oauth.person_of(browser), request.query.get("uuid", "")
        if person is None:
            return _page(look, pages.says(look, "nobody"))
        try:
            scanned = self._oauth.scan_qr(uuid, person, self._now())
        except NotYours:
            return _page(look, pages.says(look, "expired"))
        self._bell.ring()
        app = self._oauth.app_name(scanned.appid)
        question = sealed(browser, uuid)
        page = pages.asks_login(look, app, question, scanned.place, scanned.matching)
        return _page(look, page)

    async def decide(self, request: web.Request) -> web.Response:
        """The answer of a phone that was shown who asks."""
        look, browser = _look(request), request.cookies.get(_BROWSER, "")
        form = await request.post()
        uuid = unsealed(browser, str(form.get("subject", "")))
        person = self._oauth.person_of(browser)
        if uuid is None or person is None:
            return _unreachable(look, Mistake.PARAMETERS)
        agreed = form.get("answer") == "allow"
        try:
            self._oauth.decide_qr(uuid, person, agreed, self._now())
        except NotYours:
            return _page(look, pages.says(look, "expired"))
        self._bell.ring()
        return _page(look, pages.says(look, "confirmed" if agreed else "cancelled"))

    async def browser(self, request: web.Request) -> web.Response:
        """Whose browser this is. A ticket makes it somebody's; it then leaves the address bar."""
        look, ticket = _look(request), request.query.get("ticket")
        if ticket is None:
            person = self._oauth.person_of(request.cookies.get(_BROWSER, ""))
            if person is None:
                return _page(look, pages.says(look, "nobody"))
            return _page(look, pages.says(look, "welcome", self._oauth.nickname(person)))
        browser = self._oauth.enter(ticket)
        if browser is None:
            return _page(look, pages.says(look, "expired"))
        response = _leave("/connect/browser")
        _remember(response, request, browser)
        return response

    async def _end(self, app: web.Application) -> None:
        self._ending = True
        self._bell.ring()

    def _read(self, door: Door, request: web.Request) -> Asked | Mistake:
        return self._oauth.read(door, list(request.query.items()))

    def _leave_with_code(
        self, look: pages.Look, asked: Asked, person: str, snapshot: bool
    ) -> web.Response:
        try:
            code = self._oauth.code(asked, person, snapshot, self._now())
        except Failed:  # the app was frozen while the page was open
            return _unreachable(look, Mistake.FROZEN)
        return _leave(with_answer(asked.redirect_uri, code=code, state=asked.state))


def _look(request: web.Request) -> pages.Look:
    return pages.Look(pages.language(request.query.get("lang", "")), secrets.token_urlsafe(16))


def _page(
    look: pages.Look, text: str, *, form_to: str = "", framed_by: str = "", status: int = 200
) -> web.Response:
    # A browser holds the address that a form's answer redirects to against form-action as well.
    policy = (
        "default-src 'none'; img-src 'self'; base-uri 'none'; "
        f"style-src 'nonce-{look.nonce}'; script-src 'self' 'nonce-{look.nonce}'; "
        f"form-action 'self' {_origin(form_to)}; frame-ancestors {_origin(framed_by) or _NOBODY}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        hdrs.CACHE_CONTROL: "no-store",
    }
    return web.Response(text=text, content_type="text/html", headers=headers, status=status)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if url else ""


def _unreachable(look: pages.Look, mistake: Mistake) -> web.Response:
    return _page(look, pages.says(look, "unreachable", mistake.value), status=400)


def _leave(url: str) -> web.Response:
    headers = {hdrs.LOCATION: url, "Referrer-Policy": "no-referrer", hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=302, headers=headers)


def _remember(response: web.Response, request: web.Request, browser: str) -> None:
    response.set_cookie(
        _BROWSER,
        browser,
        path="/connect",
        httponly=True,
        secure=request.secure,
        samesite="Lax",
    )
