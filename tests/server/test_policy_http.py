"""A policy behind a URL: what it is asked, and what is an answer. Everything else is none."""

import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from syncd import errors
from syncd.model import Identity, Kind, direct
from syncd.policy import Ask, Checkpoint, NoAnswer
from syncd.server.policy_http import HttpPolicy
from tests.drafts import ALICE, BOB, PHONE

ASKS = [
    Ask(ALICE, PHONE, 7, Kind.MESSAGE, direct(ALICE, BOB), None, b"\0hello\xff"),
    Ask(ALICE, PHONE, 8, Kind.EDIT, direct(ALICE, BOB), Identity(PHONE, 7), b""),
]
YES_AND_NO = {"allow": [True, False]}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Decider:
    """A program of somebody else's, on a port of its own."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Answer = lambda request: answered(YES_AND_NO)
        self.url = ""

    async def decide(self, request: web.Request) -> web.StreamResponse:
        assert request.content_type == "application/json"
        self.asked.append(await request.json())
        return await self.answer(request)


async def answered(value: Any, **arguments: Any) -> web.StreamResponse:
    return web.Response(body=json.dumps(value), **arguments)


async def elsewhere(request: web.Request) -> web.StreamResponse:
    return await answered({"allow": [True, True]})


@pytest.fixture
async def decider() -> AsyncIterator[Decider]:
    made = Decider()
    app = web.Application()
    app.router.add_post("/policy", made.decide)
    app.router.add_post("/elsewhere", elsewhere)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    made.url = f"http://{host}:{port}/policy"
    yield made
    await runner.cleanup()


@pytest.fixture
async def policy(decider: Decider) -> AsyncIterator[HttpPolicy]:
    made = HttpPolicy(decider.url)
    app = web.Application()
    app.cleanup_ctx.append(made.lifetime)
    runner = web.AppRunner(app)
    await runner.setup()
    yield made
    await runner.cleanup()
    with pytest.raises(NoAnswer):
        await made.decide(ASKS)


async def test_it_is_asked_about_a_whole_frame(decider: Decider, policy: HttpPolicy) -> None:
    assert await policy.decide(ASKS) == [True, False]
    [asked] = decider.asked
    assert asked == {
        "messages": [
            {
                "account": "alice",
                "device": PHONE,
                "number": 7,
                "conversation": "alice~bob",
                "kind": 1,
                "target": None,
                "body": b64encode(b"\0hello\xff").decode(),
            },
            {
                "account": "alice",
                "device": PHONE,
                "number": 8,
                "conversation": "alice~bob",
                "kind": 2,
                "target": {"device": PHONE, "number": 7},
                "body": "",
            },
        ]
    }


async def redirected(request: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect("/elsewhere")


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"allow":')
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: answered(YES_AND_NO, status=201),
        lambda request: answered(YES_AND_NO, status=404),
        lambda request: answered(YES_AND_NO, status=500),
        redirected,
        cut,
        lambda request: answered({"allow": [True]}),
        lambda request: answered({"allow": [True, False, True]}),
        lambda request: answered({"allow": [1, 0]}),
        lambda request: answered({"allow": "yes"}),
        lambda request: answered({"allow": None}),
        lambda request: answered([True, False]),
        lambda request: answered({}),
        lambda request: answered({**YES_AND_NO, "why": " " * 20_000}),
        lambda request: saying(b""),
        lambda request: saying(b"\xff"),
        lambda request: saying(b"[" * 10_000),
        lambda request: saying(
            gzip.compress(json.dumps(YES_AND_NO).encode()), {"Content-Encoding": "gzip"}
        ),
    ],
)
async def test_what_is_no_answer(decider: Decider, policy: HttpPolicy, answer: Answer) -> None:
    decider.answer = answer
    asked = await Checkpoint(policy).refusals(ASKS)
    assert asked == [errors.POLICY_UNAVAILABLE] * 2
    decider.answer = lambda request: answered(YES_AND_NO)
    assert await policy.decide(ASKS) == [True, False]


async def saying(body: bytes, headers: dict[str, str] | None = None) -> web.StreamResponse:
    return web.Response(body=body, headers=headers)


async def test_an_answer_may_say_more_than_was_asked(decider: Decider, policy: HttpPolicy) -> None:
    decider.answer = lambda request: answered({**YES_AND_NO, "because": "of reasons"})
    assert await policy.decide(ASKS) == [True, False]


async def test_no_cookie_of_an_answer_comes_back(decider: Decider, policy: HttpPolicy) -> None:
    async def with_cookie(request: web.Request) -> web.StreamResponse:
        assert not request.cookies
        return await answered(YES_AND_NO, headers={"Set-Cookie": "a=b"})

    decider.answer = with_cookie
    for _ in range(2):
        assert await policy.decide(ASKS) == [True, False]


async def test_nobody_listens_there() -> None:
    policy = HttpPolicy("http://127.0.0.1:1/policy")
    lifetime = policy.lifetime(web.Application())
    await anext(lifetime)
    assert await Checkpoint(policy).refusals(ASKS) == [errors.POLICY_UNAVAILABLE] * 2
    with pytest.raises(StopAsyncIteration):
        await anext(lifetime)
