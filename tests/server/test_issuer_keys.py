"""Keys of issuers over HTTP: bounded, and from the address that was named."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from syncd.server.issuer_keys import KeysOverHttp
from syncd.server.outgoing import quiet_session


async def fetched(response: web.Response) -> tuple[bytes | None, list[str]]:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server, quiet_session() as session:
        url = str(server.make_url("/jwks.json"))
        return await KeysOverHttp(session).fetch(url), asked


async def test_a_set_of_keys_comes_as_it_is() -> None:
    assert await fetched(web.Response(body=b'{"keys": []}')) == (b'{"keys": []}', ["/jwks.json"])


@pytest.mark.parametrize("status", [204, 301, 404, 500])
async def test_anything_but_200_is_none_and_nobody_is_followed(status: int) -> None:
    response = web.Response(status=status, headers={"Location": "/elsewhere"})
    assert await fetched(response) == (None, ["/jwks.json"])


async def test_a_long_answer_is_none() -> None:
    assert (await fetched(web.Response(body=bytes(65537))))[0] is None


async def test_nobody_there() -> None:
    async with quiet_session() as session:
        assert await KeysOverHttp(session).fetch("http://127.0.0.1:9/jwks.json") is None
