"""Matrix Synapse on SQLite: a room for each pair of people, events over HTTP, /sync to listen.

Some forty events a second are what it takes on one core, so everything here is small: twenty rooms
instead of a thousand people, and no crowd, whose rooms alone would take minutes to make. A long
backlog is read by /messages, page by page; Matrix names no official client for Python.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp

from bench.peers.peer import Absent, Client, Place, Server, Talk, Work, body
from bench.peers.program import free_port, program, running, version
from bench.processes import ServerFailed

_ROOMS = 20
_IN_FLIGHT = 20
_PAGE = 1_000
_SYNC_TIMEOUT_MS = 30_000
_VERSION = "import synapse; print(synapse.__version__)"
_FREE = "{per_second: 100000, burst_count: 100000}"
_CONFIG = """\
server_name: localhost
report_stats: false
suppress_key_server_warning: true
trusted_key_servers: []
signing_key_path: {folder}/signing.key
media_store_path: {folder}/media
macaroon_secret_key: bench
registration_shared_secret: bench
enable_registration: true
enable_registration_without_verification: true
bcrypt_rounds: 4
presence: {{enabled: false}}
database: {{name: sqlite3, args: {{database: {folder}/homeserver.db}}}}
listeners:
  - {{port: {port}, type: http, bind_addresses: [127.0.0.1], resources: [{{names: [client]}}]}}
