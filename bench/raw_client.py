"""The smallest device that can load a server: frames encoded before the clock starts.

It trusts the server and keeps nothing, so that the load process costs as little as it can: entries
are skipped undecoded, batches are acknowledged at half a window. What a real client does is
measured through the SDK (catchup.py).
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.processes import ServerFailed, Target
from syncd import limits
from syncd.model import AccountId, Epoch, Kind, direct
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Ack, Answers, Hello, Message, Send, Welcome

BODY_BYTES = 120
MESSAGES_PER_FRAME = 128
"""Eight frames fill the window of unanswered messages, so that the line never runs dry."""

_DEVICES_AT_ONCE = 32
_WINDOW_BYTES = limits.WINDOW_BYTES_DEFAULT
_ANSWERS_TAG = 21
_BATCH_TAG = 19

_codec = codec_for(MSGPACK_SUBPROTOCOL)


class BatchEdges(msgspec.Struct, frozen=True, array_like=True, tag=_BATCH_TAG):
    """A batch whose entries are left as they came."""

    prev: int
    to: int
    entries: msgspec.Raw
    chain: bytes
    head: int


_edges = msgspec.msgpack.Decoder(BatchEdges)


@dataclass(frozen=True, slots=True)
class Credential:
    """One device that may connect."""

    account: AccountId
    device: str
    token: str


async def make_devices(target: Target, accounts: Sequence[AccountId]) -> list[Credential]:
    """One new device for each account named, in order, through the server's own HTTP door."""
    headers = {"Authorization": f"Bearer {target.key}"}
    address = target.url.rstrip("/") + "/v1/devices"
    turns = asyncio.Semaphore(_DEVICES_AT_ONCE)

    async def make(session: aiohttp.ClientSession, account: AccountId) -> Credential:
        request = {"account": account, "name": "bench", "platform": "pc"}
        async with turns, session.post(address, json=request) as answer:
            if answer.status not in (200, 201):
                raise ServerFailed(f"no device: {answer.status} {await answer.text()}")
            made = await answer.json()
            return Credential(account, made["device"], made["token"])

    async with aiohttp.ClientSession(headers=headers) as session:
        return await asyncio.gather(*(make(session, account) for account in accounts))


def new_accounts(word: str, count: int) -> list[AccountId]:
    """Names that no earlier run has used, so that a running server can be measured twice."""
    draw = secrets.token_hex(4)
    return [AccountId(f"bench-{word}-{draw}-{place}") for place in range(count)]


def send_frames(
    sender: AccountId, recipients: Sequence[AccountId], first: int, count: int
) -> list[tuple[bytes, int]]:
    """`count` messages from number `first` on, to recipients drawn at random, as encoded frames
    with the number of messages in each."""
    frames: list[tuple[bytes, int]] = []
    for start in range(first, first + count, MESSAGES_PER_FRAME):
        numbers = range(start, min(start + MESSAGES_PER_FRAME, first + count))
        messages = tuple(
            Message(
                number,
                Kind.MESSAGE,
                direct(sender, random.choice(recipients)),
                None,
                random.randbytes(BODY_BYTES),
            )
            for number in numbers
        )
        frames.append((_codec.encode(Send(messages)), len(messages)))
    return frames


def encode(frame: Send) -> bytes:
    """A frame that no client prepares."""
    return _codec.encode(frame)


class RawClient:
    """One authenticated socket. One coroutine uses it at a time."""

    def __init__(self, socket: ClientConnection, verdict: Welcome) -> None:
        self.socket = socket
        self.verdict = verdict
        self.sent = verdict.sent
        """The highest number sent."""
        self._unanswered = 0
        self._unacknowledged = 0
        self._epoch = Epoch(verdict.epoch)

    @classmethod
    async def open(cls, target: Target, credential: Credential) -> RawClient:
        """Connect, say hello as a device that holds nothing, take the verdict."""
        socket = await connect(
            target.sync_url,
            subprotocols=[Subprotocol(MSGPACK_SUBPROTOCOL)],
            compression=None,
            max_size=limits.SERVER_FRAME_BYTES_MAX,
            ping_interval=None,
            open_timeout=60,
            proxy=None,
        )
        instance = secrets.token_hex(limits.INSTANCE_CHARACTERS // 2)
        hello = Hello(credential.token, instance, None, False, _WINDOW_BYTES)
        await socket.send(_codec.encode(hello))
        verdict = _codec.decode_server(await cls._binary(socket))
        if not isinstance(verdict, Welcome):
            raise ServerFailed(f"a new device was not welcomed: {verdict!r}")
        return cls(socket, verdict)

    async def close(self) -> None:
        """Leave."""
        await self.socket.close()

    def prepare(self, recipients: Sequence[AccountId], count: int) -> list[tuple[bytes, int]]:
        """The next `count` messages of this device, encoded."""
        frames = send_frames(self.verdict.account, recipients, self.sent + 1, count)
        self.sent += count
        return frames

    async def send_all(
        self,
        frames: Sequence[tuple[bytes, int]],
        unanswered_max: int = limits.UNANSWERED_MESSAGES_MAX,
    ) -> None:
        """Send with at most so many messages unanswered; return when all is answered."""
        for data, count in frames:
            while self._unanswered + count > unanswered_max:
                await self._take(await self.receive())
            await self.socket.send(data)
            self._unanswered += count
        while self._unanswered:
            await self._take(await self.receive())

    async def receive(self) -> bytes:
        """The next frame."""
        return await self._binary(self.socket)

    async def take_batch(self, data: bytes) -> BatchEdges | None:
        """The batch that `data` is, acknowledged at half a window; None for any other frame."""
        if data[1] != _BATCH_TAG:
            return None
        edges = _edges.decode(data)
        self._unacknowledged += len(data)
        if self._unacknowledged >= _WINDOW_BYTES // 2:
            self._unacknowledged = 0
            await self.socket.send(_codec.encode(Ack(self._epoch, edges.to)))
        return edges

    async def _take(self, data: bytes) -> None:
        """Count answers; what was sent also comes back as an entry of the own log."""
        if data[1] == _ANSWERS_TAG:
            frame = _codec.decode_server(data)
            assert isinstance(frame, Answers)
            if frame.refused:
                raise ServerFailed(f"the server refused {frame.refused[0]!r}")
            self._unanswered -= len(frame.accepted)
        else:
            await self.take_batch(data)

    @staticmethod
    async def _binary(socket: ClientConnection) -> bytes:
        data = await socket.recv(decode=False)
        assert isinstance(data, bytes)
        return data
