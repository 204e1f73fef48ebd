"""The listening socket: who is let in and how fast, and aiohttp's side of one connection."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http import WebSocketReader
from aiohttp.web_protocol import RequestHandler

from syncd import errors
from syncd.limits import (
    ACCEPTED_AT_ONCE,
    CONNECTIONS_PER_SECOND,
    PEER_SILENT_TIMEOUT_S,
    REQUEST_HEAD_TIMEOUT_S,
)
from syncd.server.refusals import refused

log = logging.getLogger(__name__)

_LINGER_S = 2.0
"""How long the rest of a request that was refused early is read and thrown away, so that the peer
gets to read why."""

_BACKLOG = 65_535
"""Connections that wait to be accepted: a whole office reconnects at once. The kernel keeps no more
than net.core.somaxconn says, 4,096 by default."""

_ACCEPT_AGAIN_S = 1.0
"""After the kernel had no room for one more connection."""

_NO_REQUESTS: deque[Any] = deque(maxlen=0)


# ------------------------------------------------------------ the socket


def bound(host: str, port: int) -> socket.socket:
    """A socket that holds the address but does not listen yet: nobody waits while we start."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted sockets inherit it: data that stays unacknowledged so long means a dead peer.
        silent_ms = int(PEER_SILENT_TIMEOUT_S * 1000)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, silent_ms)
        listening.bind(address)
    except BaseException:
        listening.close()
        raise
    return listening


def address_of(listening: socket.socket) -> str:
    """The URL of a bound socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


# ------------------------------------------------------------ the door


@dataclass(slots=True)
class Pace:
    """Spreads what comes in a crowd: so many a second over time, and nothing saved up."""

    per_second: float
    _free_at: float = 0.0

    LATE_S = 0.001
    """Timers of the loop are late by as much; what comes then may catch up."""

    def pause_s(self, now: float, count: int) -> float:
        """For how long nobody follows the `count` that came at `now`, in seconds of any clock."""
        self._free_at = max(self._free_at, now - self.LATE_S) + count / self.per_second
        return max(0.0, self._free_at - now)


def listen(runner: web.AppRunner, listening: socket.socket) -> asyncio.Task[None]:
    """Accept connections for `runner`, which was set up, until the task is cancelled."""
    server = runner.server
    assert server is not None
    loop = asyncio.get_running_loop()

    def connection() -> _Connection:
        return _Connection(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # documented; the annotation forgot it
            # Closes who has not sent a whole request head so long after the connection began or
            # after the answer before: slowloris, and idle keep-alive alike. A socket that was
            # upgraded is exempt.
            keepalive_timeout=REQUEST_HEAD_TIMEOUT_S,
            lingering_time=_LINGER_S,
            auto_decompress=False,
        )

    listening.setblocking(False)
    listening.listen(_BACKLOG)
    return asyncio.create_task(_accept(listening, connection))


async def stop_listening(accepting: asyncio.Task[None], listening: socket.socket) -> None:
    """Let nobody in any more; who waits at the socket, which is closed, is reset. Raises what had
    ended the task before its time."""
    accepting.cancel()
    await asyncio.wait([accepting])
    listening.close()
    if not accepting.cancelled():
        accepting.result()


async def _accept(listening: socket.socket, connection: Callable[[], _Connection]) -> None:
    """Let in a few at a time, so that what each of them needs next is done for all of them, and not
    more than the pace allows: those who never left shall hardly notice a crowd."""
    loop = asyncio.get_running_loop()
    pace = Pace(CONNECTIONS_PER_SECOND)
    while True:
        try:
            accepted = await _some(listening)
        except ConnectionError:
            continue  # it went away while it waited
        except OSError as error:
            log.error("! no connection can be accepted: %s", error)
            await asyncio.sleep(_ACCEPT_AGAIN_S)
            continue
        await asyncio.gather(*(_let_in(connection, each) for each in accepted))
        await asyncio.sleep(pace.pause_s(loop.time(), len(accepted)))


async def _some(listening: socket.socket) -> list[socket.socket]:
    """Connections that wait, when there are any. Raises OSError."""
    first, _ = await asyncio.get_running_loop().sock_accept(listening)
    accepted = [first]
    try:
        while len(accepted) < ACCEPTED_AT_ONCE:
            accepted.append(listening.accept()[0])
    except OSError:
        pass  # nobody else waits; or it will be said again
    return accepted


async def _let_in(connection: Callable[[], _Connection], accepted: socket.socket) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(connection, accepted)
    except OSError:
        accepted.close()


# ------------------------------------------------------------ one connection


class _Connection(RequestHandler):
    """aiohttp's side of one TCP connection, with our answer to what is no HTTP at all."""

    __slots__ = ()

    def set_parser(
        self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None
    ) -> None:
        """The upgrade: no request follows, and what would take one weighs 1.5 KiB."""
        super().set_parser(parser, data_received_cb)
        self._parser = None
        self._messages = _NO_REQUESTS

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp's own answer quotes what came in, and logs it; either may hold a secret."""
        kind = type(exc).__name__
        if status < 500:
            log.info("< a request that is none: %s", kind)
        else:
            log.error("! a request failed outside of its route: %s", kind)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        response = refused(errors.BAD_REQUEST)
        response.set_status(status)
        response.headers[hdrs.SERVER] = "syncd"
        response.force_close()
        return response
