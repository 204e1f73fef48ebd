"""This service, durable as shipped: SQLite, WAL and synchronous=FULL, an answer after the fsync.

The raw client speaks WebSocket by itself: client frames are made before the clock starts, and of
what comes only the heads of frames are read. Beside the answers every sender gets its own messages
back as entries of its own log, and acknowledges them: that is part of the work.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import count

from bench.peers.line import Chunk, Line, LineLost, crowded, dial, pipelined
from bench.peers.peer import RECIPIENTS, Client, Place, Server, Talk, Work, body, people
from bench.processes import UNLIMITED, Target, serving
from bench.raw_client import Credential, make_devices
from syncd import __version__, limits
from syncd.client import connect
from syncd.model import AccountId, Epoch, Kind, direct
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Ack, Hello, Message, Send, Welcome

MESSAGES_PER_FRAME = 256
"""Four frames fill the window of unanswered messages, so that the line never runs dry."""

_SENDING_WINDOW_BYTES = limits.WINDOW_BYTES_DEFAULT
_READING_WINDOW_BYTES = limits.WINDOW_BYTES_MAX

_WELCOME, _BATCH, _ANSWERS, _GOODBYE = 16, 19, 21, 22
ANSWERS, BATCH = _ANSWERS, _BATCH
_PACKED_LENGTHS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xDC: 2, 0xDD: 4}
"""Bytes of an unsigned integer or of an array's length, after its first one."""

_codec = codec_for(MSGPACK_SUBPROTOCOL)


def frame(payload: bytes) -> bytes:
    """A binary WebSocket message of a client. RFC 6455 wants a masking key that is not guessed;
    with the key 0, as good as any other on loopback, the payload stays as it is."""
    size = len(payload)
    if size < 126:
        head = bytes((0x82, 0x80 | size))
    elif size < 65_536:
        head = b"\x82\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\x82\xff" + size.to_bytes(8, "big")
    return head + bytes(4) + payload