rc_message: {free}
rc_registration: {free}
rc_login: {{address: {free}, account: {free}, failed_attempts: {free}}}
rc_joins: {{local: {free}, remote: {free}}}
rc_invites: {{per_room: {free}, per_user: {free}, per_issuer: {free}}}
rc_room_creation: {free}
"""


class _Person:
    """Somebody who is logged in, over keep-alive connections."""

    def __init__(self, session: aiohttp.ClientSession, token: str) -> None:
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._transactions = count()

    async def call(self, method: str, path: str, content: object = None, **query: str) -> Any:
        """The answer at `path`. Raises ServerFailed."""
        address = f"/_matrix/client/v3/{path}"
        async with self._session.request(
            method, address, json=content, params=query, headers=self._headers
        ) as answer:
            told = await answer.json()
            if answer.status != 200:
                raise ServerFailed(f"{method} {path}: {told}")
            return told

    async def say(self, room: str) -> None:
        """One message, on disk when this returns."""
        content = {"msgtype": "m.text", "body": body().decode()}
        transaction = next(self._transactions)
        await self.call("PUT", f"rooms/{room}/send/m.room.message/{transaction}", content)

    async def say_all(self, rooms: Sequence[str], in_flight: int) -> None:
        """A message into each, so many at a time."""
        waiting = iter(rooms)

        async def take_turns() -> None:
            for room in waiting:
                await self.say(room)

        await asyncio.gather(*(take_turns() for _ in range(in_flight)))

    async def sync(self, since: str | None = None) -> tuple[str, dict[str, Any]]:
        """Where to go on from, and by room what is new."""
        limits = json.dumps({"room": {"timeline": {"limit": _PAGE}}})
        place = {"since": since, "timeout": str(_SYNC_TIMEOUT_MS)} if since else {}
        told = await self.call("GET", "sync", filter=limits, **place)
        return told["next_batch"], told.get("rooms", {}).get("join", {})


def _messages(events: Sequence[dict[str, Any]]) -> int:
    return sum(event["type"] == "m.room.message" for event in events)


class Synapse:
    """One process, rate limits off."""

    name, durable, largest_backlog = "synapse-sqlite", True, 1_000

    def __init__(self) -> None:
        self._port = 0
        self._rooms: list[str] = []
        self._backlogs: dict[int, str] = {}
        self._known = False

    @contextmanager
    def start(self, place: Place) -> Iterator[Server]:
        try:
            binary = program("synapse_homeserver", "")
        except Absent:
            raise Absent(
                "synapse_homeserver is not on the PATH (pip install matrix-synapse)"
            ) from None
        self._port, self._rooms, self._backlogs, self._known = free_port(), [], {}, False
        config = _CONFIG.format(folder=place.folder, port=self._port, free=_FREE)
        file = place.folder / "homeserver.yaml"
        file.write_text(config)
        keys = [binary, "--config-path", str(file), "--generate-keys"]
        subprocess.run(keys, cwd=place.folder, check=True, capture_output=True)
        asked = [str(Path(binary).with_name("python")), "-c", _VERSION]
        with running(place, [binary, "--config-path", str(file)], self._port) as pid:
            yield Server(pid, version(asked), config)

    @asynccontextmanager
    async def sends(self, messages: int, connections: int) -> AsyncIterator[Work]:
        """HTTP has no pipeline: requests in flight stand for it, some twenty at least."""
        async with self._people() as (sender, receiver):
            while len(self._rooms) < _ROOMS:
                self._rooms.append(await _room(sender, receiver))
            rooms = [self._rooms[place % _ROOMS] for place in range(messages)]
            yield lambda: sender.say_all(rooms, max(_IN_FLIGHT, connections))

    @asynccontextmanager
    async def catch_up(self, entries: int, client: Client) -> AsyncIterator[Work]:
        if client is Client.OFFICIAL:
            raise Absent("Matrix names no official client for Python")
        async with self._people() as (sender, receiver):
            if entries not in self._backlogs:
                room = await _room(sender, receiver)
                await sender.say_all([room] * entries, _IN_FLIGHT)
                self._backlogs[entries] = room
            yield lambda: self._read(self._backlogs[entries], entries)

    @asynccontextmanager
    async def talk(self, messages: int) -> AsyncIterator[Talk]:
        async with self._people() as (sender, receiver):
            room = await _room(sender, receiver)
            place, _ = await receiver.sync()
            arrived: list[float] = []
            under_way: list[asyncio.Task[None]] = []

            async def until(wanted: int) -> None:
                await listening
                await asyncio.gather(*under_way)

            async def listen(since: str) -> None:
                while len(arrived) < messages:
                    since, joined = await receiver.sync(since)
                    found = _messages(joined.get(room, {}).get("timeline", {}).get("events", ()))
                    arrived.extend([perf_counter()] * found)

            listening = asyncio.create_task(listen(place))
            yield Talk(
                lambda _: under_way.append(asyncio.create_task(sender.say(room))), arrived, until
            )
            listening.cancel()

    @asynccontextmanager
    async def crowd(self, devices: int, missed: int) -> AsyncIterator[Work]:
        raise Absent(f"making {devices:,} people and their rooms would take Synapse minutes")
        yield

    # ------------------------------------------------------------ parts

    @asynccontextmanager
    async def _people(self) -> AsyncIterator[tuple[_Person, _Person]]:
        """Who sends and who receives."""
        async with self._session() as session:
            if not self._known:
                for name in ("sender", "receiver"):
                    await _Person(session, "").call(
                        "POST",
                        "register",
                        {"username": name, "password": name, "auth": {"type": "m.login.dummy"}},
                    )
                self._known = True
            yield await _log_in(session, "sender"), await _log_in(session, "receiver")

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            f"http://127.0.0.1:{self._port}",
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def _read(self, room: str, entries: int) -> None:
        async with self._session() as session:
            device = await _log_in(session, "receiver")
            _, joined = await device.sync()
            timeline = joined[room]["timeline"]
            found, place = _messages(timeline["events"]), timeline["prev_batch"]
            while found < entries:
                page = await device.call(
                    "GET",
                    f"rooms/{room}/messages",
                    dir="b",
                    limit=str(_PAGE),
                    **{"from": place},
                )
                found, place = found + _messages(page["chunk"]), page.get("end")


async def _log_in(session: aiohttp.ClientSession, name: str) -> _Person:
    """A new device."""
    identifier = {"type": "m.id.user", "user": name}
    asked = {"type": "m.login.password", "identifier": identifier, "password": name}
    told = await _Person(session, "").call("POST", "login", asked)
    return _Person(session, told["access_token"])


async def _room(sender: _Person, receiver: _Person) -> str:
    """A new room of both."""
    asked = {"preset": "trusted_private_chat", "invite": ["@receiver:localhost"]}
    made: str = (await sender.call("POST", "createRoom", asked))["room_id"]
    await receiver.call("POST", f"join/{made}", {})
    return made
