"""The line between devices and their server: it carries bytes until somebody cuts it.

A cut comes without warning, in the middle of a frame if need be, as when a cable is pulled.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from asyncio import StreamReader, StreamWriter
from types import TracebackType

_CHUNK_BYTES = 65536


class Link:
    """A relay on a free loopback port, for any number of connections to one server."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        """Where to connect instead; known inside the block."""
        self._upstream = (host, port)
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], tuple[StreamWriter, ...]] = {}

    async def __aenter__(self) -> Link:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        lines = list(self._lines)
        for line in lines:
            self._abort(line)
        await asyncio.gather(*lines, return_exceptions=True)

    def __len__(self) -> int:
        return len(self._lines)

    def cut(self, chance: random.Random) -> bool:
        """Cut one connection; False when there is none."""
        if not self._lines:
            return False
        self._abort(chance.choice(list(self._lines)))
        return True

    def _abort(self, line: asyncio.Task[None]) -> None:
        for writer in self._lines[line]:
            writer.transport.abort()

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines[task] = (writer,)
        try:
            onward, back = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            del self._lines[task]
            return
        self._lines[task] = (writer, back)
        try:
            await asyncio.gather(_copy(reader, back), _copy(onward, writer))
        finally:
            del self._lines[task]
            writer.transport.abort()
            back.transport.abort()


async def _copy(source: StreamReader, target: StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(_CHUNK_BYTES):
            target.write(chunk)
            await target.drain()
    target.close()
