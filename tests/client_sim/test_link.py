"""A line that can be cut: carries bytes both ways, and ends both ends at once."""

import asyncio
import contextlib
import random
from asyncio import StreamReader, StreamWriter

import pytest

from client_sim.link import Link


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while chunk := await reader.read(100):
            writer.write(chunk)
    except ConnectionError:
        pass
    writer.close()


async def test_it_carries_bytes_and_the_end() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Link("127.0.0.1", server.sockets[0].getsockname()[1]) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_a_cut_breaks_the_connection() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Link("127.0.0.1", server.sockets[0].getsockname()[1]) as link:
        assert not link.cut(random.Random(1))
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"hello")
        await reader.readexactly(5)
        assert len(link) == 1
        assert link.cut(random.Random(1))
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()


async def test_nobody_listens_behind_it() -> None:
    async with Link("127.0.0.1", 1) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
