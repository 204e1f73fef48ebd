"""The HTTP door to login: proof in, a session out.

Nobody says here who he is: an account, an openid or a unionid has no field in any request, and a
field that is not known is refused.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import ceil
from typing import Any, Final

import msgspec
from aiohttp import web

from syncd import errors
from syncd.allowance import Allowances
from syncd.identity.codes import Code
from syncd.identity.issuers import Assertion
from syncd.identity.login import Evidence, Installation, LoggedIn, installation
from syncd.identity.user_info import UserInfo
from syncd.identity.words import Declined
from syncd.limits import LOGINS_PER_DEVICE_PER_MINUTE, LOGINS_REFUSED_PER_MINUTE
from syncd.persons import Shown
from syncd.server.http import as_json
from syncd.server.intake import bearer, read_json
from syncd.server.service import Service

_GUESSES = (errors.INVALID_CODE, errors.CODE_USED, errors.BAD_PROOF, errors.PROOF_NEEDED)
"""What somebody is told who tries what is not his."""


class ShownDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A device that was made before, and its secret."""

    id: str
    secret: str


class EvidenceGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either a code and the app that got it, or a signed token."""

    app: str | None = None
    code: str | None = None
    jwt: str | None = None


class NewLogin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/login."""

    name: str
    platform: str
    app: str | None = None
    code: str | None = None
    jwt: str | None = None
    device: ShownDevice | None = None


class UnionGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/login/unionid: what wx.getUserInfo gave the client."""

    encrypted_data: str
    iv: str
    raw_data: str | None = None
    signature: str | None = None


class LoginLimits:
    """How often proofs may be tried, beside what the throttle lets through at all.

    What an address may still try says nothing about a person: nobody can lock out somebody else,
    except from behind the same address. A device is counted by its secret, not by its id, which
    others may know.

    address_of: see Throttle.
    """

    def __init__(
        self,
        address_of: Callable[[web.Request], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address_of = address_of
        self._clock = clock
        refused, logins = LOGINS_REFUSED_PER_MINUTE, LOGINS_PER_DEVICE_PER_MINUTE
        # In debt by one at most: only so a bucket into which tokens flow is ever empty.
        self._refused: Allowances[str] = Allowances(refused / 60, refused, 60 / refused)
        self._devices: Allowances[Shown] = Allowances(logins / 60, logins)

    @asynccontextmanager
    async def attempt(
        self, request: web.Request, shown: Shown | None = None
    ) -> AsyncIterator[None]:
        """Around one proof; raises Declined, TOO_MANY_REQUESTS, before it is tried."""
        address = self._address_of(request)
        if address and self._refused.exhausted(address, self._clock()):
            raise _later(60 / LOGINS_REFUSED_PER_MINUTE)
        if shown is not None and (wait_s := self._devices.take(shown, 1, self._clock())):
            raise _later(wait_s)
        try:
            yield
        except Declined as declined:
            if address and declined.refusal in _GUESSES:
                self._refused.charge(address, 1, self._clock())
            raise


def _later(wait_s: float) -> Declined:
    return Declined(errors.TOO_MANY_REQUESTS, retry_after_s=max(1, ceil(wait_s)))


class LoginDoor:
    """The answers to all requests that log in by a proof."""

    def __init__(self, service: Service, limits: LoginLimits) -> None:
        self._service: Final = service
        self._limits: Final = limits

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to an application."""
        return [
            web.post("/v1/login", self.log_in),
            web.post("/v1/login/unionid", self.bring_union),
        ]

    async def log_in(self, request: web.Request) -> web.Response:
        wanted = await read_json(request, NewLogin)
        evidence = evidence_in(wanted)
        where = installation_of(wanted.name, wanted.platform, wanted.device)
        async with self._limits.attempt(request, where.shown):
            with self._service.weathering():
                done = await self._service.login.log_in(evidence, where)
        return as_json(answer(done))

    async def bring_union(self, request: web.Request) -> web.Response:
        caller = await self._service.device(bearer(request))
        given = await read_json(request, UnionGiven)
        info = UserInfo(given.encrypted_data, given.iv, given.raw_data, given.signature)
        async with self._limits.attempt(request):
            with self._service.weathering():
                done = await self._service.login.bring_union(caller, info)
        return as_json(answer(done))


def evidence_in(given: EvidenceGiven | NewLogin) -> Evidence:
    """The proof in a request. Raises Declined unless there is exactly one."""
    match given.app, given.code, given.jwt:
        case str(app), str(code), None:
            return Code(app, code)
        case None, None, str(jwt):
            return Assertion(jwt)
    raise Declined(errors.BAD_REQUEST, "Give app and code, or jwt.")


def installation_of(name: str, platform: str, device: ShownDevice | None) -> Installation:
    """The device that a request describes. Raises Declined."""
    if device is None:
        return installation(name, platform)
    return installation(name, platform, device.id, device.secret)


def answer(done: LoggedIn) -> dict[str, Any]:
    """What a login gives, to its client and to nobody else."""
    return {
        "account": done.account,
        "device": done.device,
        "token": done.token,
        "secret": done.secret,
        "new_device": done.new_device,
        "case": done.case.value,
    }
