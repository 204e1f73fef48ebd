"""Codes over HTTP: every answer of a platform, and everything that is none."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from syncd.identity.upstream import App, AppKind, Failure, Redeemed
from syncd.server.outgoing import quiet_session
from syncd.server.upstream_http import PlatformOverHttp

PHONE = App("phone", "wx1", "app-hush", AppKind.MINI_PROGRAM, "open")
SITE = App("site", "wx2", "app-hush", AppKind.WEBSITE, "open")
OPENID, UNIONID = "o" + "A" * 27, "o" + "U" * 27
KEY = "tiihtNczf5v6AKRyjwEUhQ=="
SESSION = {"openid": OPENID, "session_key": KEY, "unionid": UNIONID}

Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Platform:
    """A peer on a real socket that answers as the test says, and remembers what it was asked."""

    def __init__(self, *bodies: Any) -> None:
        self.bodies = list(bodies)
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, dict(request.query)))
        body = self.bodies[min(len(self.asked), len(self.bodies)) - 1]
        if isinstance(body, web.Response):
            return body
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(body=text, headers={"Content-Type": "text/plain"})


@asynccontextmanager
async def over_http(answer: Answers) -> AsyncIterator[PlatformOverHttp]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, quiet_session() as session:
        yield PlatformOverHttp(str(server.make_url("/")), session)


async def redeemed(app: App, *bodies: Any) -> tuple[Redeemed | Failure, Platform]:
    platform = Platform(*bodies)
    async with over_http(platform.answer) as upstream:
        return await upstream.redeem(app, "code-1"), platform


async def test_a_mini_program() -> None:
    answer, platform = await redeemed(PHONE, SESSION)
    assert answer == Redeemed(OPENID, UNIONID, KEY)
    assert platform.asked == [
        (
            "/sns/jscode2session",
            {
                "appid": "wx1",
                "secret": "app-hush",
                "js_code": "code-1",
                "grant_type": "authorization_code",
            },
        )
    ]


@pytest.mark.parametrize("kind", [AppKind.WEBSITE, AppKind.OFFICIAL_ACCOUNT, AppKind.MOBILE])
async def test_all_others(kind: AppKind) -> None:
    app = App("site", "wx2", "app-hush", kind)
    body = {"access_token": "A", "openid": OPENID, "scope": "snsapi_base", "session_key": KEY}
    answer, platform = await redeemed(app, body)
    assert answer == Redeemed(OPENID)
    [(path, query)] = platform.asked
    assert (path, query["code"]) == ("/sns/oauth2/access_token", "code-1")


async def test_a_snapshot_page() -> None:
    answer, _ = await redeemed(SITE, {"openid": OPENID, "is_snapshotuser": 1})
    assert isinstance(answer, Redeemed)
    assert answer.snapshot


FAILURES = [
    (40029, Failure.INVALID),
    ("40029", Failure.INVALID),
    (42003, Failure.INVALID),
    (41008, Failure.INVALID),
    (40163, Failure.USED),
    (40226, Failure.BLOCKED),
    (50002, Failure.BLOCKED),
    (48004, Failure.BLOCKED),
    (45011, Failure.TOO_MANY),
    (45009, Failure.TOO_MANY),
    (40013, Failure.MISCONFIGURED),
    (40125, Failure.MISCONFIGURED),
    (40243, Failure.MISCONFIGURED),
    (40164, Failure.MISCONFIGURED),
    (99999, Failure.UNAVAILABLE),
]


@pytest.mark.parametrize(("errcode", "failure"), FAILURES)
async def test_errors_come_with_status_200(errcode: int | str, failure: Failure) -> None:
    answer, platform = await redeemed(PHONE, {"errcode": errcode, "errmsg": "no, rid: 1-2-3"})
    assert answer is failure
    assert len(platform.asked) == 1


async def test_a_busy_platform_is_asked_again_and_again_but_not_for_ever() -> None:
    busy = {"errcode": -1, "errmsg": "system error"}
    answer, platform = await redeemed(PHONE, busy, busy, SESSION)
    assert isinstance(answer, Redeemed)
    assert len(platform.asked) == 3
    answer, platform = await redeemed(PHONE, busy)
    assert answer is Failure.UNAVAILABLE
    assert len(platform.asked) == 3


NO_ANSWERS: dict[str, Any] = {
    "no JSON": b"<html>",
    "no UTF-8": b'{"openid": "\xff"}',
    "no object": [1],
    "too long": b"[" + b" " * 65536,
    "nobody": {"session_key": KEY},
    "an openid of another form": SESSION | {"openid": "o'; DROP TABLE"},
    "an openid that is none": SESSION | {"openid": 7},
    "a unionid of another form": SESSION | {"unionid": "x y"},
    "a session_key that is none": SESSION | {"session_key": "short"},
    "no session_key": {"openid": OPENID},
    "an errcode that is none": {"errcode": "system error"},
    "an errcode that is a list": {"errcode": [1]},
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
async def test_what_cannot_be_read_is_no_answer(body: Any) -> None:
    answer, platform = await redeemed(PHONE, body)
    assert answer is Failure.UNAVAILABLE
    assert len(platform.asked) == 1


@pytest.mark.parametrize("status", [201, 302, 400, 500, 503])
async def test_another_status_is_no_answer_and_a_redirect_leads_nowhere(status: int) -> None:
    body = json.dumps(SESSION)
    headers = {"Location": "/elsewhere"} if status == 302 else {}
    answer, platform = await redeemed(
        PHONE, web.Response(text=body, status=status, headers=headers)
    )
    assert answer is Failure.UNAVAILABLE
    assert [path for path, _ in platform.asked] == ["/sns/jscode2session"]


async def test_a_line_that_breaks_is_no_reason_to_try_the_code_again() -> None:
    """aiohttp would send a GET a second time by itself."""
    asked: list[str] = []

    async def hang_up(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with over_http(hang_up) as upstream:
        assert await upstream.redeem(PHONE, "code-1") is Failure.UNAVAILABLE
    assert len(asked) == 1


async def test_nobody_there() -> None:
    async with quiet_session() as session:
        upstream = PlatformOverHttp("http://127.0.0.1:9", session)
        assert await upstream.redeem(PHONE, "code-1") is Failure.UNAVAILABLE


async def test_a_platform_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.server.upstream_http.UPSTREAM_TIMEOUT_S", 0.05)

    given_up = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        await given_up.wait()
        return web.Response()

    async with over_http(wait) as upstream:
        assert await upstream.redeem(PHONE, "code-1") is Failure.UNAVAILABLE
        given_up.set()


async def test_no_secret_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bodies: list[Any] = [SESSION, b"<html>", {"errcode": 40125}, SESSION | {"openid": 7}]
    for body in bodies:
        await redeemed(PHONE, body)
    async with quiet_session() as session:
        await PlatformOverHttp("http://127.0.0.1:9", session).redeem(PHONE, "code-1")
    ours = "\n".join(each.getMessage() for each in caplog.records if each.name.startswith("syncd"))
    assert "40125" in ours
    for secret in ("app-hush", "code-1", KEY, OPENID):
        assert secret not in ours
