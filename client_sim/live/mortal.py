"""What a device's process owns, in a process that outlives it: its store and its line end together.

A real process that is killed takes no further step. Here its tasks may still run, so whatever they
ask of the store or the line after its end waits for ever.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from syncd.client import SqliteStore
from syncd.client.line import Dialled
from syncd.client.socket import SocketDialler
from syncd.client.store import Result, Shelf
from syncd.errors import Refusal
from syncd.protocol import client_events as events
from syncd.storage.database_file import remove_database
from syncd.wire.codec import Codec
from syncd.wire.frames import ClientFrame

_SUFFIXES = ("", "-wal")


class _Dead(Exception):
    """The step was asked for by a process that had ended when its turn came."""


def copy_store(source: Path, target: Path) -> None:
    """Copy a store's files as they are; whatever had the target's name is gone. Nobody writes the
    source meanwhile."""
    remove_database(target)
    for suffix in _SUFFIXES:
        found = source.with_name(source.name + suffix)
        if found.exists():
            shutil.copy(found, target.with_name(target.name + suffix))


class MortalStore:
    """One run's hold on a store file: see ClientStore. `die` is its end in place of `close`."""

    durable = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._store = SqliteStore(path)
        self._dead = False
        self._open = False

    async def open(self) -> None:
        await self._store.open()
        self._open = True
        if self._dead:
            await self._leave()
            await never()

    async def call(self, work: Callable[[Shelf], Result]) -> Result:
        def alive(shelf: Shelf) -> Result:
            if self._dead:
                raise _Dead
            return work(shelf)

        if self._dead:
            await never()
        try:
            return await self._store.call(alive)
        except _Dead:
            await never()

    async def close(self) -> None:
        if not self._dead:
            self._open = False
            await self._store.close()

    async def copy(self, target: Path) -> None:
        """Put what it holds into another file, between two of its steps."""
        if self._open and not self._dead:
            await self._store.call(lambda shelf: copy_store(self.path, target))
        else:
            copy_store(self.path, target)

    async def die(self) -> None:
        """No step has an effect any more; the file is left as a killed process leaves it."""
        alive, self._dead = not self._dead, True
        if alive and self._open:
            await self._leave()

    async def _leave(self) -> None:
        # Closing tidies up: the WAL goes into the database. A killed process has no time for that.
        left = self.path.with_name(self.path.name + ".left")
        await self._store.call(lambda shelf: copy_store(self.path, left))
        await self._store.close()
        copy_store(left, self.path)
        remove_database(left)


class MortalDialler:
    """See line.Dialler: a WebSocket through this device's own way to the server.

    url: what the store is told, the same for all devices; address: where it connects to.
    """

    def __init__(self, url: str, address: str, codec: Codec) -> None:
        self.url = url
        self._sockets = SocketDialler(address, codec)
        self._dead = False

    def dial(self) -> Dialled:
        return _Unconnected() if self._dead else self._sockets.dial()

    def die(self) -> None:
        """No connection comes to be any more."""
        self._dead = True


class _Unconnected:
    """See line.Dialled: a connection that a dead process would have made."""

    def __init__(self) -> None:
        self._given_up = asyncio.Event()

    async def connect(self) -> bool:
        await self._given_up.wait()
        return False

    async def receive(self) -> events.Received | events.Malformed | None:
        return None

    async def send(self, frame: ClientFrame) -> None:
        """Lost."""

    def close(self, refusal: Refusal | None) -> None:
        self._given_up.set()

    def cut(self) -> None:
        self._given_up.set()

    async def closed(self) -> None:
        """Nothing was begun."""

    def disconnected(self) -> events.Disconnected:
        return events.Disconnected(None, "the process has ended")


async def never() -> NoReturn:
    """What a step of a dead process waits for."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody wakes the dead")
