"""The platform over HTTP: the real one, or the embedded one; only the address differs.

Everything but a well-formed answer is no answer: another status, a redirect, a body that is too
long or no JSON, an openid that cannot be one. Neither a URL nor an answer of the platform is ever
logged, because both hold secrets.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from typing import Any

from aiohttp import ClientError, ClientSession

from syncd.identity.upstream import App, AppKind, Failure, Redeemed
from syncd.limits import UPSTREAM_ANSWER_BYTES_MAX, UPSTREAM_TIMEOUT_S
from syncd.server.outgoing import get

log = logging.getLogger(__name__)

_BUSY = -1
"""The one errcode that says that nothing happened and another try is welcome."""

_BUSY_TRIES_MAX = 3
_BUSY_PAUSE_S = 0.1

_FAILURES = {
    40013: Failure.MISCONFIGURED,
    40029: Failure.INVALID,
    40125: Failure.MISCONFIGURED,
    40163: Failure.USED,
    40164: Failure.MISCONFIGURED,
    40226: Failure.BLOCKED,
    40243: Failure.MISCONFIGURED,
    41008: Failure.INVALID,
    42003: Failure.INVALID,
    45009: Failure.TOO_MANY,
    45011: Failure.TOO_MANY,
    48004: Failure.BLOCKED,
    50002: Failure.BLOCKED,
}
"""By errcode; any other one is an answer that we do not understand."""

_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_SESSION_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")


class PlatformOverHttp:
    """See upstream.Upstream. address: the scheme and host, without a path."""

    def __init__(self, address: str, session: ClientSession) -> None:
        self._address = address.rstrip("/")
        self._session = session

    async def redeem(self, app: App, code: str) -> Redeemed | Failure:
        """Redeem a code; again only where the platform said that it was too busy to try."""
        try:
            async with asyncio.timeout(UPSTREAM_TIMEOUT_S):
                answer = await self._answer(app, code)
                for attempt in range(1, _BUSY_TRIES_MAX):
                    if _errcode(answer) != _BUSY:
                        break
                    await asyncio.sleep(_BUSY_PAUSE_S * 2**attempt * random.uniform(0.5, 1))
                    answer = await self._answer(app, code)
                return _read(app, answer)
        except (ClientError, TimeoutError, OSError, ValueError, TypeError, RecursionError) as error:
            # Its type only: the text may quote the URL.
            log.error("! the platform did not answer: %s", type(error).__name__)
            return Failure.UNAVAILABLE

    async def _answer(self, app: App, code: str) -> dict[str, Any]:
        mini = app.kind is AppKind.MINI_PROGRAM
        path = "/sns/jscode2session" if mini else "/sns/oauth2/access_token"
        query = {
            "appid": app.appid,
            "secret": app.secret,
            "js_code" if mini else "code": code,
            "grant_type": "authorization_code",
        }
        text = await get(self._session, self._address + path, query, UPSTREAM_ANSWER_BYTES_MAX)
        # It says text/plain and means JSON in UTF-8.
        answer = json.loads(text.decode("utf-8"))
        if not isinstance(answer, dict):
            raise ValueError("no object")
        return answer


def _errcode(answer: dict[str, Any]) -> int:
    # Third-party platforms were seen to write it as a string.
    return int(answer.get("errcode") or 0)


def _read(app: App, answer: dict[str, Any]) -> Redeemed | Failure:
    errcode = _errcode(answer)
    if errcode:
        failure = _FAILURES.get(errcode, Failure.UNAVAILABLE)
        if failure not in (Failure.INVALID, Failure.USED):
            log.warning("! the platform refused a code of %s: errcode %d", app.name, errcode)
        return failure
    return Redeemed(
        openid=_formed(_ID, answer.get("openid")),
        unionid=_formed(_ID, answer["unionid"]) if answer.get("unionid") else None,
        session_key=(
            _formed(_SESSION_KEY, answer.get("session_key"))
            if app.kind is AppKind.MINI_PROGRAM
            else None
        ),
        snapshot=bool(answer.get("is_snapshotuser")),
    )


def _formed(form: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise ValueError("an answer of another form")
    return value
