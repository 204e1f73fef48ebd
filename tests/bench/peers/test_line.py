"""A raw line asks, counts, keeps its window, and says why it ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from bench.peers.line import Line, LineLost, dial

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Counting(Line):
    def take(self, data: bytes) -> int:
        return data.count(b"!")


@asynccontextmanager
async def lines(peer: Peer) -> AsyncIterator[Counting]:
    """A line to a real peer on loopback, which is left without a goodbye."""
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await peer(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        line = await dial(Counting, server.sockets[0].getsockname()[1])
        yield line
        line.close()
        await gone.wait()


async def test_a_greeting_before_the_first_question_is_no_answer() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome!!!\n")
        await reader.readexactly(3)
        writer.write(b"fine")
        await reader.read()

    async with lines(peer) as line:
        assert await line.ask(b"hi?", b"fine") == b"welcome!!!\nfine"
        assert line.counted == 0


async def test_never_more_is_under_way_than_the_window() -> None:
    most = waiting = 0

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most, waiting
        writer.write(b"ready")
        while data := await reader.read(65536):
            waiting += data.count(b"?")
            most = max(most, waiting)
            writer.write(b"!" * waiting)
            waiting = 0

    async with lines(peer) as line:
        await line.ask(b"", b"ready")
        line.arrived = []
        await line.flow([(b"???", 3)] * 20 + [(b"?", 1)] * 2, 6)
        assert (line.counted, len(line.arrived)) == (62, 62)
    assert 0 < most <= 6


async def test_who_waits_hears_that_the_peer_left() -> None:
    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        writer.write(b"!")

    async with lines(peer) as line:
        with pytest.raises(LineLost):
            await line.ask(b"?", b"never said")
        with pytest.raises(LineLost):
            await line.until(2)
