"""Codes of the platform's apps: each is redeemed once, and whoever shows one again is told so.

A code that comes a second time was stolen from one of the two who showed it, and nobody can know
from whom: so what the first got is ended (RFC 6749, section 4.1.2).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

from syncd import errors
from syncd.errors import Refusal
from syncd.identity.sealing import Sealing
from syncd.identity.upstream import App, Failure, Redeemed, Upstream
from syncd.identity.words import Declined
from syncd.limits import QUOTA_MINUTE_S
from syncd.model import DeviceId
from syncd.persons import APP_ISSUER, Proof, Subject, Union
from syncd.storage.people import People

log = logging.getLogger(__name__)

_FORM = re.compile(r"[!-~]{1,512}")
"""What may be a code at all; the platform is not asked about anything else."""

_REFUSALS = {
    Failure.INVALID: errors.INVALID_CODE,
    Failure.USED: errors.CODE_USED,
    Failure.BLOCKED: errors.BLOCKED,
    Failure.TOO_MANY: errors.TOO_MANY_REQUESTS,
    Failure.MISCONFIGURED: errors.UPSTREAM_UNAVAILABLE,
    Failure.UNAVAILABLE: errors.UPSTREAM_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Code:
    """A code, and the name of the app that got it."""

    app: str
    code: str

    def __repr__(self) -> str:
        # Values end up in logs and in failure messages of tests; codes must not.
        return f"Code(app={self.app!r})"


class Codes:
    """Redeems the codes of all apps.

    apps: by the names that clients use. ended: told that a device's live sessions have lost their
        right, and with which refusal to close them.
    """

    def __init__(
        self,
        people: People,
        upstream: Upstream,
        apps: Mapping[str, App],
        sealing: Sealing,
        ended: Callable[[DeviceId, Refusal], None],
    ) -> None:
        self._people = people
        self._upstream = upstream
        self._apps = apps
        self._sealing = sealing
        self._ended = ended
        self._under_way: dict[bytes, asyncio.Future[Failure]] = {}

    @asynccontextmanager
    async def redeemed(self, shown: Code) -> AsyncIterator[Proof]:
        """What a code proves, for as long as it is acted on. Raises Declined.

        Whoever shows the same code meanwhile waits for the end of the block, and then is the
        second; nobody asks the platform twice about one code at the same time.
        """
        app = self._apps.get(shown.app)
        if app is None:
            raise Declined(errors.UNKNOWN_APP)
        if _FORM.fullmatch(shown.code) is None:
            raise Declined(errors.INVALID_CODE)
        grant = _grant(app, shown.code)
        first = self._under_way.get(grant)
        if first is not None:
            await self._refuse(app, await asyncio.shield(first), grant)
        under_way = self._under_way[grant] = asyncio.get_running_loop().create_future()
        # Where this is broken off, nobody can know whether the code is used up.
        others = Failure.UNAVAILABLE
        try:
            answer = await self._upstream.redeem(app, shown.code)
            others = answer if isinstance(answer, Failure) else Failure.USED
            if isinstance(answer, Failure):
                await self._refuse(app, answer, grant)
            yield self._proof(app, answer, grant)
        finally:
            del self._under_way[grant]
            under_way.set_result(others)

    async def _refuse(self, app: App, failure: Failure, grant: bytes) -> NoReturn:
        if failure is Failure.MISCONFIGURED:
            log.error("! the platform does not know the app %s, or not its secret", app.name)
        if failure is Failure.USED:
            device = await self._people.replayed(grant)
            if device is not None:
                log.warning("! a code came again: device %s was signed out", device)
                self._ended(device, errors.SIGNED_OUT)
        retry_after_s = QUOTA_MINUTE_S if failure is Failure.TOO_MANY else None
        raise Declined(_REFUSALS[failure], retry_after_s=retry_after_s)

    def _proof(self, app: App, answer: Redeemed, grant: bytes) -> Proof:
        if answer.snapshot:
            raise Declined(errors.SNAPSHOT_USER)
        subject = Subject(APP_ISSUER + app.appid, answer.openid)
        key = answer.session_key
        return Proof(
            subject,
            union_of(app, answer.unionid),
            grant,
            None if key is None else self._sealing.seal(key, subject),
        )


def union_of(app: App, unionid: str | None) -> Union | None:
    """The union that an app's unionid is; None where the app is bound to no platform account."""
    return Union(app.platform, unionid) if unionid and app.platform else None


def _grant(app: App, code: str) -> bytes:
    # Another app's code of the same text is another code.
    return sha256(f"{app.appid}\0{code}".encode()).digest()
