"""One WebSocket of a client: dialled, read, written, closed; bytes to frames on the way.

The token travels in the first frame only: never in the address, never in a log.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from syncd import limits
from syncd.errors import WRONG_ENCODING, Refusal
from syncd.protocol import client_events as events
from syncd.wire.codec import Codec, Malformed
from syncd.wire.frames import ClientFrame

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_OPEN_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 3.0
_NORMAL = 1000
_NOT_FOUND = 404
_UNSENT_BYTES_MAX = (limits.UNANSWERED_MESSAGES_MAX + 1) * limits.CLIENT_FRAME_BYTES_MAX
"""More than a client may ever have unanswered, so that a send never waits: a client that waits
for the server to read while the server waits for the client to read would stand for ever."""

# At DEBUG the library logs frames, and a hello holds the token.
_socket_log = logging.getLogger("syncd.client.socket")
_socket_log.setLevel(logging.INFO)


class SocketDialler:
    """See line.Dialler. Knows where to connect to and in which encoding."""

    def __init__(self, url: str, codec: Codec) -> None:
        self.url = url
        self.codec = codec

    def dial(self) -> SocketDialled:
        """A connection that is still to be made."""
        return SocketDialled(self)


class SocketDialled:
    """See line.Dialled: over a WebSocket."""

    def __init__(self, dialler: SocketDialler) -> None:
        self._url = dialler.url
        self._codec = dialler.codec
        self._socket: ClientConnection | None = None
        self._opening: asyncio.Task[ClientConnection] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._given_up = False
        self._failure = ""

    async def connect(self) -> bool:
        """Whether a connection in the right subprotocol came to be."""
        self._opening = asyncio.ensure_future(self._open())
        if self._given_up:
            self._opening.cancel()
        await asyncio.wait([self._opening])
        if self._opening.cancelled():
            self._failure = "given up"
            return False
        error = self._opening.exception()
        if error is not None:
            if not isinstance(error, OSError | TimeoutError | WebSocketException):
                raise error
            self._failure = _reason(error)
            return False
        self._socket = self._opening.result()
        if self._socket.subprotocol != self._codec.subprotocol:
            self._failure = "the server speaks none of our subprotocols"
        elif self._given_up:
            self._failure = "given up"
        if self._failure:
            await self._socket.close()
        return not self._failure

    async def _open(self) -> ClientConnection:
        return await connect(
            self._url,
            subprotocols=[Subprotocol(self._codec.subprotocol)],
            compression=None,  # bodies may be encrypted, and bombs are not
            max_size=limits.SERVER_FRAME_BYTES_MAX,
            ping_interval=None,  # the server's heartbeat tells more
            open_timeout=_OPEN_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            write_limit=_UNSENT_BYTES_MAX,
            logger=_socket_log,
            user_agent_header=None,
        )

    async def receive(self) -> events.Received | events.Malformed | None:
        """The next frame; None when the connection is gone."""
        assert self._socket is not None
        try:
            data = await self._socket.recv()
        except ConnectionClosed:
            if self._closing is not None:
                await self._closing
            return None
        if isinstance(data, bytes) is not self._codec.binary:
            return events.Malformed(WRONG_ENCODING)
        raw = data if isinstance(data, bytes) else data.encode()
        try:
            return events.Received(self._codec.decode_server(raw), len(raw))
        except Malformed as error:
            return events.Malformed(error.refusal)

    async def send(self, frame: ClientFrame) -> None:
        """Send a frame; on a connection that is gone it is lost, as it may be on any."""
        assert self._socket is not None
        try:
            await self._socket.send(self._codec.encode(frame), text=not self._codec.binary)
        except ConnectionClosed:
            return

    def close(self, refusal: Refusal | None) -> None:
        """Begin to close (or give up connecting), with this code; `receive` will return None."""
        if self._socket is not None:
            if self._closing is None and not self._given_up:
                code, reason = (refusal.code, refusal.name) if refusal else (_NORMAL, "")
                self._closing = asyncio.ensure_future(self._socket.close(code, reason))
        else:
            self._given_up = True
            if self._opening is not None:
                self._opening.cancel()

    def cut(self) -> None:
        """Close without a word, at once: a closing handshake needs tasks and asynchronous
        generators, and a loop that is being shut down ends both."""
        if self._socket is None:
            self.close(None)
        else:
            self._given_up = True
            self._socket.transport.close()

    async def closed(self) -> None:
        """Wait until what `close` or `cut` began has ended."""
        begun = {task for task in (self._opening, self._closing) if task is not None}
        if begun:
            await asyncio.wait(begun)
        if self._socket is not None:
            await self._socket.wait_closed()

    def disconnected(self) -> events.Disconnected:
        """How it ended."""
        if self._socket is None or self._failure:
            return events.Disconnected(None, self._failure)
        received = self._socket.protocol.close_rcvd
        return events.Disconnected(
            None if received is None else received.code, self._socket.close_reason or ""
        )


def _reason(error: BaseException) -> str:
    """Why there is no connection, for whoever reads the log."""
    if not isinstance(error, InvalidStatus):
        return f"{type(error).__name__}: {error}"
    status = error.response.status_code
    what = ": no sync socket at this path" if status == _NOT_FOUND else ""
    return f"the server answers {status}{what}"
