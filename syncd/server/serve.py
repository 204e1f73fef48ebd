"""`syncd serve`: the application as a process of its own, from the bound port to the goodbyes."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from aiohttp.http import WebSocketReader
from aiohttp.web_protocol import RequestHandler

from syncd import errors
from syncd.limits import (
    ACCEPTED_AT_ONCE,
    PEER_SILENT_TIMEOUT_S,
    REQUEST_HEAD_TIMEOUT_S,
    UNFOLDED_MIB,
)
from syncd.model import CursorScope
from syncd.server.app import SERVICE, application
from syncd.server.policy_http import HttpPolicy
from syncd.server.refusals import refused
from syncd.server.throttle import Rates

log = logging.getLogger(__name__)

_LINGER_S = 2.0
"""How long the rest of a request that was refused early is read and thrown away, so that the peer
gets to read why."""

_BACKLOG = 1024
"""Connections that wait to be accepted: a whole office reconnects at once."""

_NO_REQUESTS: deque[Any] = deque(maxlen=0)

_REQUESTS_FINISH_S = 10.0
"""How long requests under way may take when the server stops."""


async def serve(
    *,
    data: Path,
    host: str,
    port: int,
    cursor_scope: CursorScope,
    allowed_origins: Collection[str] = (),
    policy_url: str = "",
    recall_within_s: int = 0,
    retain_days: int = 0,
    retain_entries: int = 0,
    rates: Rates | None = None,
    journal: Path | None = None,
    login: Path | None = None,
    unfolded_mib: int = UNFOLDED_MIB,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return.

    Prints one line, `listening on http://HOST:PORT`, on standard output once requests are served.
    A second signal ends the process at once. Raises OSError when it cannot listen or record,
    SettingsRefused when nobody can log in by that file, and StoreRefused when the store does not
    open.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    with bound(host, port) as listening:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stopping.set)
        policy = HttpPolicy(policy_url) if policy_url else None
        app = application(
            store=data,
            allowed_origins=allowed_origins,
            cursor_scope=cursor_scope,
            policy=policy,
            recall_within_s=recall_within_s,
            retain_days=retain_days,
            retain_entries=retain_entries,
            rates=rates,
            journal=journal,
            login=login,
            unfolded_mib=unfolded_mib,
        )
        if policy is not None:
            app.cleanup_ctx.insert(0, policy.lifetime)  # asked until the service has ended
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_REQUESTS_FINISH_S)
        try:
            await runner.setup()
            server = await listen(runner, listening)
            settle_garbage_collector()
            print(f"listening on {address_of(listening)}", flush=True)
            log.info("= listening", extra={"facts": {"address": address_of(listening)}})
            await stopping.wait()
            for each in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(each)
            server.close()
            # Before aiohttp begins its own shutdown, which is deaf to close frames.
            await app[SERVICE].drain()
        finally:
            await runner.cleanup()
    log.info("= stopped")


def settle_garbage_collector() -> None:
    """Look for cycles more rarely, and never among what lives as long as the process.

    By Python's default what is new is looked through every 700 objects. A message makes hardly any
    that the collector knows, but a connection makes a hundred: a look at ten thousand takes 4 ms,
    which is how long all others wait while devices come back.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 100, 50)


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


async def listen(runner: web.AppRunner, listening: socket.socket) -> asyncio.Server:
    """Accept requests for `runner`, which was set up."""
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

    accepting = await loop.create_server(connection, sock=listening, backlog=ACCEPTED_AT_ONCE)
    listening.listen(_BACKLOG)  # asyncio would accept as many in one turn as may wait
    return accepting


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
