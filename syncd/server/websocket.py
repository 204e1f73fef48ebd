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
        if not _offered(request):
            return refused(errors.NO_SUBPROTOCOL)
        stranger = backstage.throttle.upgrade(request)
        if isinstance(stranger, web.Response):
            return stranger
        socket = _Socket(backstage, stranger)
        try:
            await socket.prepare(request)
        except BaseException:
            stranger.known()
            raise
        return socket

    return sync


class _Socket(web.WebSocketResponse):
    """An upgrade's answer, and the conversation as what is left of it to be written.

    aiohttp awaits that when the coroutines that found the answer have returned: a quarter of what
    an idle device would cost, were its conversation held inside of them.
    """

    def __init__(self, backstage: Backstage, stranger: Stranger) -> None:
        super().__init__(
            timeout=_CLOSE_HANDSHAKE_S,
            autoping=False,  # pongs count against the socket's buffer, so we send them
            protocols=SUBPROTOCOLS,
            compress=False,  # bombs, and 64 KiB per socket
            max_msg_size=CLIENT_FRAME_BYTES_MAX,
            writer_limit=sys.maxsize,  # the window is the flow control
            decode_text=False,
        )
        self._backstage = backstage
        self._stranger = stranger

    async def write_eof(self) -> None:  # type: ignore[override]  # as in aiohttp
        """Everything between the upgrade and the end of the socket."""
        assert self.ws_protocol is not None
        assert self._req is not None
        # Not isinstance: the transports of other event loops share the methods, not the class.
        transport = cast("asyncio.WriteTransport | None", self._req.transport)
        try:
            if transport is not None:  # else the peer went away during the upgrade
                codec = codec_for(self.ws_protocol)
                stranger = self._stranger
                await Connection(self._backstage, self, transport, codec, stranger).run()
        finally:
            self._stranger.known()
            if transport is not None and transport.get_write_buffer_size():
                # A peer that reads still gets its goodbye; for one that does not, closing would
                # wait for ever.
                asyncio.get_running_loop().call_later(_CLOSE_HANDSHAKE_S, transport.abort)
        await super().write_eof()


def _offered(request: web.Request) -> bool:
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "")
    return any(name.strip() in SUBPROTOCOLS for name in offered.split(","))