def _packed(data: bytearray, at: int) -> tuple[int, int]:
    """The unsigned integer, or the length of the array, that begins at `at`; where it ends."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    if 0x90 <= first < 0xA0:
        return first & 0x0F, at + 1
    end = at + 1 + _PACKED_LENGTHS[first]
    return int.from_bytes(data[at + 1 : end], "big"), end


class Device(Line):
    """An authenticated device that counts answers or entries, and acknowledges at half a window."""

    def __init__(self, counted: int) -> None:
        super().__init__()
        self.verdict: Welcome
        self._counted = counted
        self._window = _READING_WINDOW_BYTES if counted == _BATCH else _SENDING_WINDOW_BYTES
        self._waiting = bytearray()
        self._unacknowledged = 0

    async def arrive(self, credential: Credential) -> None:
        """Upgrade and say hello, as a device that holds nothing."""
        key = base64.b64encode(os.urandom(16)).decode()
        reply = await self.ask(
            b"GET /v1/sync HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: %b\r\nSec-WebSocket-Key: %b\r\n\r\n"
            % (MSGPACK_SUBPROTOCOL.encode(), key.encode()),
            b"\r\n\r\n",
        )
        if b" 101 " not in reply.partition(b"\r\n")[0]:
            raise LineLost(f"no upgrade: {reply!r}")
        instance = secrets.token_hex(limits.INSTANCE_CHARACTERS // 2)
        hello = Hello(credential.token, instance, None, False, self._window)
        self.write(frame(_codec.encode(hello)))
        await self.until(1)
        self.counted -= 1  # the verdict; a batch may have come with it

    def take(self, data: bytes) -> int:
        waiting = self._waiting
        waiting += data
        found = start = 0
        while len(waiting) - start > 2:
            size, at = waiting[start + 1], start + 2
            if size == 126:
                size, at = int.from_bytes(waiting[at : at + 2], "big"), at + 2
            elif size == 127:
                size, at = int.from_bytes(waiting[at : at + 8], "big"), at + 8
            if len(waiting) < at + size:
                break
            found += self._frame(at, at + size)
            start = at + size
        del waiting[:start]
        return found

    def _frame(self, start: int, end: int) -> int:
        """What one frame of the server counts for. A frame is an array: its tag is its second
        byte."""
        data = self._waiting
        tag = data[start + 1]
        if tag == _BATCH:
            prev, at = _packed(data, start + 2)
            to, _ = _packed(data, at)
            self._acknowledge(to, end - start)
            return to - prev if self._counted == _BATCH else 0
        if tag == _ANSWERS:
            accepted, _ = _packed(data, start + 2)
            if data[end - 1] != 0x90:  # the empty array of refusals
                self.fail(f"refused: {_codec.decode_server(bytes(data[start:end]))}")
            return accepted if self._counted == _ANSWERS else 0
        if tag == _WELCOME:
            verdict = _codec.decode_server(bytes(data[start:end]))
            assert isinstance(verdict, Welcome)
            self.verdict = verdict
            return 1
        if tag == _GOODBYE:
            self.fail(f"the server left: {_codec.decode_server(bytes(data[start:end]))}")
        return 0

    def _acknowledge(self, seq: int, size: int) -> None:
        self._unacknowledged += size
        if self._unacknowledged >= self._window // 2:
            self._unacknowledged = 0
            self.write(frame(_codec.encode(Ack(Epoch(self.verdict.epoch), seq))))


def send_frames(
    sender: AccountId,
    accounts: Sequence[AccountId],
    each: int = MESSAGES_PER_FRAME,
    begin: int = 1,
) -> list[Chunk]:
    """A message to each of `accounts`, numbered from `begin`, `each` to a frame."""
    messages = [
        Message(number, Kind.MESSAGE, direct(sender, account), None, body())
        for number, account in enumerate(accounts, start=begin)
    ]
    parts = (messages[start : start + each] for start in range(0, len(messages), each))
    return [(frame(_codec.encode(Send(tuple(part)))), len(part)) for part in parts]


class Syncd:
    """This checkout, or a server of it that `running` names."""

    name, durable, largest_backlog = "syncd", True, 1_000_000

    def __init__(self, running: Target | None = None) -> None:
        self._running = running
        self._target = running or Target("", "", None)
        self._prefix = ""
        self._recipients_made = False
        self._filled: set[int] = set()
        self._senders = count()

    @contextmanager
    def start(self, place: Place) -> Iterator[Server]:
        self._recipients_made, self._filled = False, set()
        if self._running is not None:
            # Its store remembers what the last work left: nobody is met again.
            self._prefix = f"{secrets.token_hex(3)}-"
            yield Server(self._running.pid, "running", f"{self._running.url}\n")
            return
        with serving(place.cores, place.folder) as target:
            assert target.pid is not None
            self._target = target
            command = " ".join(("syncd serve --data FOLDER --port 0", *UNLIMITED))
            yield Server(target.pid, __version__, command + "\n")

    @asynccontextmanager
    async def sends(self, messages: int, connections: int) -> AsyncIterator[Work]:
        if not self._recipients_made:
            await self.devices([f"r{place}" for place in range(RECIPIENTS)])
            self._recipients_made = True
        names = people(messages)
        senders = [await self.sender() for _ in range(connections)]
        frames = [
            send_frames(sender.account, self.accounts(names[place::connections]))
            for place, sender in enumerate(senders)
        ]
        lines = [await self.open(_ANSWERS, sender) for sender in senders]
        async with pipelined(lines, frames, limits.UNANSWERED_MESSAGES_MAX) as work:
            yield work

    @asynccontextmanager
    async def catch_up(self, entries: int, client: Client) -> AsyncIterator[Work]:
        person = f"backlog{entries}"
        [device] = await self.devices([person])
        if entries not in self._filled:
            await self._fill([person] * entries)
            self._filled.add(entries)
        read = self._read_raw if client is Client.RAW else self._read_official
        yield lambda: read(device, entries)

    @asynccontextmanager
    async def talk(self, messages: int) -> AsyncIterator[Talk]:
        one, other = await self.sender(), await self.sender()
        sender, receiver = await self.open(_ANSWERS, one), await self.open(_BATCH, other)
        frames = send_frames(one.account, [other.account] * messages, each=1)
        receiver.arrived = []
        yield Talk(lambda place: sender.write(frames[place][0]), receiver.arrived, receiver.until)
        sender.close()
        receiver.close()

    @asynccontextmanager
    async def crowd(self, devices: int, missed: int) -> AsyncIterator[Work]:
        names = [f"d{place}" for place in range(devices)]
        credentials = await self.devices(names)
        await self._fill(names * missed)
        arrivals = [partial(self.open, _BATCH, credential) for credential in credentials]
        async with crowded(arrivals, lambda line: line.until(missed)) as work:
            yield work

    # ------------------------------------------------------------ parts

    @property
    def _port(self) -> int:
        return int(self._target.url.rpartition(":")[2])

    async def devices(self, names: Sequence[str]) -> list[Credential]:
        """A new device for each name, of the account of that name."""
        return await make_devices(self._target, self.accounts(names))

    def accounts(self, names: Sequence[str]) -> list[AccountId]:
        """The accounts of these names."""
        return [AccountId(self._prefix + name) for name in names]

    async def sender(self) -> Credential:
        """A device of a new account."""
        [made] = await self.devices([f"s{next(self._senders)}"])
        return made

    async def open(self, counted: int, credential: Credential) -> Device:
        """The device, connected and welcomed; counted: the tag of the frames that it counts."""
        line = await dial(lambda: Device(counted), self._port)
        await line.arrive(credential)
        return line

    async def _fill(self, names: Sequence[str]) -> None:
        sender = await self.sender()
        line = await self.open(_ANSWERS, sender)
        frames = send_frames(sender.account, self.accounts(names))
        await line.flow(frames, limits.UNANSWERED_MESSAGES_MAX)
        line.close()

    async def _read_raw(self, credential: Credential, entries: int) -> None:
        line = await self.open(_BATCH, credential)
        await line.until(entries)
        line.close()

    async def _read_official(self, credential: Credential, entries: int) -> None:
        async with connect(self._target.sync_url, token=credential.token) as device:
            async for item in device:
                if item.seq == entries:
                    break
