"""A running service: the real application behind a real socket, over a real store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from syncd.server.admin import ask
from syncd.server.app import SERVICE, application
from syncd.server.listening import address_of, bound, listen, stop_listening
from syncd.server.requests import Key
from syncd.server.service import Service


@dataclass(frozen=True)
class Running:
    """One application as `syncd serve` runs it, and somebody who talks to it."""

    url: str
    port: int
    data: Path
    app: web.Application
    service: Service
    http: aiohttp.ClientSession

    async def key(self, name: str = "test") -> str:
        """A new API key, by the way an operator gets one."""
        answer = await asyncio.to_thread(ask, self.data, Key(name))
        return str(answer["ok"]["key"])

    async def raw(self, sent: bytes) -> bytes:
        """All that the server answers to these bytes until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Running]]]:
    """Starts applications; all of them stop with the test."""
    async with AsyncExitStack() as stack:

        async def started(**arguments: Any) -> Running:
            return await stack.enter_async_context(_running(tmp_path / "store", **arguments))

        yield started


@asynccontextmanager
async def _running(data: Path, **arguments: Any) -> AsyncIterator[Running]:
    app = application(**({"store": data} | arguments))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        listening = bound("127.0.0.1", 0)
        accepting = listen(runner, listening)
        url = address_of(listening)
        async with aiohttp.ClientSession(url) as http:
            port = int(url.rpartition(":")[2])
            yield Running(url, port, data, app, app[SERVICE], http)
        await stop_listening(accepting, listening)
        await app[SERVICE].drain()
    finally:
        await runner.cleanup()


@pytest.fixture
async def running(start: Callable[..., Awaitable[Running]]) -> Running:
    return await start()
