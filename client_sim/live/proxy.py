"""A TCP proxy between one device and its server, and all that may befall a line on the way.

It knows where WebSocket frames begin, so that a line can be cut inside a chosen one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from client_sim.live.framing import Frames

LOOPBACK = "127.0.0.1"
_CHUNK_BYTES = 16_384
_CHUNKS_HELD = 4
_RECEIVED_BYTES = 65_536
"""A side that is stalled takes this much more, and what the two kernels hold."""
_PIECES_PER_S = 20
"""At a limited rate, bytes pass in so many pieces a second."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing the socket sends RST and forgets what was unsent."""


class Way(Enum):
    """One direction of a line, by where its bytes go."""

    TO_SERVER = "server"
    TO_DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a connection ends: inside a frame if one is named, else after so many more bytes.

    after_bytes: counted over both directions from now on; in a frame, over that frame alone.
    frame: the number of a frame in the direction `toward`, counted from the connection's first, 1.
    gently: both ends see an orderly end of the stream (FIN) rather than a reset (RST).
    """

    after_bytes: int = 0
    frame: int | None = None
    toward: Way = Way.TO_DEVICE
    gently: bool = False


class _Ended(Exception):
    """The cut was reached."""


@dataclass
class _Line:
    """What holds for all connections of one proxy, now and later."""

    delay_s: float = 0.0
    bytes_per_s: float = 0.0
    flowing: dict[Way, asyncio.Event] = field(
        default_factory=lambda: {way: asyncio.Event() for way in Way}
    )


class Connection:
    """One connection through the proxy: what passed, and where it will be cut."""

    def __init__(
        self, line: _Line, device: StreamWriter, told: Callable[[Connection], None]
    ) -> None:
        self.passed = dict.fromkeys(Way, 0)
        """Bytes, by direction."""
        self.frames = {way: Frames() for way in Way}
        self.silent = False
        """Nothing passes any more, and nobody is told."""
        self.cut: Cut | None = None
        self.was_cut = False
        self._line, self._told = line, told
        self._left: int | None = None
        self._writers = [device]
        self._task = asyncio.current_task()

    def end(self, cut: Cut) -> None:
        """Cut it at that place, at once where the place is here; once at most."""
        if self.was_cut:
            return
        self.cut = cut
        self._left = cut.after_bytes if cut.frame is None else None
        if self._left == 0:
            self._break()
            self._stop()

    def drop(self) -> None:
        """End it as the kernel does for a device whose process died; that is no fault of ours."""
        self._close(gently=True)
        self._stop()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def carry(self, device: StreamReader, address: str, port: int) -> None:
        """Be the line until both ends have closed, or one breaks, or it is cut."""
        try:
            server, to_server = await _connected(address, port)
        except OSError:
            self._close(gently=False)
            return
        [to_device] = self._writers
        self._writers.append(to_server)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pipe(Way.TO_SERVER, device, to_server))
                group.create_task(self._pipe(Way.TO_DEVICE, server, to_device))
        except* _Ended:
            self._break()
        except* ConnectionError:
            self._close(gently=False)
        finally:
            self._close(gently=True)

    def _close(self, *, gently: bool) -> None:
        for writer in self._writers:
            if not gently:
                raw = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    def _break(self) -> None:
        self.was_cut = True
        self._close(gently=self.cut is not None and self.cut.gently)
        self._told(self)

    async def _pipe(self, way: Way, source: StreamReader, target: StreamWriter) -> None:
        """Carry one direction to its end. Each chunk leaves `delay_s` after it came."""
        target.transport.set_write_buffer_limits(high=0)
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_HELD)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(source, held))
            group.create_task(self._give(way, target, held))

    async def _take(self, source: StreamReader, held: asyncio.Queue[tuple[float, bytes]]) -> None:
        loop = asyncio.get_running_loop()
        chunk = b"."
        while chunk:
            try:
                chunk = await source.read(_CHUNK_BYTES)
            except ConnectionError:
                if not self.silent:
                    raise
                chunk = b""
            await held.put((loop.time() + self._line.delay_s, chunk))

    async def _give(
        self, way: Way, target: StreamWriter, held: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        loop = asyncio.get_running_loop()
        chunk = b"."
        while chunk:
            due, chunk = await held.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._line.flowing[way].wait()
            for piece in self._pieces(chunk):
                await self._pass(way, piece, target)
                if self._line.bytes_per_s:
                    await asyncio.sleep(len(piece) / self._line.bytes_per_s)
        if not self.silent:
            with contextlib.suppress(OSError):
                target.write_eof()

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        rate = self._line.bytes_per_s
        size = max(1, int(rate / _PIECES_PER_S) if rate else len(chunk))
        return (chunk[at : at + size] for at in range(0, len(chunk), size))

    async def _pass(self, way: Way, piece: bytes, target: StreamWriter) -> None:
        if self.silent:
            return
        allowed = self._allowed(way, piece)
        self.passed[way] += min(allowed, len(piece))
        target.write(piece[:allowed])
        await target.drain()
        if allowed < len(piece) or self._left == 0:
            raise _Ended

    def _allowed(self, way: Way, piece: bytes) -> int:
        """How many of these bytes still pass."""
        before = self.frames[way].count
        starts = self.frames[way].starts(piece)
        if self.cut is None:
            return len(piece)
        if self._left is None:
            assert self.cut.frame is not None
            nth = self.cut.frame - before - 1
            if way is not self.cut.toward or not 0 <= nth < len(starts):
                return len(piece)
            self._left = starts[nth] + self.cut.after_bytes
        elif self.cut.frame is not None and way is not self.cut.toward:
            return len(piece)
        allowed = min(len(piece), self._left)
        self._left -= allowed
        return allowed


async def _connected(address: str, port: int) -> tuple[StreamReader, StreamWriter]:
    loop = asyncio.get_running_loop()
    failure = OSError(f"{address} has no address")
    for family, kind, _, _, place in await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM):
        raw = socket.socket(family, kind)
        raw.setblocking(False)
        # As small as a phone's: where a device stalls, the server shall notice.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)
        try:
            await loop.sock_connect(raw, place)
        except OSError as error:
            failure = error
            raw.close()
        except BaseException:
            raw.close()
            raise
        else:
            return await asyncio.open_connection(sock=raw)
    raise failure


class Proxy:
    """A proxy on a loopback port, for any number of connections to one server.

    `open` before use, `close` in the end. told: is called with each connection that was cut, at
    the moment of the cut.
    """

    def __init__(
        self, address: str, port: int, told: Callable[[Connection], None] = lambda cut: None
    ) -> None:
        self.port = 0
        """Where to connect instead."""
        self.connections: list[Connection] = []
        """Those that live, the newest last."""
        self.always: Cut | None = None
        """What befalls each connection from now on, where nothing else does."""
        self._to = address, port
        self._told = told
        self._line = _Line()
        self._plugged = True
        self._awaited: Cut | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        for event in self._line.flowing.values():
            event.set()

    async def open(self, port: int = 0) -> None:
        """Listen; on a free port where none is named. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections. Idempotent."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------ what may befall the line

    def cut(self, cut: Cut = Cut()) -> None:
        """Cut the newest connection; where there is none, the next one gets it."""
        alive = [each for each in self.connections if not (each.silent or each.was_cut)]
        if alive:
            alive[-1].end(cut)
        else:
            self._awaited = cut

    def drop(self) -> None:
        """The device's process died; a server that nothing reaches does not hear of it."""
        for each in self.connections:
            if not each.silent:
                each.drop()

    def unplug(self) -> None:
        """From now on nothing passes in either direction, and nobody is told."""
        self._plugged = False
        for each in self.connections:
            each.silent = True

    def plug(self) -> None:
        """New connections are carried again; those that were silenced stay so."""
        self._plugged = True

    def stall(self, way: Way) -> None:
        """In this direction nothing is taken any more; what waits fills the sender's buffers."""
        self._line.flowing[way].clear()

    def resume(self, way: Way) -> None:
        """The opposite; nothing was lost."""
        self._line.flowing[way].set()

    def delay(self, seconds: float) -> None:
        """Every byte that comes from now on takes so much longer, in either direction."""
        self._line.delay_s = seconds

    def limit(self, bytes_per_s: float) -> None:
        """No more than that passes in each direction; 0 ends it."""
        self._line.bytes_per_s = bytes_per_s

    # ------------------------------------------------------------ connections

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = Connection(self._line, writer, self._told)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections.append(connection)
        try:
            await self._carry(connection, reader)
        except asyncio.CancelledError:
            pass  # by a cut or by `close`: this task is of nobody else
        finally:
            writer.transport.abort()
            self.connections.remove(connection)
            self._tasks.discard(task)

    async def _carry(self, connection: Connection, device: StreamReader) -> None:
        if not self._plugged:
            connection.silent = True
            with contextlib.suppress(ConnectionError):
                while await device.read(_CHUNK_BYTES):
                    pass
            return
        cut, self._awaited = self._awaited or self.always, None
        if cut is not None:
            connection.end(cut)
        await connection.carry(device, *self._to)


@asynccontextmanager
async def carried(address: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy to that server on a free port, closed with the block."""
    proxy = Proxy(address, port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
