"""The service as a program sees it: publish, make devices, list them, end them.

The HTTP door and an embedder's own code call the same methods; what they may not do is `Declined`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from itertools import count

from syncd import errors, limits
from syncd.committer import Committer
from syncd.errors import Refusal
from syncd.identity import words
from syncd.identity.devices import Credential, Devices
from syncd.identity.keys import Keys
from syncd.identity.words import Declined
from syncd.model import (
    AccountId,
    ConversationId,
    Device,
    DeviceId,
    Kind,
    Publication,
    Record,
    Seq,
    direct,
    members_of_direct,
)
from syncd.server.connection import LiveConnections
from syncd.storage import StorageError
from syncd.wire.codec import content_of, pack_entry
from syncd.wire.frames import Message

log = logging.getLogger(__name__)

_GOODBYE_S = 6.0
"""How long sockets may take to answer our close frames when the server stops: a little more than
one close handshake may take."""

_LOOK_S = 0.02


class Phase(Enum):
    """How far the service is."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"
    """Storage failed with an unknown outcome: nothing may be answered any more."""


@dataclass(frozen=True, slots=True)
class Published:
    """The entry is durable. `seq` is its place in the account's log; None when trimmed since."""

    seq: Seq | None
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Staff:
    """Whom the service turns to, once it has started."""

    committer: Committer
    devices: Devices
    keys: Keys


class Service:
    """Made with its application, usable between the application's startup and cleanup.

    Every method raises Declined where the table of errors says no, and RuntimeError when called
    before the start.

    on_failure: called once when storage failed with an unknown outcome; must stop the process.
    """

    def __init__(self, live: LiveConnections, on_failure: Callable[[StorageError], None]) -> None:
        self.phase = Phase.STARTING
        self._live = live
        self._on_failure = on_failure
        self._staff: Staff | None = None
        # Entries without a sending device: an identity of this start alone, so that no restored
        # store ever issues an identity twice.
        self._pseudo_device = DeviceId(secrets.token_hex(limits.DEVICE_ID_CHARACTERS // 2))
        self._numbers = count(1)

    @property
    def ready(self) -> bool:
        """Whether everything that is asked for is served."""
        return self.phase is Phase.READY

    def begin(self, staff: Staff) -> None:
        """Storage is open and all tasks run. For the assembler."""
        self._staff = staff
        self.phase = Phase.READY

    def fail(self, error: StorageError) -> None:
        """Storage failed with an unknown outcome. For the assembler and for the doors."""
        if self.phase is not Phase.FAILED:
            self.phase = Phase.FAILED
            self._on_failure(error)

    def say_goodbye(self) -> None:
        """Take nothing new, and ask every socket to come back to another server."""
        if self.phase in (Phase.STARTING, Phase.READY):
            self.phase = Phase.DRAINING
            log.info("= draining", extra={"facts": {"sockets": len(self._live)}})
        self._live.drain()

    async def drain(self) -> None:
        """Say goodbye, and wait until the sockets have answered and are gone, for a while.

        For whoever stops a runner of their own: aiohttp's shutdown hears no close frame any more,
        so what comes after this call is cut off in the middle of its close handshake.
        """
        self.say_goodbye()
        for _ in range(int(_GOODBYE_S / _LOOK_S)):
            if not len(self._live):
                return
            await asyncio.sleep(_LOOK_S)

    async def publish(
        self,
        account: str,
        body: bytes,
        *,
        sender: str = "",
        conversation: str | None = None,
        key: str | None = None,
        publisher: str = "",
    ) -> Published:
        """Append a message to one account's log; durable when this returns.

        sender: the account shown as its sender, or "" for the system. Nothing is appended to its
            own log: what a person sends comes from that person's devices.
        conversation: a direct conversation of the account; without it the one with the sender, or
            without a sender the account's conversation with itself.
        key: an idempotency key: the same key with the same content is one entry, whose seq is
            answered again, for at least 7 days. Scoped by `publisher`. Without it every call is a
            message of its own.
        """
        if not isinstance(body, bytes):
            # Anything else would be encoded as something else, and no device could read it.
            raise TypeError(f"body is bytes, not {type(body).__name__}")
        to = words.account_id(account)
        shown = words.account_id(sender) if sender else AccountId("")
        if len(body) > limits.BODY_BYTES_MAX:
            raise Declined(errors.PAYLOAD_TOO_LARGE)
        place = _conversation(to, shown, conversation)
        staff = self._serving()
        content, record = self._written(shown, place, body)
        chosen = secrets.token_hex(16) if key is None else _key(key)
        publication = Publication(publisher, chosen, content, to, record)
        # The future may be dropped by whoever waits; the publication goes on.
        result = await staff.committer.publish(publication)
        if isinstance(result, Refusal):
            raise Declined(result)
        return Published(result.seq, result.duplicate)

    async def create_device(self, account: str, *, name: str, platform: str) -> Credential:
        """Make a device, and its account where it does not exist yet."""
        staff = self._serving()
        with self.weathering():
            return await staff.devices.create(account, name=name, platform=platform)

    async def devices(self, account: str) -> list[Device]:
        """Every device of an account, oldest first, revoked ones included."""
        staff = self._serving()
        with self.weathering():
            return await staff.devices.listed(account)

    async def revoke(self, device: str) -> Device:
        """End a device's right for ever: its live socket closes, its token opens nothing."""
        staff = self._serving()
        with self.weathering():
            return await staff.devices.revoke(device)

    async def key_name(self, key: str) -> str | None:
        """The name of an API key; None for everything else."""
        staff = self._serving()
        with self.weathering():
            return await staff.keys.name_of(key)

    @contextmanager
    def weathering(self) -> Iterator[None]:
        """Turn what storage suffers into what a caller is told, or into the end of the process."""
        try:
            yield
        except StorageError as error:
            if not error.definite:
                self.fail(error)
            full = error.refusal is errors.STORAGE_FULL
            raise Declined(errors.SERVICE_FULL if full else errors.SERVICE_BUSY) from error

    def _serving(self) -> Staff:
        if self._staff is None:
            raise RuntimeError("The service has not started: its application is not running.")
        if self.phase is not Phase.READY:
            raise Declined(errors.SERVICE_DRAINING)
        return self._staff

    def _written(
        self, sender: AccountId, conversation: ConversationId, body: bytes
    ) -> tuple[bytes, Record]:
        """The hash by which a repeat is known, and the entry."""
        message = Message(next(self._numbers), int(Kind.MESSAGE), conversation, None, body)
        wall_ms = time.time_ns() // 1_000_000
        record = pack_entry(message, sender, self._pseudo_device, wall_ms)
        decided = content_of(message, record) + sender.encode()
        return blake2b(decided, digest_size=16).digest(), record


def _conversation(to: AccountId, sender: AccountId, wanted: str | None) -> ConversationId:
    if wanted is None:
        return direct(to, sender or to)
    members = members_of_direct(wanted)
    if members is None or to not in members:
        raise Declined(
            errors.BAD_REQUEST, "The conversation is no direct conversation of the account."
        )
    return ConversationId(wanted)


def _key(text: str) -> str:
    if not 1 <= len(text) <= limits.KEY_CHARACTERS_MAX or not text.isprintable():
        raise Declined(
            errors.BAD_REQUEST,
            f"An idempotency key is 1 to {limits.KEY_CHARACTERS_MAX} printable characters.",
        )
    return text
