"""Redis Streams: one stream per person, XADD to send, XRANGE to catch up, XREAD BLOCK to listen.

Everything is kept in memory; with appendfsync=always an answer waits for the fsync of the
append-only file, one for each turn of the server's loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import count
from typing import Any, ClassVar

from bench.peers.line import Chunk, L, Line, chunked, crowded, dial, pipelined
from bench.peers.peer import Client, Place, Server, Talk, Work, body, needed, people
from bench.peers.program import free_port, program, running, version

_PASSWORD = b"bench"
_WINDOW = 2_000
_REQUESTS_PER_CHUNK = 100
_RAW_PAGE = 10_000
_OFFICIAL_PAGE = 1_000
_LINES_PER_ENTRY = 8
"""Of a reply to XRANGE: *2, $n, the id, *2, $1, b, $n, the body."""


def _command(*words: bytes) -> bytes:
    parts = (b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    return b"*%d\r\n" % len(words) + b"".join(parts)


def _add(person: str) -> bytes:
    return _command(b"XADD", person.encode(), b"*", b"b", body())


def _chunks(names: Sequence[str]) -> list[Chunk]:
    """An XADD to each of them."""
    return chunked([_add(name) for name in names], _REQUESTS_PER_CHUNK)


class _Adding(Line):
    """Counts replies to XADD: an id each, introduced by the only "$"."""

    def take(self, data: bytes) -> int:
        return data.count(b"$")


class _Reading(Line):
    """Counts entries of replies to XRANGE, and remembers where the last one ended."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = 0
        self._tail = b""

    def expect(self) -> None:
        """A reply follows: its first line belongs to no entry."""
        self._lines, self.counted = -1, 0

    def take(self, data: bytes) -> int:
        self._lines += data.count(b"\n")
        self._tail = (self._tail + data)[-1_024:]
        return max(0, self._lines // _LINES_PER_ENTRY) - self.counted

    @property
    def last(self) -> bytes:
        """The id of the last entry: the seventh line from the end, of which the last is empty."""
        return self._tail.rsplit(b"\r\n", 7)[1]


class _Listening(Line):
    """Waits with XREAD BLOCK, again after each reply, from the last entry on."""

    def __init__(self, person: str) -> None:
        super().__init__()
        self._person, self._after = person.encode(), b"0"
        self._reader = needed("hiredis", "hiredis").Reader()

    def listen(self) -> None:
        """Ask for what comes next."""
        self.write(_command(b"XREAD", b"BLOCK", b"0", b"STREAMS", self._person, self._after))

    def take(self, data: bytes) -> int:
        self._reader.feed(data)
        reply = self._reader.gets()
        if reply is False:
            return 0
        entries: list[Any] = reply[0][1]
        self._after = entries[-1][0]
        self.listen()
        return len(entries)


class Redis:
    """One setting of appendfsync."""

    name: ClassVar[str]
    durable: ClassVar[bool]
    appendfsync: ClassVar[str]
    largest_backlog = 1_000_000

    def __init__(self) -> None:
        self._port = 0
        self._filled: set[int] = set()
        self._names = count()

    @contextmanager
    def start(self, place: Place) -> Iterator[Server]:
        binary = program("redis-server", "redis-server")
        needed("hiredis", "hiredis")
        self._port, self._filled = free_port(), set()
        config = (
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {_PASSWORD.decode()}\n"
            f"dir {place.folder}\n"
            f'appendonly yes\nappendfsync {self.appendfsync}\nsave ""\n'
        )
        file = place.folder / "redis.conf"
        file.write_text(config)
        with running(place, [binary, str(file)], self._port) as pid:
            yield Server(pid, version([binary, "--version"]), config)

    @asynccontextmanager
    async def sends(self, messages: int, connections: int) -> AsyncIterator[Work]:
        names = people(messages)
        parts = [_chunks(names[place::connections]) for place in range(connections)]
        lines = [await self._dial(_Adding) for _ in parts]
        window = max(_REQUESTS_PER_CHUNK, _WINDOW // connections)
        async with pipelined(lines, parts, window) as work:
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
            needed("redis", "redis")
            yield lambda: self._read_official(person, entries)

    @asynccontextmanager
    async def talk(self, messages: int) -> AsyncIterator[Talk]:
        sender = await self._dial(_Adding)
        person = f"live{next(self._names)}"
        receiver = await self._dial(lambda: _Listening(person))
        receiver.listen()
        requests = [_add(person) for _ in range(messages)]
        receiver.arrived = []
        yield Talk(lambda place: sender.write(requests[place]), receiver.arrived, receiver.until)
        sender.close()
        receiver.close()

    @asynccontextmanager
    async def crowd(self, devices: int, missed: int) -> AsyncIterator[Work]:
        names = [f"d{place}" for place in range(devices)]
        await self._fill(names * missed)

        async def listen(line: _Listening) -> None:
            line.listen()
            await line.until(missed)

        makes = [partial(_Listening, name) for name in names]
        async with crowded([partial(self._dial, make) for make in makes], listen) as work:
            yield work

    # ------------------------------------------------------------ parts

    async def _dial(self, make: Callable[[], L]) -> L:
        line = await dial(make, self._port)
        await line.ask(_command(b"AUTH", _PASSWORD), b"+OK\r\n")
        return line

    async def _fill(self, names: Sequence[str]) -> None:
        line = await self._dial(_Adding)
        await line.flow(_chunks(names), _WINDOW)
        line.close()

    async def _read_raw(self, person: str, entries: int) -> None:
        line = await self._dial(_Reading)
        after, left = b"-", entries
        while left:
            page = min(_RAW_PAGE, left)
            line.expect()
            line.write(_command(b"XRANGE", person.encode(), after, b"+", b"COUNT", b"%d" % page))
            await line.until(page)
            after, left = b"(" + line.last, left - page
        line.close()

    async def _read_official(self, person: str, entries: int) -> None:
        store = needed("redis", "redis").Redis(port=self._port, password=_PASSWORD.decode())
        after, left = "-", entries
        while left:
            page = store.xrange(person, after, "+", count=_OFFICIAL_PAGE)
            after, left = "(" + page[-1][0].decode(), left - len(page)
        store.close()


class RedisAlways(Redis):
    """An answer is on disk."""

    name, durable, appendfsync = "redis-always", True, "always"


class RedisEverysec(Redis):
    """Up to a second of answers may be lost."""

    name, durable, appendfsync = "redis-everysec", False, "everysec"
