"""A line through the proxy: carried, cut at the byte, silent, stalled, slow."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from client_sim.live.proxy import LOOPBACK, Connection, Cut, Proxy, Way, carried

PATIENCE_S = 10


class Ends:
    """An echo server behind a proxy, and what it has seen of its connections' ends."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.broken: list[bool] = []
        self.over = asyncio.Event()

    async def echo(self, reader: StreamReader, writer: StreamWriter) -> None:
        got, broken = b"", False
        try:
            while chunk := await reader.read(1 << 16):
                got += chunk
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            broken = True
        self.got.append(got)
        self.broken.append(broken)
        writer.transport.abort()
        self.over.set()


@asynccontextmanager
async def line() -> AsyncIterator[tuple[Ends, Proxy]]:
    ends = Ends()
    server = await asyncio.start_server(ends.echo, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(PATIENCE_S), server, carried(LOOPBACK, port) as proxy:
        yield ends, proxy


@asynccontextmanager
async def dialled(proxy: Proxy) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def all_of(reader: StreamReader) -> tuple[bytes, bool]:
    """What still comes, and whether it ended in a reset."""
    got = b""
    try:
        while chunk := await reader.read(1 << 16):
            got += chunk
    except ConnectionError:
        return got, True
    return got, False


async def test_it_carries_bytes_and_the_end() -> None:
    async with line() as (ends, proxy), dialled(proxy) as (reader, writer):
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        [connection] = proxy.connections
        assert connection.passed == {Way.TO_SERVER: 5, Way.TO_DEVICE: 5}
        writer.write_eof()
        assert await all_of(reader) == (b"", False)
        assert ends.broken == [False]


@pytest.mark.parametrize("gently", [False, True])
async def test_a_cut_ends_both_sides(gently: bool) -> None:
    async with line() as (ends, proxy), dialled(proxy) as (reader, writer):
        writer.write(b"hello")
        await reader.readexactly(5)
        proxy.cut(Cut(gently=gently))
        assert await all_of(reader) == (b"", not gently)
        await ends.over.wait()
        assert ends.broken == [not gently]


async def test_a_cut_counts_the_bytes_of_both_directions() -> None:
    async with line() as (ends, proxy), dialled(proxy) as (reader, writer):
        writer.write(b"hello")
        await reader.readexactly(5)
        proxy.cut(Cut(after_bytes=8))
        writer.write(b"again")
        assert await all_of(reader) == (b"aga", True)
        await ends.over.wait()
        assert ends.got == [b"helloagain"]


async def test_a_cut_waits_for_the_next_connection() -> None:
    told: list[Connection] = []
    ends = Ends()
    server = await asyncio.start_server(ends.echo, LOOPBACK, 0)
    proxy = Proxy(LOOPBACK, server.sockets[0].getsockname()[1], told.append)
    await proxy.open()
    async with asyncio.timeout(PATIENCE_S), server:
        proxy.cut(Cut(after_bytes=3))
        assert told == []
        async with dialled(proxy) as (reader, writer):
            writer.write(b"hello")
            assert (await all_of(reader))[1]
        assert [each.passed[Way.TO_SERVER] for each in told] == [3]
        async with dialled(proxy) as (reader, writer):
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
        await proxy.close()


async def test_nobody_listens_behind_it() -> None:
    async with carried(LOOPBACK, 1) as proxy, dialled(proxy) as (reader, _):
        assert await asyncio.wait_for(all_of(reader), PATIENCE_S) == (b"", True)


async def test_an_unplugged_line_is_silent_and_stays_dead() -> None:
    async with line() as (ends, proxy), dialled(proxy) as (reader, writer):
        writer.write(b"hello")
        await reader.readexactly(5)
        proxy.unplug()
        writer.write(b"again")
        async with dialled(proxy) as (other, typing):
            typing.write(b"anybody?")
            proxy.plug()
            async with dialled(proxy) as (third, talking):
                talking.write(b"new line")
                assert await third.readexactly(8) == b"new line"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(other.read(1), 0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        await ends.over.wait()
        assert ends.got == [b"new line"]


async def test_a_stalled_side_fills_the_senders_buffers() -> None:
    async with line() as (_, proxy), dialled(proxy) as (reader, writer):
        proxy.stall(Way.TO_SERVER)
        writer.transport.set_write_buffer_limits(high=0)
        sent = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while True:
                    writer.write(bytes(1 << 20))
                    sent += 1 << 20
                    await writer.drain()
        receiving = asyncio.create_task(reader.readexactly(sent))
        assert proxy.connections[0].passed[Way.TO_SERVER] == 0
        proxy.resume(Way.TO_SERVER)
        assert await receiving == bytes(sent)


async def test_delay_and_rate_keep_the_order() -> None:
    async with line() as (_, proxy), dialled(proxy) as (reader, writer):
        loop = asyncio.get_running_loop()
        proxy.delay(0.05)
        began = loop.time()
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert loop.time() - began >= 0.1, "there and back"
        proxy.delay(0)
        proxy.limit(10_000)
        began = loop.time()
        writer.write(bytes(range(256)) * 8)
        assert await reader.readexactly(2048) == bytes(range(256)) * 8
        assert loop.time() - began >= 0.1


# ---------------------------------------------------------------- frames


async def answer(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


async def heard(socket: ClientConnection, count: int) -> list[bytes]:
    """What comes until the line is cut."""
    found = []
    for number in range(count):
        await socket.send(b"%03d" % number * 50)
    try:
        while True:
            found.append(await socket.recv(decode=False))
    except ConnectionClosedError:
        return found


@pytest.mark.parametrize("toward", list(Way))
@pytest.mark.parametrize("into", [0, 1, 100])
async def test_a_line_is_cut_inside_the_frame_that_was_named(toward: Way, into: int) -> None:
    async with asyncio.timeout(PATIENCE_S), serve(answer, LOOPBACK, 0) as server:
        told: list[Connection] = []
        proxy = Proxy(LOOPBACK, next(iter(server.sockets)).getsockname()[1], told.append)
        await proxy.open()
        try:
            proxy.cut(Cut(into, frame=3, toward=toward))
            async with connect(f"ws://{LOOPBACK}:{proxy.port}", compression=None) as socket:
                found = await heard(socket, 5)
        finally:
            await proxy.close()
    assert len(found) <= 2
    assert found == [b"000" * 50, b"001" * 50][: len(found)]
    [connection] = told
    assert connection.frames[toward].count >= 3
    if toward is Way.TO_DEVICE:
        assert len(found) == 2
