"""The OAuth2 endpoints of the API host, over HTTP: identity.md 1.5."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from syncd.platform.answers import PLAIN, Body, answer, refuse
from syncd.platform.errcodes import Failed
from syncd.platform.oauth import OAuth

Endpoint = Callable[[Mapping[str, str], str, float], Body]
"""What was given, the network from where, and the time: an answer, or Failed."""


class Sns:
    """/sns/oauth2, /sns/userinfo and /sns/auth of one platform. now: Unix seconds."""

    def __init__(self, oauth: OAuth, now: Callable[[], float]) -> None:
        self._oauth = oauth
        self._now = now

    def join(self, app: web.Application) -> None:
        """Serve the endpoints as part of this application."""
        endpoints: dict[str, Endpoint] = {
            "oauth2/access_token": self._oauth.access_token,
            "oauth2/refresh_token": self._oauth.refresh_token,
            "userinfo": self._user_info,
            "auth": self._auth,
        }
        for path, endpoint in endpoints.items():
            # Clients differ in their methods, and the documents show only one.
            for method in ("GET", "POST"):
                app.router.add_route(method, f"/sns/{path}", self._answering(endpoint))

    def _user_info(self, given: Mapping[str, str], network: str, now: float) -> Body:
        return self._oauth.user_info(given, now)

    def _auth(self, given: Mapping[str, str], network: str, now: float) -> Body:
        self._oauth.check(given, now)
        return {"errcode": 0, "errmsg": "ok"}

    def _answering(self, endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(request: web.Request) -> web.Response:
            form = {name: str(value) for name, value in (await request.post()).items()}
            now = self._now()
            try:
                body = endpoint({**form, **request.query}, request.remote or "", now)
            except Failed as failed:
                return refuse(failed.errcode, PLAIN, now)
            return answer(body, PLAIN)

        return respond
