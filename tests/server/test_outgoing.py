"""Our own requests: once, without cookies, and with bounds."""

import gzip

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from syncd.server.outgoing import get, quiet_session


async def got(*responses: web.Response) -> tuple[list[bytes], list[web.Request]]:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return responses[len(asked) - 1]

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server, quiet_session() as session:
        url = str(server.make_url("/"))
        return [await get(session, url, {"a": "b c"}, 64) for _ in responses], asked


async def test_a_body_comes_as_bytes_and_the_query_is_escaped() -> None:
    bodies, [request] = await got(web.Response(body=b"\xff" * 64))
    assert bodies == [b"\xff" * 64]
    assert request.query == {"a": "b c"}


async def test_cookies_are_forgotten() -> None:
    first = web.Response()
    first.set_cookie("session", "1")
    _, [_, again] = await got(first, web.Response())
    assert "Cookie" not in again.headers


async def test_a_compressed_answer_stays_compressed() -> None:
    bomb = gzip.compress(bytes(10_000))
    bodies, [request] = await got(web.Response(body=bomb, headers={"Content-Encoding": "gzip"}))
    assert bodies == [bomb]
    assert request.headers["Accept-Encoding"] == "identity"


async def test_a_byte_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        await got(web.Response(body=bytes(65)))
