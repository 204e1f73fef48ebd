"""Our own requests to those whom an operator named: bounded, sent once, and never led elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import (
    ClientConnectionError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientSession,
    DummyCookieJar,
    ServerDisconnectedError,
    hdrs,
)


def quiet_session() -> ClientSession:
    """A session without cookies, proxies of the environment, or compressed answers (and so without
    bombs), which sends every request once. The caller closes it."""
    return ClientSession(
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        headers={hdrs.ACCEPT_ENCODING: "identity"},
        middlewares=(_once,),
    )


async def get(session: ClientSession, url: str, query: Mapping[str, str], bytes_max: int) -> bytes:
    """The body of a 200. Raises ValueError for any other status, redirects included, and for a
    body that is too long; and what an HTTP request may suffer. The caller bounds the time."""
    async with session.get(url, params=query, allow_redirects=False) as response:
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        body = bytearray()
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > bytes_max:
                raise ValueError("too long")
    return bytes(body)


async def _once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """aiohttp sends a GET again by itself when the line broke before the answer. One that redeems a
    code is no such GET: it must not be tried twice."""
    try:
        return await send(request)
    except (ClientOSError, ServerDisconnectedError) as error:
        raise ClientConnectionError(type(error).__name__) from None
