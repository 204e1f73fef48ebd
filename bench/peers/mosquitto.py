"""mosquitto with persistent sessions at QoS 1: each session is a queue in memory.

Queues are written to disk by a timer, every half hour by default: an acknowledgement says nothing
about the disk. A device that never subscribed has no queue, so there is nothing for it to catch up.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from bench.peers.line import Chunk, Line, LineLost, chunked, crowded, dial, pipelined
from bench.peers.peer import (
    RECIPIENTS,
    Absent,
    Client,
    Place,
    Server,
    Talk,
    Work,
    body,
    people,
)
from bench.peers.program import free_port, program, running, version

_USER = "bench"
_WINDOW = 1_000
_MESSAGES_PER_CHUNK = 100
_CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
persistence true
persistence_location {folder}/
max_queued_messages 0
max_inflight_messages {window}
user root
"""
_CONNACK, _SUBACK = b"\x20\x02", b"\x90\x03"
_PUBLISH, _PUBACK_BYTES = 3, 4


def _packet(first: int, content: bytes) -> bytes:
    """Its length is written seven bits at a time, the lowest first."""
    left, length = len(content), bytearray()
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    length.append(left)
    return bytes((first,)) + length + content


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


def _publish(name: str, number: int) -> bytes:
    identifier = (number % 65_535 + 1).to_bytes(2, "big")
    return _packet(0x32, _text(f"m/{name}") + identifier + body())


def _chunks(names: Sequence[str]) -> list[Chunk]:
    """A message to each of them."""
    packets = [_publish(name, number) for number, name in enumerate(names)]
    return chunked(packets, _MESSAGES_PER_CHUNK)


class _Session(Line):
    """A client whose session outlives the connection."""

    async def arrive(self, name: str) -> None:
        """Connect; messages that wait may come in the same breath as the answer."""
        flags = b"\xc0"  # a user and a password, and no clean session
        silence = bytes(2)
        content = _text("MQTT") + b"\x04" + flags + silence + _text(name) + 2 * _text(_USER)
        told = await self.ask(_packet(0x10, content), _CONNACK)
        _, _, answer = told.partition(_CONNACK)
        if answer[1:2] != b"\0":
            raise LineLost(f"{name} was not let in: {told!r}")
        if answer[2:]:
            self.data_received(answer[2:])

    async def subscribe(self, name: str) -> None:
        """Take what is sent to `name`."""
        asked = _packet(0x82, b"\0\1" + _text(f"m/{name}") + b"\1")
        await self.ask(asked, _SUBACK)


class _Publishing(_Session):
    """Counts acknowledgements: nothing else comes."""

    def __init__(self) -> None:
        super().__init__()
        self._bytes = 0

    def take(self, data: bytes) -> int:
        before = self._bytes // _PUBACK_BYTES
        self._bytes += len(data)
        return self._bytes // _PUBACK_BYTES - before


class _Receiving(_Session):
    """Counts messages and acknowledges each."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = b""

    def take(self, data: bytes) -> int:
        data = self._waiting + data
        start, answers = 0, []
        while (end := _end(data, start)) is not None:
            at, after = end
            if data[start] >> 4 == _PUBLISH:
                topic = int.from_bytes(data[at : at + 2], "big")
                answers.append(b"\x40\x02" + data[at + 2 + topic : at + 4 + topic])
            start = after
        self._waiting = data[start:]
        if answers:
            self.write(b"".join(answers))
        return len(answers)


def _end(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the content of the packet at `start` begins and ends; None where it is not whole."""
    length = shift = 0
    for at in range(start + 1, len(data)):
        length |= (data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:
            return (at + 1, at + 1 + length) if at + 1 + length <= len(data) else None
    return None


class Mosquitto:
    """As Debian configures it but for the lengths of its queues."""

    name, durable, largest_backlog = "mosquitto", False, 1_000_000

    def __init__(self) -> None:
        self._port = 0
        self._recipients_made = False

    @contextmanager
    def start(self, place: Place) -> Iterator[Server]:
        binary = program("mosquitto", "mosquitto")
        self._port, self._recipients_made = free_port(), False
        config = _CONFIG.format(port=self._port, folder=place.folder, window=_WINDOW)
        file, passwords = place.folder / "mosquitto.conf", place.folder / "passwords"
        file.write_text(config)
        tool = program("mosquitto_passwd", "mosquitto")
        subprocess.run([tool, "-b", "-c", str(passwords), _USER, _USER], check=True)
        with running(place, [binary, "-c", str(file)], self._port) as pid:
            yield Server(pid, version([binary, "-h"]), config)

    @asynccontextmanager
    async def sends(self, messages: int, connections: int) -> AsyncIterator[Work]:
        if not self._recipients_made:
            await self._make_sessions([f"r{place}" for place in range(RECIPIENTS)])
            self._recipients_made = True
        names = people(messages)
        parts = [_chunks(names[place::connections]) for place in range(connections)]
        lines = [await self._publisher(place) for place in range(connections)]
        window = max(_MESSAGES_PER_CHUNK, _WINDOW // connections)
        async with pipelined(lines, parts, window) as work:
            yield work

    @asynccontextmanager
    async def catch_up(self, entries: int, client: Client) -> AsyncIterator[Work]:
        raise Absent("a device that mosquitto has never seen gets nothing that was sent before")
        yield

    @asynccontextmanager
    async def talk(self, messages: int) -> AsyncIterator[Talk]:
        sender = await self._publisher(0)
        receiver = await self._receiver("live")
        packets = [_publish("live", number) for number in range(messages)]
        receiver.arrived = []
        yield Talk(lambda place: sender.write(packets[place]), receiver.arrived, receiver.until)
        sender.close()
        receiver.close()

    @asynccontextmanager
    async def crowd(self, devices: int, missed: int) -> AsyncIterator[Work]:
        names = [f"d{place}" for place in range(devices)]
        if missed:
            await self._make_sessions(names)
            sender = await self._publisher(0)
            await sender.flow(_chunks(names * missed), _WINDOW)
            sender.close()

        async def receive(line: _Receiving) -> None:
            await line.until(missed)

        arrivals = [partial(self._receiver, name, not missed) for name in names]
        async with crowded(arrivals, receive) as work:
            yield work

    # ------------------------------------------------------------ parts

    async def _publisher(self, place: int) -> _Publishing:
        line = await dial(_Publishing, self._port)
        await line.arrive(f"s{place}")
        return line

    async def _receiver(self, name: str, new: bool = True) -> _Receiving:
        line = await dial(_Receiving, self._port)
        await line.arrive(name)
        if new:
            await line.subscribe(name)
        return line

    async def _make_sessions(self, names: Sequence[str]) -> None:
        """Sessions that are subscribed and away."""
        for name in names:
            line = await self._receiver(name)
            line.close()
