"""The service as a program sees it: publish, make devices, list them, end them.

The HTTP door and an embedder's own code call the same methods; what they may not do is `Declined`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum

from syncd import errors
from syncd.badges import Badges
from syncd.committer import Committer
from syncd.errors import Refusal
from syncd.identity import words
from syncd.identity.accounts import Accounts
from syncd.identity.devices import Admission, Credential, Devices
from syncd.identity.keys import Keys
from syncd.identity.login import Login
from syncd.identity.words import Declined
from syncd.live_connections import LiveConnections
from syncd.membership import Action, Change, Members, changed
from syncd.model import (
    Accepted,
    AccountId,
    ConversationId,
    Device,
    Intent,
    Kind,
    Publication,
    Seq,
)
from syncd.policy import Ask, Checkpoint
from syncd.server.writer import Writer, author, body_of, direct_or_own, group
from syncd.storage import Storage, StorageError

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
    storage: Storage
    badges: Badges
    login: Login
    accounts: Accounts
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks over HTTP.

    account: in whose name; "" stands for an operator, who holds an API key.
    publisher: the scope of the idempotency keys.
    """

    account: AccountId
    publisher: str


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
        self._writer = Writer()

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
        to, shown = words.account_id(account), author(sender)
        intent = Intent(Kind.MESSAGE, direct_or_own(to, shown, conversation))
        return await self._published(
            self._writer.publication(intent, body, shown, (publisher, key), to)
        )

    async def publish_to_group(
        self,
        conversation: str,
        body: bytes,
        *,
        sender: str = "",
        key: str | None = None,
        publisher: str = "",
    ) -> Published:
        """Append a message to the logs of all members of a group; durable when this returns.

        sender: the member shown as its sender, or "" for the system. Unlike `publish` this reaches
            the sender's own log, too: whatever is said in a group is in the log of each member.
        key, publisher: as with `publish`. There is no one seq to answer: it is None.
        """
        if not isinstance(body, bytes):
            raise TypeError(f"body is bytes, not {type(body).__name__}")
        intent, shown = Intent(Kind.MESSAGE, group(conversation)), author(sender)
        return await self._published(
            self._writer.publication(intent, body, shown, (publisher, key))
        )

    async def change_group(
        self,
        conversation: str,
        change: Change,
        *,
        actor: str = "",
        key: str | None = None,
        publisher: str = "",
    ) -> bool:
        """Make a group or change who is in it; durable when this returns.

        False where the group already is as `change` would make it; nothing was appended then.
        actor: the account in whose name; its role decides, and so does the policy. "" stands for an
            operator, who may.
        key, publisher: as with `publish`.
        """
        by, body = author(actor), body_of(change)
        intent = Intent(Kind.SYSTEM, group(conversation), None, change)
        publication = self._writer.publication(intent, body, by, (publisher, key))
        checkpoint = self._serving().checkpoint
        if checkpoint is not None and by:
            number, device = publication.number, publication.device
            asked = Ask(by, device, number, Kind.SYSTEM, intent.conversation, None, body)
            [refusal] = await checkpoint.refusals([asked])
            publication = replace(publication, refusal=refusal)
        # Asked anew: the service may have stopped taking work while the policy thought.
        result = await self._serving().committer.publish(publication)
        if result is errors.NOTHING_TO_CHANGE:
            return False
        if result is errors.CONVERSATION_EXISTS and await self._is_so(intent, by):
            return False
        if result is errors.BAD_CHANGE:
            raise Declined(errors.BAD_REQUEST, _impossible(change))
        _raise_refusal(result, by)
        return True

    async def members(self, conversation: str, *, actor: str = "") -> Members:
        """Who is in a group, and as what.

        actor: the account that asks, which must be a member: to others a group that does not exist
            looks like one that they are not in. "" stands for an operator.
        """
        wanted, by = group(conversation), author(actor)
        staff = self._serving()
        with self.weathering():
            found = await staff.storage.members(wanted)
        if by and by not in (found or ()):
            raise Declined(errors.NO_MEMBER)
        if found is None:
            raise Declined(errors.NO_SUCH_CONVERSATION)
        return found

    async def unread(self, account: str) -> dict[ConversationId, int]:
        """How many messages an account has not read, by conversation; none where it has read all.

        What its devices show, from the log alone: for a badge on a device that is not connected.
        """
        owner = words.account_id(account)
        staff = self._serving()
        with self.weathering():
            try:
                return await staff.badges.unread(owner)
            except KeyError:
                raise Declined(errors.NO_SUCH_ACCOUNT) from None

    async def caller(self, credential: str) -> Caller | None:
        """Who shows this API key or this token of a device; None for everything else."""
        staff = self._serving()
        with self.weathering():
            name = await staff.keys.name_of(credential)
            if name is not None:
                return Caller(AccountId(""), f"key:{name}")
            admission = await staff.devices.authenticate(credential)
        if isinstance(admission, Refusal):
            return None
        return Caller(admission.account, f"account:{admission.account}")

    async def device(self, token: str | None) -> Admission:
        """The device that shows this token, as long as it opens something."""
        staff = self._serving()
        with self.weathering():
            admission = await staff.devices.authenticate(token or "")
        if isinstance(admission, Refusal):
            raise Declined(errors.UNAUTHORIZED)
        return admission

    @property
    def login(self) -> Login:
        """By which people get devices; to be used inside `weathering`."""
        return self._serving().login

    @property
    def accounts(self) -> Accounts:
        """What may be done to an account as a whole; to be used inside `weathering`."""
        return self._serving().accounts

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

    async def _published(self, publication: Publication) -> Published:
        # The future may be dropped by whoever waits; the publication goes on.
        result = await self._serving().committer.publish(publication)
        accepted = _raise_refusal(result, publication.actor)
        return Published(accepted.seq, accepted.duplicate)

    async def _is_so(self, intent: Intent, actor: AccountId) -> bool:
        """Whether the group that exists is the very one that `intent` would have made."""
        assert intent.change is not None
        with self.weathering():
            found = await self._serving().storage.members(intent.conversation)
        return found == changed(None, intent.change, actor or None)


def _impossible(change: Change) -> str:
    """Why no group can be changed like that, where the form of the change is right."""
    if change.action is Action.LEAVE:
        return "An API key is no member: use remove."
    return "No possible change: members and owners are both empty."


def _raise_refusal(result: Accepted | Refusal, actor: str | None) -> Accepted:
    """What was accepted. Raises Declined for what was not."""
    if isinstance(result, Accepted):
        return result
    if result is errors.NOT_A_MEMBER and not actor:
        raise Declined(errors.NO_SUCH_CONVERSATION)  # all that can keep an operator out
    text = result.text if result is errors.POLICY_UNAVAILABLE else None
    raise Declined(errors.AS_HTTP.get(result, result), text)
