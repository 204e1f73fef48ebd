"""The client's end of pretended connections: what the SDK's interpreter dials and reads.

When the device's process is dead nothing here answers any more; whoever waits, waits for ever.
"""

from __future__ import annotations

import asyncio
from collections import deque

from client_sim.pretend.direction import End
from client_sim.pretend.line import Line, Link
from syncd.errors import Refusal
from syncd.protocol import client_events as events
from syncd.wire.codec import Malformed, MsgpackCodec
from syncd.wire.frames import ClientFrame, Send

_CODEC = MsgpackCodec()
_OPEN_TIMEOUT_S = 10.0
_LOOK_AGAIN_S = 0.25
_NORMAL = 1000


class PretendDialler:
    """See Dialler. One for each run of a device's process."""

    url = "ws://pretended/v1/sync"

    def __init__(self, link: Link) -> None:
        self.link = link
        self.alive = True
        self._newest: PretendDialled | None = None

    def dial(self) -> PretendDialled:
        self._newest = PretendDialled(self)
        return self._newest

    def abandon(self) -> None:
        """The process is dead: its connection is cut, and it learns of nothing any more."""
        self.alive = False
        self.link.abandoned.append(self)
        if self._newest is not None:
            self._newest.cut_off()


class PretendDialled:
    """See Dialled."""

    def __init__(self, dialler: PretendDialler) -> None:
        self._dialler = dialler
        self._link = dialler.link
        self._loop = dialler.link.world.loop
        self._line: Line | None = None
        self._connected: asyncio.Future[bool] = self._loop.create_future()
        self._until = 0.0
        self._frames: deque[bytes] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._end: End | None = None
        self._closing = False

    # -------------------------------------------------------- connecting

    async def connect(self) -> bool:
        self._until = self._loop.time() + _OPEN_TIMEOUT_S
        self._loop.call_later(self._link.latency(), self._knock)
        return await self._connected

    def _knock(self) -> None:
        if self._connected.done() or not self._dialler.alive:
            return
        place = self._link.place()
        if not self._link.plugged or (place is not None and place.frozen):
            if self._loop.time() < self._until:
                self._loop.call_later(_LOOK_AGAIN_S, self._knock)
            else:
                self._fail("TimeoutError: timed out during opening handshake")
        elif place is None or self._link.world.befalls("connect_failed", self._link.device):
            self._fail("ConnectionRefusedError: nobody listens")
        else:
            self._line = Line(self._link, place, self)
            self._connected.set_result(True)

    def _fail(self, reason: str) -> None:
        self._end = End(None, reason)
        self._finish()
        if not self._connected.done():
            self._connected.set_result(False)

    # -------------------------------------------------------- frames

    async def receive(self) -> events.Received | events.Malformed | None:
        while not self._frames:
            if self._end is not None:
                return None
            self._reader = self._loop.create_future()
            await self._reader
        data = self._frames.popleft()
        try:
            return events.Received(_CODEC.decode_server(data), len(data))
        except Malformed as error:
            return events.Malformed(error.refusal)

    async def send(self, frame: ClientFrame) -> None:
        line = self._line
        if line is None or self._closing or self._end is not None or not self._dialler.alive:
            return
        data = _CODEC.encode(frame)
        line.send_up(data)
        if isinstance(frame, Send) and self._link.world.befalls("retry_doubled", self._link.device):
            line.send_up(data)

    def arrive(self, data: bytes) -> None:
        """A frame came."""
        if self._dialler.alive and self._end is None:
            self._frames.append(data)
            self._wake()

    def ended(self, end: End) -> None:
        """The line is dead, or closed; the first that is heard of it counts."""
        if self._dialler.alive and self._end is None:
            self._end = end
            self._finish()

    def _finish(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # -------------------------------------------------------- the end

    def close(self, refusal: Refusal | None) -> None:
        if not self._dialler.alive or self._closing or self._end is not None:
            return
        if self._line is None:
            self._fail("given up")
        else:
            self._closing = True
            self._line.close_up(_NORMAL if refusal is None else refusal.code)

    def cut(self) -> None:
        if self._line is None:
            self.close(None)
        elif self._dialler.alive:
            self._line.cut()
            self.ended(End())

    def cut_off(self) -> None:
        """The process is dead, its socket with it."""
        if self._line is not None:
            self._line.abandon()

    async def closed(self) -> None:
        await self._gone

    def disconnected(self) -> events.Disconnected:
        assert self._end is not None
        return events.Disconnected(self._end.code, self._end.reason)
