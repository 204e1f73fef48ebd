"""What a server must answer to be measured beside the others: five calls, in one file.

A peer is a class without arguments that satisfies `Peer`; `--peer module:Class` or
`--peer FILE.py:Class` takes one from outside this package. It makes everything ready before it
hands out a `Work`: only the work is timed. Whatever is durable in a peer must be on disk before
its answer counts; what is not is said in `durable`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from bench.processes import Cores

BODY_BYTES = 120
RECIPIENTS = 1_000

Work: TypeAlias = Callable[[], Awaitable[None]]
"""What is timed, from its call to its end; called once."""


class Absent(Exception):
    """This peer cannot run here, or has no answer to a question; the text says why."""


class Client(StrEnum):
    """Who reads a backlog."""

    RAW = "raw"
    """The fastest reader that the protocol allows: counts messages and decodes nothing."""
    OFFICIAL = "official"
    """The client that an application would take, handing over every message."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer's server may live: an empty folder of its own, and the cores to be pinned to."""

    folder: Path
    cores: Cores


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: what its reader must know, and the process to watch."""

    pid: int | None
    """None where nobody knows: then there are no figures of its processor time and memory."""
    version: str
    config: str


@dataclass(frozen=True, slots=True)
class Talk:
    """A sender and a receiver that are connected: one message at a time, each way timed."""

    send: Callable[[int], None]
    """Send the message of that place, 0, 1, 2 ..., now."""
    arrived: list[float]
    """When each came, by perf_counter, in order."""
    until: Callable[[int], Awaitable[None]]
    """Return when so many have come."""


class Peer(Protocol):
    """One server in one setting. The calls come one at a time, `start` around all the others."""

    name: str
    """As in the table: redis-always."""
    durable: bool
    """Whether an acknowledged message is on disk, fsync included."""
    largest_backlog: int
    """The longest backlog that this peer is asked for: some would need minutes for more."""

    def start(self, place: Place) -> AbstractContextManager[Server]:
        """A server of its own with an empty store, on loopback; gone afterwards. No event
        loop runs yet. Raises Absent."""

    def sends(self, messages: int, connections: int) -> AbstractAsyncContextManager[Work]:
        """So many bodies, each to one of RECIPIENTS at random, pipelined over so many connections.
        The work ends when all are acknowledged."""

    def catch_up(self, entries: int, client: Client) -> AbstractAsyncContextManager[Work]:
        """A device that was never here comes, connecting included, and gets all `entries` of one
        person; may be asked for repeatedly. Raises Absent where there is no such client."""

    def talk(self, messages: int) -> AbstractAsyncContextManager[Talk]:
        """Two devices of two people (or of one, where the protocol copies) that are online."""

    def crowd(self, devices: int, missed: int) -> AbstractAsyncContextManager[Work]:
        """So many devices of as many people come back at once, and each gets the `missed` messages
        that it does not have. They stay, authenticated and ready to receive, until the end of the
        context: with `missed` 0 they are merely idle."""


def people(count: int) -> list[str]:
    """One of RECIPIENTS at random for each message: their names are r0, r1, r2 ..."""
    return [f"r{place}" for place in random.choices(range(RECIPIENTS), k=count)]


def body() -> bytes:
    """What is sent: random, and of hex digits, since XMPP and Matrix carry text. That it holds no
    line end and no capital lets raw clients count without decoding."""
    return os.urandom(BODY_BYTES // 2).hex().encode()


def needed(module: str, package: str) -> Any:
    """A module that is there only where somebody wants to measure this peer. Raises Absent."""
    try:
        return import_module(module)
    except ImportError as error:
        raise Absent(f"the Python package {package} is not installed") from error


def load(reference: str) -> Peer:
    """The peer that `module:Class` or `FILE.py:Class` names. Raises ValueError."""
    place, _, name = reference.rpartition(":")
    if not place.endswith(".py"):
        found = import_module(place)
    else:
        spec = spec_from_file_location(Path(place).stem, place)
        if spec is None or spec.loader is None:
            raise ValueError(f"{place} is no Python file")
        found = module_from_spec(spec)
        spec.loader.exec_module(found)
    peer: Peer = getattr(found, name)()
    return peer
