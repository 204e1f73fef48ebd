"""The HTTP door to logins by QR: a new device begins and asks, a signed-in one scans and decides.

The picture holds the user code alone. Whoever photographs it can scan it first (and is told apart
by the two digits, and is seen by the second scanner), but fetches nothing: the device code is in
the answer to whoever began, and nowhere else.
"""

from __future__ import annotations

import asyncio
import io
import logging
import re
import time
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
import segno
from aiohttp import hdrs, web

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.identity.login import LoggedIn
from syncd.identity.pairing import Newcomer, Pairings, Taken
from syncd.identity.words import Declined
from syncd.persons import Vouch
from syncd.server.http import as_json
from syncd.server.intake import bearer, read_json, same_origin
from syncd.server.login_http import ShownDevice, answer, installation_of
from syncd.server.service import Service
from syncd.server.throttle import Throttle, network_of

log = logging.getLogger(__name__)

Granted = TypeVar("Granted")

_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")
_FORWARDED = (hdrs.FORWARDED, hdrs.X_FORWARDED_FOR, hdrs.VIA)
_TEXTS = {
    errors.NOT_FOUND: "No device shows this code now; one that was let in can be revoked.",
    errors.BAD_REQUEST: "Scan the code first.",
}


class Beginning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/pairing."""

    name: str
    platform: str
    device: ShownDevice | None = None


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/pairing/token."""

    device_code: str


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/pairing/scan, confirm and decline."""

    user_code: str


class PairingDoor:
    """The answers to all requests about pairings. `clock` gives monotonic seconds."""

    def __init__(
        self,
        service: Service,
        pairings: Pairings,
        throttle: Throttle,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service: Final = service
        self._pairings: Final = pairings
        self._throttle: Final = throttle
        self._clock: Final = clock

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to an application."""
        return [
            web.post("/v1/pairing", self.begin),
            web.post("/v1/pairing/token", self.token),
            web.post("/v1/pairing/scan", self.scan),
            web.post("/v1/pairing/confirm", self.confirm),
            web.post("/v1/pairing/decline", self.decline),
        ]

    async def begin(self, request: web.Request) -> web.Response:
        """What a new device shows, by the names of RFC 8628, section 3.2."""
        address = _page_address(request)
        wanted = await read_json(request, Beginning)
        newcomer = Newcomer(
            installation_of(wanted.name, wanted.platform, wanted.device),
            self._throttle.address_of(request),
            _place(request),
        )
        begun = _granted(self._pairings.begin(newcomer, self._clock()))
        complete = f"{address}#{begun.user_code}"
        return as_json(
            {
                "device_code": begun.device_code,
                "user_code": begun.user_code,
                "matching_code": begun.matching_code,
                "place": newcomer.place,
                "verification_uri": address,
                "verification_uri_complete": complete,
                "qr": await asyncio.to_thread(_picture, complete),
                "expires_in": int(limits.PAIRING_LIFETIME_S),
                "interval": limits.PAIRING_INTERVAL_S,
            }
        )

    async def token(self, request: web.Request) -> web.Response:
        """The new device asks whether it may; once it may, this is its login."""
        question = await read_json(request, Question)
        taken = _granted(self._pairings.poll(question.device_code, self._clock()))
        return as_json(answer(await self._logged_in(taken)))

    async def scan(self, request: web.Request) -> web.Response:
        """What the person compares. Nothing else follows from it."""
        scanned = _granted(self._pairings.scan(*await self._decision(request)))
        newcomer = scanned.newcomer
        return as_json(
            {
                "name": newcomer.installation.name,
                "platform": newcomer.installation.platform,
                "place": _told(newcomer.place, _place(request)),
                "matching_code": scanned.matching_code,
            }
        )

    async def confirm(self, request: web.Request) -> web.Response:
        _refuse(self._pairings.confirm(*await self._decision(request)))
        return as_json({"confirmed": True})

    async def decline(self, request: web.Request) -> web.Response:
        _refuse(self._pairings.decline(*await self._decision(request)))
        return as_json({"declined": True})

    async def _decision(self, request: web.Request) -> tuple[str, Vouch, str, float]:
        """About which code, by whom, from where, and when. Raises Declined."""
        admission = await self._service.device(bearer(request))
        assert admission.credential is not None
        vouch = Vouch(admission.account, admission.device, admission.credential)
        decision = await read_json(request, Decision)
        return decision.user_code, vouch, self._throttle.address_of(request), self._clock()

    async def _logged_in(self, taken: Taken) -> LoggedIn:
        """The login of a device that was let in, unless who let it in is signed in no more."""
        by = taken.vouch
        try:
            with self._service.weathering():
                done = await self._service.login.vouched(by, taken.newcomer.installation)
        except Declined as declined:
            if declined.refusal is errors.UNAUTHORIZED:
                raise Declined(
                    errors.ACCESS_DENIED, "The device that said yes is signed in no more."
                ) from None
            raise
        facts = {"account": done.account, "device": done.device, "by": by.device}
        log.info("= a device was let in by another", extra={"facts": facts})
        return done


def _granted(outcome: Granted | Refusal) -> Granted:
    if isinstance(outcome, Refusal):
        raise Declined(outcome, _TEXTS.get(outcome))
    return outcome


def _refuse(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Declined(refusal, _TEXTS.get(refusal))


def _page_address(request: web.Request) -> str:
    """Where the page /pair of this service is, as who asks reaches us. Raises Declined.

    A page says itself how it was reached (behind a proxy that speaks TLS for us only it knows).
    """
    if _HOST.fullmatch(request.host) is None:
        raise Declined(errors.BAD_REQUEST, "The Host header names no host.")
    seen = f"{request.scheme}://{request.host}"
    origin = request.headers[hdrs.ORIGIN] if same_origin(request) else seen
    return origin + request.path.removesuffix("/v1/pairing") + "/pair"


def _picture(text: str) -> str:
    drawn = io.BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(drawn, kind="svg", scale=4, xmldecl=False, light="#fff", nl=False)
    return drawn.getvalue().decode("utf-8")


def _forwarded(request: web.Request) -> bool:
    """Whether somebody between says so: then the address that we see is not the asker's, and the
    one that is told to us may be anything."""
    return any(name in request.headers for name in _FORWARDED)


def _place(request: web.Request) -> str:
    return "" if _forwarded(request) else request.remote or ""


def _told(place: str, here: str) -> str:
    """The place of a new device, for a person who is `here`."""
    if not place:
        return "unknown: it came through a proxy"
    near = network_of(place) == network_of(here)
    return f"{place}, the same network as this device" if near else place
