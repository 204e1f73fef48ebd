"""A raw socket that counts what comes and keeps a window of prepared requests under way.

The load must cost less than the servers that it measures, so nothing is decoded that need not be:
requests are bytes made before the clock starts, and answers are counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TypeAlias, TypeVar, cast

from bench.peers.peer import Work

SILENT_TIMEOUT_S = 120.0
"""A peer that answers nothing for so long is broken, not slow."""

ARRIVING_AT_ONCE = 64
"""Of a crowd, so many are between their first packet and being let in: fewer than the shortest
queue of connections that a server here has by default, or the kernel would drop some, which come
again a second later."""

Chunk: TypeAlias = tuple[bytes, int]
"""Some requests as one piece of bytes, and how many answers they will get."""


class LineLost(ConnectionError):
    """The peer closed a socket, or said something that no correct client should hear."""


class Line(asyncio.Protocol):
    """One connection. A peer's file says in `take` how its answers are counted.

    Asking (`ask`) comes first and counting (`flow`, `until`) after it; one coroutine uses a line
    at a time.
    """

    def __init__(self) -> None:
        self.counted = 0
        """Answers, or messages, so far."""
        self.arrived: list[float] | None = None
        """When each came, by perf_counter, if somebody puts a list here."""
        self._transport: asyncio.Transport
        self._reply: bytearray | None = bytearray()  # some servers greet before they are asked
        self._end = b""
        self._goal = 0
        self._waiter: asyncio.Future[None] | None = None
        self._lost: LineLost | None = None
        self._chunks: Iterator[Chunk] = iter(())
        self._next: Chunk | None = None
        self._room = 0

    def take(self, data: bytes) -> int:
        """How many answers `data`, the next piece of the stream, completes."""
        raise NotImplementedError  # abstract: only a peer's own line can tell

    def write(self, data: bytes) -> None:
        """Send now."""
        self._transport.write(data)

    async def ask(self, request: bytes, end: bytes) -> bytes:
        """Send `request`; everything that comes, as soon as `end` has come."""
        if self._reply is None:
            self._reply = bytearray()
        self._end = end
        self.write(request)
        if end not in self._reply:
            await self._wait()
        reply, self._reply = bytes(self._reply), None
        return reply

    async def until(self, count: int) -> None:
        """Return when `count` were counted in all. Raises LineLost."""
        self._goal = count
        if self.counted < count:
            await self._wait()

    async def flow(self, chunks: Sequence[Chunk], window: int) -> None:
        """Send all chunks with at most `window` requests unanswered; return when all are
        answered."""
        self._chunks, self._room = iter(chunks), window
        self._next = next(self._chunks, None)
        goal = self.counted + sum(count for _, count in chunks)
        self._refill()
        await self.until(goal)

    def close(self) -> None:
        """Leave, at once."""
        self._transport.abort()

    # ------------------------------------------------------------ what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._reply is not None:
            new = max(0, len(self._reply) - len(self._end))
            self._reply += data
            if self._end and self._reply.find(self._end, new) >= 0:
                self._wake()
            return
        count = self.take(data)
        if count:
            self.count(count)

    def connection_lost(self, error: Exception | None) -> None:
        self.fail(f"the peer closed the connection ({error or 'without an error'})")

    # ------------------------------------------------------------ parts

    def count(self, count: int) -> None:
        """So many more have come."""
        self.counted += count
        self._room += count
        if self.arrived is not None:
            self.arrived += [perf_counter()] * count
        self._refill()
        if self.counted >= self._goal:
            self._wake()

    def fail(self, why: str) -> None:
        """Whoever waits, now or later, gets LineLost with these words."""
        self._lost = self._lost or LineLost(why)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self._lost)

    def _refill(self) -> None:
        while self._next is not None and self._next[1] <= self._room:
            data, count = self._next
            self._room -= count
            self._next = next(self._chunks, None)
            self._transport.write(data)

    async def _wait(self) -> None:
        if self._lost is not None:
            raise self._lost
        self._waiter = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(SILENT_TIMEOUT_S):
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


L = TypeVar("L", bound=Line)


async def dial(make: Callable[[], L], port: int) -> L:
    """A connection to `port` on loopback."""
    _, line = await asyncio.get_running_loop().create_connection(make, "127.0.0.1", port)
    return line


def chunked(requests: Sequence[bytes], each: int) -> list[Chunk]:
    """The requests in pieces of `each`: fewer writes than requests, and several to a window."""
    parts = (requests[start : start + each] for start in range(0, len(requests), each))
    return [(b"".join(part), len(part)) for part in parts]


@asynccontextmanager
async def pipelined(
    lines: Sequence[Line], parts: Sequence[Sequence[Chunk]], window: int
) -> AsyncIterator[Work]:
    """Each line sends its part, all at once, with `window` requests unanswered by each; the lines
    are closed at the end."""

    async def work() -> None:
        await asyncio.gather(
            *(line.flow(part, window) for line, part in zip(lines, parts, strict=True))
        )

    yield work
    for line in lines:
        line.close()


@asynccontextmanager
async def crowded(
    arrivals: Sequence[Callable[[], Awaitable[L]]], then: Callable[[L], Awaitable[None]]
) -> AsyncIterator[Work]:
    """Everybody arrives at once and then does the same; the lines stay until the end."""
    lines: list[L] = []
    turns = asyncio.Semaphore(ARRIVING_AT_ONCE)

    async def come(arrive: Callable[[], Awaitable[L]]) -> None:
        async with turns:
            line = await arrive()
        lines.append(line)
        await then(line)

    async def work() -> None:
        await asyncio.gather(*map(come, arrivals))

    yield work
    for line in lines:
        line.close()
