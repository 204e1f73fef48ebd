"""What every XMPP server is asked in the same words: a raw client, and four of the five calls.

A message is safe for its sender when the server acknowledges it by XEP-0198; the archive (XEP-0313)
holds a copy for either side and is what a device catches up from, page by page. XMPP names no
official client, so there is only the raw one.
"""

from __future__ import annotations

import base64
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import TypeVar

from bench.peers.line import Chunk, Line, LineLost, chunked, crowded, dial, pipelined
from bench.peers.peer import RECIPIENTS, Absent, Client, Talk, Work, body, people

HOST = "localhost"
PASSWORD = "bench"
SENDERS = 16
LISTENERS = 4
CROWD = 1_000
"""So many accounts there are of each sort; they are made before the server starts."""

_WINDOW = 2_000
_MESSAGES_PER_CHUNK = 100
_PING = b"<iq type='get' id='ping'><ping xmlns='urn:xmpp:ping'/></iq>"
_ANSWER = re.compile(rb"<a [^>]*\bh=['\"](\d+)['\"]")
_LAST = re.compile(rb"<last>([^<]+)</last>")


def accounts() -> list[str]:
    """Everybody who will be asked for."""
    sorts = {"r": RECIPIENTS, "s": SENDERS, "live": LISTENERS, "d": CROWD}
    return [f"{sort}{place}" for sort, many in sorts.items() for place in range(many)]


def _message(name: str, number: int) -> bytes:
    form = b"<message to='%b@%b' type='chat' id='%d'><body>%b</body></message>"
    return form % (name.encode(), HOST.encode(), number, body())


def _chunks(names: Sequence[str]) -> list[Chunk]:
    """A message to each of them, and after each hundred the request for an acknowledgement."""
    messages = [_message(name, number) for number, name in enumerate(names)]
    pieces = chunked(messages, _MESSAGES_PER_CHUNK)
    return [(data + b"<r xmlns='urn:xmpp:sm:3'/>", count) for data, count in pieces]


class _Stream(Line):
    """A session of one resource, authenticated by SASL PLAIN."""

    async def arrive(self, name: str) -> None:
        """Open, authenticate, bind, ask for carbons."""
        opening = (
            f"<stream:stream to='{HOST}' version='1.0' xmlns='jabber:client'"
            " xmlns:stream='http://etherx.jabber.org/streams'>"
        ).encode()
        await self.ask(opening, b"</stream:features>")
        secret = base64.b64encode(f"\0{name}\0{PASSWORD}".encode())
        told = await self.ask(
            b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%b</auth>" % secret,
            b"xmpp-sasl'",
        )
        if b"<success" not in told:
            raise LineLost(f"{name} was not let in: {told!r}")
        await self.ask(opening, b"</stream:features>")
        bind = b"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
        await self.ask(b"<iq type='set' id='bind'>%b</iq>" % bind, b"</iq>")
        carbons = b"<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
        await self.ask(carbons, b"id='carbons'")

    async def fetch(self, entries: int, page: int) -> None:
        """Everything of the own archive, which holds so many, page after page."""
        place, found = b"", 0
        for number in count():
            text = await self.ask(
                b"<iq type='set' id='mam%d'><query xmlns='urn:xmpp:mam:2'>"
                b"<set xmlns='http://jabber.org/protocol/rsm'><max>%d</max>%b</set></query></iq>"
                % (number, page, place),
                b"</fin></iq>",
            )
            found += text.count(b"</result>")
            if found >= entries:
                return
            [last] = _LAST.findall(text)
            place = b"<after>%b</after>" % last


