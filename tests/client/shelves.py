"""What tests of stores share: shelves of both kinds, and the commands of a device's life."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from syncd.client.memory_store import MemoryShelf
from syncd.client.sqlite_shelf import SqliteShelf
from syncd.client.store import Outgoing, Shelf
from syncd.model import ConversationId, Position, Seq
from syncd.protocol import client_commands as commands
from syncd.protocol.client_events import Echo
from syncd.wire.frames import Entry
from tests.protocol.client_plays import EPOCH, at, entry, verdict

SERVER, INSTANCE, TOKEN = "ws://host/v1/sync", "00112233aabbccdd", "a token"


@contextmanager
def memory() -> Iterator[Shelf]:
    """Keeps what was handed, as the durable one does."""
    yield MemoryShelf(keep_handed=True)


@contextmanager
def sqlite() -> Iterator[Shelf]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield SqliteShelf(connection)


KINDS = [memory, sqlite]


def outgoing(body: bytes = b"hello") -> Outgoing:
    return Outgoing(1, ConversationId("alice~bob"), None, body)


def begun(shelf: Shelf, **changes: Any) -> Shelf:
    """The shelf, after its first verdict: a log from 1 on, nothing in it."""
    shelf.begin(SERVER, INSTANCE, TOKEN)
    facts = {"floor": 0, "start": 0, "head": 0} | changes
    shelf.take_verdict(commands.TakeVerdict(verdict(**facts), 0))
    return shelf


def stores(
    prev: Seq, *entries: Entry, echoes: tuple[Echo, ...] = (), handed: Seq = 0, epoch: Any = EPOCH
) -> commands.StoreBatch:
    position: Position = at(prev + len(entries), epoch)
    return commands.StoreBatch(prev, entries, position, echoes, handed)


def bodies(shelf: Shelf, era: int = 0, after: Seq = 0) -> list[int]:
    """The numbers of all entries that a reader gets."""
    found: list[int] = []
    while (run := shelf.read(era, after)) is not None:
        assert run.entries
        found += (each.number for each in run.entries)
        era, after = run.era, run.prev + len(run.entries)
    return found


__all__ = ["KINDS", "begun", "bodies", "entry", "memory", "outgoing", "sqlite", "stores"]
