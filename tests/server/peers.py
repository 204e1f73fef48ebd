"""Devices for tests of the server: a polite one on the `websockets` package, and a raw socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from syncd import limits
from syncd.errors import Refusal
from syncd.model import AccountId, Kind, Position, Seq, direct
from syncd.server import app as app_module
from syncd.server.connection import Backstage, Connection
from syncd.server.websocket import sync_endpoint
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, Codec, codec_for
from syncd.wire.frames import (
    Ack,
    Answers,
    Batch,
    ClientFrame,
    Goodbye,
    Hello,
    Message,
    Send,
    ServerFrame,
    Verdict,
)
from tests.server.conftest import Running

ANNE, BEN = AccountId("anne"), AccountId("ben")
Frame = TypeVar("Frame", bound=ServerFrame)


def instance(number: int) -> str:
    return f"{number:016x}"


@dataclass
class Peer:
    """A device that speaks the protocol, frame by frame, as a test wants it."""

    socket: ClientConnection
    codec: Codec
    entries: list[bytes] = field(default_factory=list)

    async def say(self, frame: ClientFrame) -> None:
        await self.say_bytes(self.codec.encode(frame))

    async def say_bytes(self, data: bytes) -> None:
        await self.socket.send(data if self.codec.binary else data.decode())

    async def hear(self, kind: type[Frame]) -> Frame:
        """The next frame, which is of this kind."""
        async with asyncio.timeout(10):
            data = await self.socket.recv()
        frame = self.codec.decode_server(data if isinstance(data, bytes) else data.encode())
        assert isinstance(frame, kind), frame
        return frame

    async def hears_goodbye(self, refusal: Refusal, instance: str | None = None) -> None:
        """What was under way, then a goodbye and a close frame with the same code."""
        frames: list[Any] = []
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    data = await self.socket.recv()
                    text = data if isinstance(data, bytes) else data.encode()
                    frames.append(self.codec.decode_server(text))
        assert frames[-1:] == [Goodbye(refusal.code, refusal.name, instance, None)]
        assert self.socket.close_code == refusal.code
        assert self.socket.close_reason == refusal.name

    async def catch_up(self, head: Seq, ack: bool = True) -> list[Batch]:
        """Batches up to `head`, acknowledged one by one."""
        batches: list[Batch] = []
        while not batches or batches[-1].to < head:
            batches.append(await self.hear(Batch))
            if ack:
                await self.say(Ack(self.epoch, batches[-1].to))
        return batches

    epoch: Any = b""

    async def greet(
        self,
        token: str,
        position: Position | None = None,
        *,
        cursor: bool = False,
        number: int = 1,
        window: int = limits.WINDOW_BYTES_MIN,
    ) -> Verdict:
        await self.say(Hello(token, instance(number), position, cursor, window))
        verdict = await self.hear(ServerFrame)
        assert not isinstance(verdict, Batch | Answers | Goodbye), verdict
        self.epoch = verdict.epoch
        return verdict


@dataclass
class Town:
    """A running service with people in it, and a look behind its stage."""

    running: Running
    backstage: Backstage
    tokens: dict[str, str] = field(default_factory=dict)
    _open: list[ClientConnection] = field(default_factory=list)
    _numbers: int = 0

    @property
    def url(self) -> str:
        return self.running.url.replace("http", "ws", 1) + "/v1/sync"

    async def settle(self) -> None:
        for account, name in ((ANNE, "phone"), (ANNE, "witness"), (BEN, "laptop")):
            made = await self.running.service.create_device(account, name=name, platform="pc")
            self.tokens[name] = made.token

    async def publish(self, count: int, body: bytes = b"hello") -> Seq:
        """Entries in Anne's log; its head."""
        done = [self.running.service.publish(ANNE, body) for _ in range(count)]
        return max(published.seq or 0 for published in await asyncio.gather(*done))

    async def socket(self, subprotocol: str = MSGPACK_SUBPROTOCOL, **arguments: Any) -> Peer:
        connected = await connect(
            self.url,
            subprotocols=[subprotocol],
            compression=None,
            max_size=limits.SERVER_FRAME_BYTES_MAX,
            proxy=None,
            **arguments,
        )
        self._open.append(connected)
        return Peer(connected, codec_for(subprotocol))

    async def live(
        self, name: str = "phone", position: Position | None = None, **arguments: Any
    ) -> Peer:
        """A device that has its verdict."""
        peer = await self.socket()
        await peer.greet(self.tokens[name], position, **arguments)
        return peer

    def connection(self, name: str = "") -> Connection:
        """The server's side of the only socket there is (or of one device)."""
        [found] = self.backstage.live._all
        return found

    async def still_serves(self) -> None:
        """Another device of the account syncs everything and sends, as if nothing had been."""
        peer = await self.socket(JSON_SUBPROTOCOL)
        verdict = await peer.greet(self.tokens["witness"])
        if verdict.missed:
            await peer.catch_up(verdict.head)
        self._numbers += 1
        said = Message(verdict.sent + 1, Kind.MESSAGE, direct(ANNE, BEN), None, b"all is well")
        await peer.say(Send((said,)))
        answers = await peer.hear(Answers)
        assert [(each.number, each.duplicate) for each in answers.accepted] == [
            (said.number, False)
        ]
        [batch] = await peer.catch_up(verdict.head + 1)
        assert batch.entries[-1].body == b"all is well"
        await peer.socket.close()

    async def only(self, count: int) -> None:
        """Until the server knows of so many sockets."""
        await until(lambda: len(self.backstage.live) == count)

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._open))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def found_town(start: Callable[..., Any], monkeypatch: Any, **arguments: Any) -> Town:
    """Start the real application and keep what it hands to its sync door."""
    stages: list[Backstage] = []

    def watched(backstage: Backstage, origins: Any) -> Any:
        stages.append(backstage)
        return sync_endpoint(backstage, origins)

    monkeypatch.setattr(app_module, "sync_endpoint", watched)
    running = await start(**arguments)
    town = Town(running, stages[0])
    await town.settle()
    return town


# ---------------------------------------------------------------- bytes by hand

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def masked(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A WebSocket frame as a client must send it."""
    first = opcode | (0x80 if final else 0)
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    key = os.urandom(4)
    repeated = key * (size // 4 + 1)
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:size], "big")
    return head + key + mixed.to_bytes(size, "big")


async def raw_socket(
    town: Town, *, receive_bytes: int = 0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An upgraded connection without any WebSocket library at this end."""
    plain = socket.socket()
    if receive_bytes:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", town.running.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=4096)
    writer.write(
        b"GET /v1/sync HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        b"Sec-WebSocket-Protocol: syncd.v1.msgpack\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head
    return reader, writer
