"""A running service that people can log in to, and the platform that it asks, both on sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from syncd.identity.issuers import Issuer
from syncd.identity.settings import LoginSettings
from syncd.identity.upstream import App, AppKind, Failure, Redeemed
from tests.identity.reception import APPS, Desk

_ERRCODES = {
    Failure.INVALID: 40029,
    Failure.USED: 40163,
    Failure.BLOCKED: 40226,
    Failure.TOO_MANY: 45011,
    Failure.MISCONFIGURED: 40125,
    Failure.UNAVAILABLE: -1,
}


def over_http(desk: Desk) -> web.Application:
    """A platform that answers from its desk, in the platform's words."""
    by_appid = {each.appid: each for each in APPS.values()}

    async def redeem(request: web.Request) -> web.Response:
        app = by_appid[request.query["appid"]]
        mini = app.kind is AppKind.MINI_PROGRAM
        answer = await desk.redeem(app, request.query["js_code" if mini else "code"])
        if isinstance(answer, Failure):
            return web.json_response({"errcode": _ERRCODES[answer], "errmsg": "no"})
        return web.json_response(_told(answer))

    platform = web.Application()
    platform.router.add_get("/sns/jscode2session", redeem)
    platform.router.add_get("/sns/oauth2/access_token", redeem)
    return platform


def _told(answer: Redeemed) -> dict[str, Any]:
    told = {
        "openid": answer.openid,
        "unionid": answer.unionid,
        "session_key": answer.session_key,
        "is_snapshotuser": 1 if answer.snapshot else None,
    }
    return {name: value for name, value in told.items() if value is not None}


@dataclass
class Lobby:
    """One service; every method is one request over HTTP."""

    running: Any
    desk: Desk
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON of an answer."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        http: aiohttp.ClientSession = self.running.http
        async with http.request(method, path, json=body, headers=headers) as response:
            self.headers = dict(response.headers)
            return response.status, await response.json()

    def code(self, app: App, openid: str, unionid: str | None = None) -> dict[str, str]:
        """A new code of a person, as a request says it."""
        shown = self.desk.code(app, openid, unionid)
        return {"app": shown.app, "code": shown.code}

    async def log_in(
        self, app: App, openid: str, unionid: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """A login that succeeds."""
        body = {"name": "PC1", "platform": "pc"} | self.code(app, openid, unionid) | more
        status, answer = await self.ask("POST", "/v1/login", body)
        assert status == 200, answer
        return dict(answer)


def device(answer: dict[str, Any]) -> dict[str, Any]:
    """How the device that a login made proves itself at the next one."""
    return {"id": answer["device"], "secret": answer["secret"]}


@asynccontextmanager
async def lobby(start: Any, *issuers: Issuer, **arguments: Any) -> AsyncIterator[Lobby]:
    """A service over a store of files that asks a platform of its own."""
    desk = Desk()
    async with TestServer(over_http(desk)) as platform:
        settings = LoginSettings(str(platform.make_url("/")), APPS, issuers)
        yield Lobby(await start(login=settings, **arguments), desk)
