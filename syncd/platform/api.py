"""The endpoints of the API host that servers of apps call: identity.md 1.1 to 1.4 and 1.7."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from syncd.platform import errcodes
from syncd.platform.answers import JSON, PLAIN, Body, answer, refuse
from syncd.platform.errcodes import Errcode, Failed
from syncd.platform.world import USERS_PER_BATCH_MAX, World

Endpoint = Callable[[web.Request, float], Awaitable[Body]]


class Api:
    """/sns/jscode2session, /wxa and /cgi-bin of one platform. now: Unix seconds."""

    def __init__(self, world: World, now: Callable[[], float]) -> None:
        self._world = world
        self._now = now

    def join(self, app: web.Application) -> None:
        """Serve the endpoints as part of this application."""
        for path, method, content_type, endpoint in (
            ("/sns/jscode2session", "*", PLAIN, self._session),
            ("/wxa/checksession", "*", JSON, self._check_session),
            ("/wxa/resetusersessionkey", "*", JSON, self._reset_session),
            ("/cgi-bin/token", "GET", "application/json", self._token),
            ("/cgi-bin/stable_token", "POST", "application/json", self._stable_token),
            ("/cgi-bin/user/info", "GET", JSON, self._follower),
            ("/cgi-bin/user/info/batchget", "POST", JSON, self._followers_by_name),
            ("/cgi-bin/user/get", "GET", JSON, self._followers),
        ):
            respond = self._answering(endpoint, method, content_type)
            app.router.add_route("*", path, respond)

    def _answering(
        self, endpoint: Endpoint, method: str, content_type: str
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(request: web.Request) -> web.Response:
            now = self._now()
            try:
                if method not in ("*", request.method):
                    required = method == "POST"
                    raise Failed(errcodes.POST_REQUIRED if required else errcodes.GET_REQUIRED)
                return answer(await endpoint(request, now), content_type)
            except Failed as failed:
                return refuse(failed.errcode, content_type, now)

        return respond

    async def _session(self, request: web.Request, now: float) -> Body:
        # A form is not read: the platform says that appid is missing, as it does to a POST.
        appid = required(request.query, "appid", errcodes.APPID_MISSING)
        secret = required(request.query, "secret", errcodes.APPSECRET_MISSING)
        code = required(request.query, "js_code", errcodes.CODE_MISSING)
        if request.query.get("grant_type") != "authorization_code":
            raise Failed(errcodes.INVALID_GRANT_TYPE)
        openid, key, unionid = self._world.session(appid, secret, code, now)
        union = {} if unionid is None else {"unionid": unionid}
        return {"session_key": key, "openid": openid, **union}

    async def _check_session(self, request: web.Request, now: float) -> Body:
        self._world.check_session(*await self._signed(request, now), now)
        return {"errcode": 0, "errmsg": "ok"}

    async def _reset_session(self, request: web.Request, now: float) -> Body:
        appid, openid, signature, method = await self._signed(request, now)
        key = self._world.reset_session(appid, openid, signature, method, now)
        return {"errcode": 0, "errmsg": "ok", "openid": openid, "session_key": key}

    async def _signed(self, request: web.Request, now: float) -> tuple[str, str, str, str]:
        appid = self._caller(request, now)
        # The documents name a body and show a query, for a GET.
        body = await json_body(request) if request.can_read_body else {}
        given = {**body, **request.query}
        openid = required(given, "openid", errcodes.OPENID_MISSING)
        return appid, openid, str(given.get("signature", "")), str(given.get("sig_method", ""))

    async def _token(self, request: web.Request, now: float) -> Body:
        return self._token_for(request.query, now, None)

    async def _stable_token(self, request: web.Request, now: float) -> Body:
        body = await json_body(request)
        return self._token_for(body, now, body.get("force_refresh", False) is True)

    def _token_for(self, given: Mapping[str, Any], now: float, force: bool | None) -> Body:
        """force: None for the kind that is not stable."""
        if given.get("grant_type") != "client_credential":
            raise Failed(errcodes.INVALID_GRANT_TYPE)
        appid = required(given, "appid", errcodes.APPID_MISSING)
        secret = required(given, "secret", errcodes.APPSECRET_MISSING)
        if force is None:
            return self._world.api_token(appid, secret, now)._asdict()
        return self._world.stable_api_token(appid, secret, force, now)._asdict()

    async def _follower(self, request: web.Request, now: float) -> Body:
        appid = self._caller(request, now)
        openid = required(request.query, "openid", errcodes.OPENID_MISSING)
        return self._world.follower(appid, openid)

    async def _followers_by_name(self, request: web.Request, now: float) -> Body:
        appid = self._caller(request, now)
        match await json_body(request):
            case {"user_list": [*users]} if len(users) <= USERS_PER_BATCH_MAX:
                openids = [user.get("openid") for user in users if isinstance(user, dict)]
            case {"user_list": [*_]}:
                raise Failed(errcodes.OPENID_LIST_SIZE)
            case _:
                raise Failed(errcodes.DATA_FORMAT)
        return {"user_info_list": [self._world.follower(appid, str(each)) for each in openids]}

    async def _followers(self, request: web.Request, now: float) -> Body:
        appid = self._caller(request, now)
        return self._world.followers(appid, request.query.get("next_openid", ""))

    def _caller(self, request: web.Request, now: float) -> str:
        token = required(request.query, "access_token", errcodes.ACCESS_TOKEN_MISSING)
        return self._world.caller(token, now).appid


def required(given: Mapping[str, Any], name: str, missing: Errcode) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise Failed(missing)
    return value


async def json_body(request: web.Request) -> dict[str, Any]:
    """The object in a body, whatever type it says to be."""
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise Failed(errcodes.DATA_FORMAT) from None
    if not isinstance(body, dict):
        raise Failed(errcodes.DATA_FORMAT)
    return body
