"""The upgrade at `/v1/sync`: who may open a socket, and with which encoding."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Collection
from typing import cast

from aiohttp import hdrs, web

from syncd import errors
from syncd.limits import CLIENT_FRAME_BYTES_MAX
from syncd.server.connection import Backstage, Connection
from syncd.server.intake import same_origin
from syncd.server.refusals import refused
from syncd.server.throttle import Stranger
from syncd.wire.codec import SUBPROTOCOLS, codec_for

_CLOSE_HANDSHAKE_S = 5.0
"""How long a peer may take to answer our close frame."""


def sync_endpoint(
    backstage: Backstage, allowed_origins: Collection[str]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """What answers at the sync address.

    allowed_origins: exact values of the Origin header that pages may connect from, beside those
    of this very host. A request without the header comes from no page; it is let in unless it
    carries a cookie, which only a browser would do (cross-site WebSocket hijacking).
    """

    async def sync(request: web.Request) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        known = origin in allowed_origins or same_origin(request)
        if not known and (origin is not None or hdrs.COOKIE in request.headers):
            return refused(errors.FOREIGN_ORIGIN)
        socket = web.WebSocketResponse(
            timeout=_CLOSE_HANDSHAKE_S,
            autoping=False,  # pongs count against the socket's buffer, so we send them
            protocols=SUBPROTOCOLS,
            compress=False,  # bombs, and 64 KiB per socket
            max_msg_size=CLIENT_FRAME_BYTES_MAX,
            writer_limit=sys.maxsize,  # the window is the flow control
            decode_text=False,
        )
        if not _offered(request):
            return refused(errors.NO_SUBPROTOCOL)
        stranger = backstage.throttle.upgrade(request)
        if isinstance(stranger, web.Response):
            return stranger
        try:
            await socket.prepare(request)
            await _serve(backstage, request, socket, stranger)
        finally:
            stranger.known()
        return socket

    return sync


async def _serve(
    backstage: Backstage, request: web.Request, socket: web.WebSocketResponse, stranger: Stranger
) -> None:
    """Everything between the upgrade and the end of the socket."""
    assert socket.ws_protocol is not None
    # Not isinstance: the transports of other event loops share the methods, not the class.
    transport = cast("asyncio.WriteTransport | None", request.transport)
    if transport is None:
        return  # the peer went away during the upgrade
    codec = codec_for(socket.ws_protocol)
    connection = Connection(backstage, socket, transport, codec, stranger)
    try:
        await connection.run()
    finally:
        if transport.get_write_buffer_size():
            # A peer that reads still gets its goodbye; for one that does not, closing would wait
            # for ever.
            asyncio.get_running_loop().call_later(_CLOSE_HANDSHAKE_S, transport.abort)


def _offered(request: web.Request) -> bool:
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "")
    return any(name.strip() in SUBPROTOCOLS for name in offered.split(","))
