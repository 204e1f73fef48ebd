"""One device of a swarm: connects, reads all that comes into its track, sends, is cut off."""

from __future__ import annotations

import asyncio
import secrets
import struct
import time
from collections import Counter, deque
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from client_sim.judges import Identity, Track
from client_sim.measured import digest_of
from client_sim.shelves import line_of
from syncd.client import (
    ClientError,
    Closed,
    Device,
    MemoryStore,
    PendingState,
    SendRefused,
    connect,
)
from syncd.model import ConversationId
from syncd.protocol import client_commands as news

STAMP = struct.Struct("!8sq")
"""What bodies begin with: whose swarm, and when they were sent (monotonic, in nanoseconds)."""
BODY_BYTES = 120
LAGS_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a message goes: a conversation, and all the accounts in it."""

    conversation: ConversationId
    accounts: tuple[str, ...]


@dataclass
class Tally:
    """What a swarm counts while it runs, over all its members."""

    mark: bytes = field(default_factory=lambda: secrets.token_bytes(8))
    """Tells this swarm's messages from those of others."""
    sent: int = 0
    refused: int = 0
    unanswered: int = 0
    """Sends whose device was closed before the answer: they go on from the outbox."""
    interrupted: list[tuple[str, str]] = field(default_factory=list)
    """Of these the sending account and the body's digest."""
    delivered: int = 0
    accepted: dict[str, set[Identity]] = field(default_factory=dict)
    """The messages that each account's log must hold."""
    accepted_count: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    connects: int = 0
    lags_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LAGS_KEPT))
    """From the call of send to the arrival on a device; the newest."""

    def expect(self, identity: Identity, to: Destination) -> None:
        """This message was accepted: everybody's log there must hold it."""
        for account in to.accounts:
            self.accepted.setdefault(account, set()).add(identity)


class Member:
    """One device with a memory store. The owner disconnects it in every case."""

    def __init__(self, url: str, account: str, token: str, tally: Tally) -> None:
        self.account = account
        self.track = Track("", account)
        self.failure = ""
        """Why it stopped for good; empty while it did not."""
        self._url, self._token, self._tally = url, token, tally
        self._store = MemoryStore()
        self._stack = AsyncExitStack()
        self._device: Device | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether a connection is up and a verdict was given on it."""
        return self._device is not None and self._device.state == "syncing"

    async def connect(self) -> None:
        """Begin; the network is waited for by `wait_current`."""
        self._device = await self._stack.enter_async_context(
            connect(self._url, token=self._token, store=self._store, hear=self._hear)
        )
        self._reading = asyncio.create_task(self._read(self._device))

    async def wait_current(self) -> None:
        """Wait until it holds everything up to the head."""
        if self._device is not None and not self.failure:
            try:
                await self._device.caught_up()
            except ClientError as error:
                self.failure = self.failure or str(error)

    async def unsent(self) -> int:
        """How many messages wait in the outbox."""
        if self._device is None:
            return 0
        pending = await self._device.pending()
        return sum(each.state is not PendingState.REFUSED for each in pending)

    async def disconnect(self) -> None:
        """Leave in good order; what was read and what is unsent stays for the next `connect`."""
        reading, self._reading, self._device = self._reading, None, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await self._stack.aclose()

    async def send(self, to: Destination) -> None:
        """One message; notes in whose logs it must be, once it is accepted."""
        device, tally = self._device, self._tally
        if device is None:
            return
        stamp = STAMP.pack(tally.mark, time.monotonic_ns())
        body = stamp + secrets.token_bytes(BODY_BYTES - STAMP.size)
        tally.sent += 1
        try:
            accepted = await device.send(to.conversation, body)
        except SendRefused:
            tally.refused += 1
        except Closed:
            tally.unanswered += 1
            tally.interrupted.append((self.account, digest_of(body)))
        except ClientError as error:
            self.failure = self.failure or str(error)
        else:
            tally.accepted_count += 1
            tally.expect((str(device.device_id), accepted.number), to)

    async def found(self, group: Destination) -> None:
        """Make the group, whose members' logs must hold this, too."""
        device = self._device
        if device is None:
            return
        try:
            made = await device.create_group(
                group.conversation, [each for each in group.accounts if each != self.account]
            )
        except ClientError as error:
            self.failure = self.failure or str(error)
        else:
            self._tally.expect((str(device.device_id), made.number), group)

    async def _read(self, device: Device) -> None:
        tally, lines = self._tally, self.track.lines
        try:
            async for item in device:
                if not lines and device.verdict is not None:
                    self.track.start = device.verdict.floor
                lines.append(line_of(item.seq, item.entry))
                tally.delivered += 1
                body = item.entry.body
                if body is not None and len(body) == BODY_BYTES and body.startswith(tally.mark):
                    _, sent_at = STAMP.unpack_from(body)
                    tally.lags_ms.append((time.monotonic_ns() - sent_at) / 1e6)
        except ClientError as error:
            self.failure = str(error)

    def _hear(self, told: news.News) -> None:
        if isinstance(told, news.Judged):
            self._tally.connects += 1
            self._tally.verdicts[type(told.verdict).__name__.lower()] += 1
            self.track.device = told.verdict.device