class _Sending(_Stream):
    """Counts what the server acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self._tail = b""
        self._acknowledged = 0

    async def manage(self) -> None:
        """Ask for acknowledgements from here on."""
        await self.ask(b"<enable xmlns='urn:xmpp:sm:3'/>", b"<enabled")

    def take(self, data: bytes) -> int:
        text = self._tail + data
        self._tail = text[text.rfind(b"<") :]
        before = self._acknowledged
        self._acknowledged = max([before, *map(int, _ANSWER.findall(text))])
        return self._acknowledged - before


class _Receiving(_Stream):
    """Counts messages."""

    _MARK = b"</body>"

    def __init__(self) -> None:
        super().__init__()
        self._tail = b""

    def take(self, data: bytes) -> int:
        text = self._tail + data
        self._tail = text[1 - len(self._MARK) :]
        return text.count(self._MARK)


S = TypeVar("S", bound=_Stream)


class XmppPeer(ABC):
    """An XMPP server whose archive lies in SQLite. Subclasses start it and fill backlogs."""

    largest_backlog = 10_000

    def __init__(self) -> None:
        self.port = 0
        self.page = 250
        """Of the archive: as many entries as this server gives at once."""
        self._senders, self._listeners = count(), count()
        self._filled: dict[int, str] = {}

    @abstractmethod
    def copy(self, person: str, names: Sequence[str]) -> None:
        """Put an entry into the archive of each of `names`, as often as it is named: like the one
        that the server itself stored for `person`, with a body of its own."""

    def begin(self, port: int) -> None:
        """A new server with an empty store will listen there."""
        self.port, self._filled = port, {}

    @asynccontextmanager
    async def sends(self, messages: int, connections: int) -> AsyncIterator[Work]:
        """The same person never sends over two connections at once."""
        names = people(messages)
        parts = [_chunks(names[place::connections]) for place in range(connections)]
        lines = [await self._sender() for _ in parts]
        window = max(_MESSAGES_PER_CHUNK, _WINDOW // connections)
        async with pipelined(lines, parts, window) as work:
            yield work

    @asynccontextmanager
    async def catch_up(self, entries: int, client: Client) -> AsyncIterator[Work]:
        if client is Client.OFFICIAL:
            raise Absent("XMPP names no official client")
        person = f"d{len(self._filled)}"
        if entries not in self._filled:
            await self._fill([person] * entries)
            self._filled[entries] = person
        reader = self._filled[entries]

        async def work() -> None:
            line = await self._open(_Receiving, reader)
            await line.fetch(entries, self.page)
            line.close()

        yield work

    @asynccontextmanager
    async def talk(self, messages: int) -> AsyncIterator[Talk]:
        person = f"live{next(self._listeners) % LISTENERS}"
        sender, receiver = await self._sender(), await self._open(_Receiving, person)
        receiver.write(b"<presence/>")
        await receiver.ask(_PING, b"id='ping'")
        texts = [_message(person, number) for number in range(messages)]
        receiver.arrived = []
        yield Talk(lambda place: sender.write(texts[place]), receiver.arrived, receiver.until)
        sender.close()
        receiver.close()

    @asynccontextmanager
    async def crowd(self, devices: int, missed: int) -> AsyncIterator[Work]:
        """Without presence: so nobody is sent what was kept for offline people, too."""
        if devices > CROWD:
            raise Absent(f"only {CROWD} accounts were made")
        names = [f"d{place}" for place in range(devices)]
        if missed:
            await self._fill(names * missed)

        async def fetch(line: _Receiving) -> None:
            if missed:
                await line.fetch(missed, self.page)

        arrivals = [partial(self._open, _Receiving, name) for name in names]
        async with crowded(arrivals, fetch) as work:
            yield work

    # ------------------------------------------------------------ parts

    async def _open(self, make: Callable[[], S], name: str) -> S:
        line = await dial(make, self.port)
        await line.arrive(name)
        return line

    async def _sender(self) -> _Sending:
        line = await self._open(_Sending, f"s{next(self._senders) % SENDERS}")
        await line.manage()
        return line

    async def _fill(self, names: Sequence[str]) -> None:
        """The server would need minutes: one message goes through it, the others are copies."""
        line = await self._sender()
        await line.flow(_chunks(["r0"]), _WINDOW)
        line.close()
        self.copy("r0", names)
