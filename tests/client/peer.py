"""A scripted peer: a real WebSocket server on loopback that says what a test wants it to say.

Each connection of the client plays the next script. A script that fails, or a connection that no
script was written for, fails the test when the peer is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from syncd.errors import Refusal
from syncd.wire.codec import SUBPROTOCOLS, codec_for
from syncd.wire.frames import Ack, ClientFrame, Goodbye, Hello, Send, ServerFrame

PATIENCE_S = 20.0
"""How long anything may take that is not expected to take long: only a broken test waits so."""


async def soon(awaitable: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(awaitable, PATIENCE_S)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that tells nobody when it happens."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0)  # each look lets the others go on


class Talk:
    """One connection, from the script's side."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        assert socket.ws_protocol is not None
        self.socket = socket
        self.codec = codec_for(socket.ws_protocol)
        self.close_code: int | None = None

    async def hear(self) -> ClientFrame | None:
        """The client's next frame; None when it has closed."""
        heard = await soon(self.socket.receive())
        if heard.type is WSMsgType.CLOSE:
            self.close_code = heard.data
        if heard.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
            return None
        data = heard.data if isinstance(heard.data, bytes) else heard.data.encode()
        return self.codec.decode_client(data)

    async def expect(self, kind: type[Any]) -> Any:
        """The client's next frame, which is of this type."""
        frame = await self.hear()
        assert isinstance(frame, kind), frame
        return frame

    async def say(self, *said: ServerFrame) -> None:
        """Frames, in the socket's encoding."""
        for frame in said:
            data = self.codec.encode(frame)
            if self.codec.binary:
                await self.socket.send_bytes(data)
            else:
                await self.socket.send_str(data.decode())

    async def goodbye(self, refusal: Refusal, instance: str | None = None) -> None:
        """Say goodbye with this refusal, and close with its code."""
        await self.say(Goodbye(refusal.code, refusal.name, instance, None))
        await self.socket.close(code=refusal.code)

    async def listen(self) -> int | None:
        """Hear everything until the client closes; its close code."""
        while await self.hear() is not None:
            pass
        return self.close_code


Script = Callable[[Talk], Awaitable[None]]


@asynccontextmanager
async def peer(*scripts: Script) -> AsyncIterator[str]:
    """The address of a peer that plays these scripts, one per connection."""
    waiting = list(scripts)
    failures: list[BaseException] = []
    upgrades: set[asyncio.Task[Any]] = set()

    async def answer(request: web.Request) -> web.WebSocketResponse:
        task = asyncio.current_task()
        assert task is not None
        upgrades.add(task)
        socket = web.WebSocketResponse(protocols=SUBPROTOCOLS, compress=False)
        await socket.prepare(request)
        try:
            assert waiting, "a connection that no script was written for"
            await waiting.pop(0)(Talk(socket))
        except BaseException as error:
            failures.append(error)
        await socket.close()
        upgrades.discard(task)
        return socket

    app = web.Application()
    app.router.add_get("/v1/sync", answer)
    async with serving(app) as url:
        yield url
        if upgrades:
            await soon(asyncio.wait(upgrades))
    if failures:
        raise failures[0]
    assert not waiting, f"{len(waiting)} scripts were not played"


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The sync address of an application that runs on a free port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/v1/sync"
    finally:
        await runner.cleanup()


__all__ = ["Ack", "Hello", "Send", "Talk", "peer", "serving", "soon", "until"]
