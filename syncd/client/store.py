"""The door to what a device keeps: its entries and position, its outbox, and whose it all is.

A *shelf* is the synchronous logic: each method is one transaction, durable when it returns. A
*store* carries work to its shelf, inline (memory) or to a thread (SQLite). Nothing here knows of
sockets or of time. tests/client/test_store.py holds for every shelf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol, TypeVar

from syncd.client.exceptions import OtherAccount, StoreMismatch
from syncd.membership import Action, read_change
from syncd.model import AccountId, ConversationId, DeviceId, Epoch, Identity, Kind, Position, Seq
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.client_events import Mark
from syncd.protocol.outbox import message_of
from syncd.wire.frames import Entry, Message, Reset, Truncated, Verdict

Result = TypeVar("Result")

INSTANCES_MAX = 1_000
"""How many past runs a store knows by their instance: a late hello is hardly older than that."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that the application wants to send; the store gives it its number."""

    kind: int
    conversation: ConversationId
    target: Identity | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Enqueued:
    """Messages that are in the outbox. `messages` is empty while the store has no counter yet:
    before its first verdict; then the tickets will be told their numbers."""

    tickets: tuple[int, ...]
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Entries prev+1 .. prev+len(entries) of the log, as far as they are stored."""

    era: int
    epoch: Epoch
    prev: Seq
    entries: tuple[Entry, ...]


class PendingState(Enum):
    """What a message in the outbox waits for."""

    WAITING = "waiting"
    """For its answer (it may have been sent)."""
    ACCEPTED = "accepted"
    """For its echo: it is in the log, at a seq that batches have not reached."""
    REFUSED = "refused"
    """For the application to forget it: it was refused for ever."""


@dataclass(frozen=True, slots=True)
class Pending:
    """One message of the outbox, as the application may show it."""

    ticket: int
    number: int | None
    outgoing: Outgoing
    state: PendingState
    seq: Seq | None = None
    """Where an accepted one will appear, as far as that is known."""
    code: int | None = None
    """Why a refused one was refused: see errors.BY_MESSAGE_CODE."""


@dataclass(frozen=True, slots=True)
class OldEntry:
    """An entry from before a reset or a truncation that was not seen again (yet)."""

    entry: Entry
    handed: bool
    """Whether the application had finished it."""
    mark: Mark | None
    """None while the log is still coming in: it may be seen again."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose store this is, and what shows it to the server.

    token: opens sockets and requests. secret: proves the device at its next login; None where no
    login gave it one.
    """

    server: str
    account: AccountId | None
    device: DeviceId | None
    token: str | None
    secret: str | None

    def __repr__(self) -> str:  # credentials have no business in a log
        return f"Credentials({self.server}, {self.account}/{self.device})"

    def whose(self) -> str:
        """The account and the device, for people."""
        return f"{self.account}/{self.device}"


@dataclass(slots=True)
class Kept:
    """The single facts of a store, and the rules by which a verdict changes them."""

    server: str = ""
    account: AccountId | None = None
    device: DeviceId | None = None
    token: str | None = None
    counter: int | None = None
    """The highest number given; None before the first verdict."""
    position: Position | None = None
    handed: Seq = 0
    awaited_head: Seq | None = None
    """Old entries that are not seen again by this head get `awaited_mark`."""
    awaited_mark: Mark | None = None
    era: int = 0
    secret: str | None = None
    aliases: tuple[AccountId, ...] = ()

    def __repr__(self) -> str:
        return f"<Kept of {self.credentials()!r}>"

    def loaded(self, instances: Iterable[str]) -> events.Loaded:
        """What a run begins with, given the runs that there were."""
        return events.Loaded(
            self.account,
            self.device,
            self.position,
            self.handed,
            self.era,
            frozenset(instances),
            self.aliases,
        )

    def credentials(self) -> Credentials:
        """See Shelf."""
        return Credentials(self.server, self.account, self.device, self.token, self.secret)

    def log_in(self, answer: Credentials) -> None:
        """See Shelf."""
        own = self.credentials()
        if own.server not in ("", answer.server):
            raise StoreMismatch(own.server, answer.server)
        if own.device not in (None, answer.device):
            raise OtherAccount(own.whose(), answer.whose())
        # Where a merge made it another account, the verdict changes it, with the log's place.
        self.account = own.account or answer.account
        self.server, self.device, self.token = answer.server, answer.device, answer.token
        self.secret = answer.secret or own.secret

    def take(self, verdict: Verdict, handed: Seq) -> Mark | None:
        """Take a verdict. Returns the mark that all entries have in prospect from now on, being
        old, or None where they simply go on."""
        known = self.position
        self.account, self.device, self.aliases = verdict.account, verdict.device, verdict.aliases
        self.counter = max(self.counter or 0, verdict.sent)
        self.position = Position(verdict.epoch, verdict.start, verdict.chain)
        prospect = None
        if isinstance(verdict, Truncated):
            prospect = Mark.LOCAL_ONLY
        elif isinstance(verdict, Reset) or (known and known.epoch != verdict.epoch):
            prospect = Mark.NOT_ON_SERVER
        if prospect is None:
            self.handed = verdict.start if known is None else handed
            if self.awaited_head is not None:
                # A restore by hand may have taken away the head that was noted before.
                self.awaited_head = verdict.head
            return None
        self.era += 1
        self.handed = verdict.start
        self.awaited_head, self.awaited_mark = verdict.head, prospect
        return prospect

    def look_for_old(self, head: Seq) -> None:
        """There are old entries more, and this head shows whether the log has them. Where a head
        is awaited, it is this one already."""
        if self.awaited_head is None:
            self.awaited_head, self.awaited_mark = head, Mark.NOT_ON_SERVER

    def reached(self) -> Mark | None:
        """The mark that old entries get now, because the position reached the noted head; once."""
        if self.awaited_head is None or self.position is None:
            return None
        if self.position.seq < self.awaited_head:
            return None
        mark, self.awaited_head, self.awaited_mark = self.awaited_mark, None, None
        return mark

    def has_passed(self, seq: Seq | None) -> bool:
        """Whether no batch will bring what was accepted there (None: where it was trimmed)."""
        return seq is None or (self.position is not None and seq <= self.position.seq)

    def know(self, number: int) -> None:
        """An own message has this number: none is given that is not above it. When both this
        store and the server's are older copies, neither counter knows what the entries know."""
        self.counter = max(self.counter or 0, number)

    def number(self, count: int) -> range:
        """The next `count` message numbers."""
        assert self.counter is not None, "a store without a counter assigns no number"
        first = self.counter + 1
        self.counter += count
        return range(first, first + count)


def entry_of(message: Message, account: AccountId, device: DeviceId) -> Entry:
    """An own message as an entry, for the local store only: its time is not known."""
    return Entry(
        message.kind,
        message.conversation,
        account,
        device,
        message.number,
        message.target,
        0,
        message.body,
    )


def is_again(old: Entry, seen: Entry) -> bool:
    """Whether the log shows an old entry of this identity again. Its time may be another one, and
    its body may be erased; but where a device and the server were both restored, the number was
    given anew, and the old entry is another message, which nothing else shows."""
    shown = (seen.kind, seen.conversation, seen.target)
    if (old.kind, old.conversation, old.target) != shown:
        return False
    return old.body == seen.body or old.body is None or seen.body is None


def joined(entries: Iterable[Entry], account: AccountId | None) -> set[ConversationId]:
    """The groups that an account comes into by these entries: made by it, or naming it."""
    return {
        entry.conversation
        for entry in entries
        if entry.kind == Kind.SYSTEM and entry.body is not None and _takes_in(entry, account)
    }


def _takes_in(entry: Entry, account: AccountId | None) -> bool:
    try:
        change = read_change(entry.body or b"")
    except ValueError:  # a newer server's: this store keeps what it does not understand
        return False
    if change.action is Action.CREATE and entry.account == account:
        return True
    named = change.members + change.owners
    return change.action in (Action.CREATE, Action.ADD) and account in named


def renumbered(
    refused: Sequence[tuple[int, Outgoing]], numbers: Iterable[int], device: DeviceId
) -> tuple[tuple[Message, ...], dict[Identity, Identity]]:
    """Refused messages, in number order, as new ones; and how their old identities read now.

    What is about one of them is about the new one: of the old one the log will never know.
    """
    moved: dict[Identity, Identity] = {}
    messages: list[Message] = []
    for number, (old, sent) in zip(numbers, refused, strict=True):
        messages.append(numbered(number, retargeted(sent, moved)))
        moved[Identity(device, old)] = Identity(device, number)
    return tuple(messages), moved


def retargeted(sent: Outgoing, moved: Mapping[Identity, Identity]) -> Outgoing:
    """The same, about the message that has a new identity now, if it was about such a one."""
    if sent.target is None or sent.target not in moved:
        return sent
    return replace(sent, target=moved[sent.target])


def numbered(number: int, outgoing: Outgoing) -> Message:
    """What is sent, with its number."""
    return Message(number, outgoing.kind, outgoing.conversation, outgoing.target, outgoing.body)


def only_local(
    known: OldEntry | None, message: Message, account: AccountId, device: DeviceId
) -> OldEntry:
    """An own message that was accepted and of which no echo will come."""
    if known is not None and message_of(known.entry) == message:
        return replace(known, mark=Mark.LOCAL_ONLY)
    return OldEntry(entry_of(message, account, device), True, Mark.LOCAL_ONLY)


class Shelf(Protocol):
    """The synchronous logic of a store. Each method is one transaction."""

    def begin(self, server: str, instance: str, token: str | None) -> tuple[events.Loaded, str]:
        """Record this run's instance, and the token where one is given; the token to use.

        Every run adds an instance; the last INSTANCES_MAX of them are known. Raises
        StoreMismatch when the store belongs to another server, ValueError when there is no token
        at all.
        """

    def credentials(self) -> Credentials:
        """What is kept of them."""

    def log_in(self, answer: Credentials) -> None:
        """Keep what a login gave; a secret that is None leaves the one that is kept.

        The account stays what it is, where there is one: if it was merged into the answer's, the
        next verdict changes it. Raises StoreMismatch where the store belongs to another server,
        OtherAccount where it is another device's; then nothing changes.
        """

    def take_verdict(self, command: commands.TakeVerdict) -> events.VerdictTaken:
        """See the command. Of a welcome, entries beyond its start are dropped: they come again."""

    def store_batch(self, command: commands.StoreBatch) -> events.BatchStored:
        """See the command; what is sent again is done so as `resend` does it."""

    def store_answers(self, command: commands.StoreAnswers) -> events.AnswersStored:
        """See the command. A message that was accepted before stays so, whatever is said now."""

    def store_handed(self, command: commands.StoreHanded) -> events.HandedStored:
        """See the command."""

    def enqueue(self, outgoing: Sequence[Outgoing]) -> Enqueued:
        """Put messages into the outbox, numbered if the store has a counter."""

    def resend(self, ticket: int) -> Enqueued | None:
        """Put a refused message into the outbox again, as a new one with a new number; the refused
        one is gone. None where there is no such refused message.

        Refused messages that are about it are about the new one then. An old entry of its identity
        stays as it is: the log will never hold that identity again.
        """

    def read(self, era: int, after: Seq) -> Run | None:
        """The stored entries that follow `after`: some of them, or None when there are none.

        A reader of an older era goes on at the application's place.
        """

    def pending(self) -> list[Pending]:
        """The outbox, in the order in which it was filled."""

    def forget(self, ticket: int) -> bool:
        """Remove a refused message; False where there is no such refused message."""

    def old(self) -> list[OldEntry]:
        """Entries from before a reset or truncation that were not seen again."""


class ClientStore(Protocol):
    """Carries work to a shelf, one piece at a time, in the order of the calls."""

    durable: bool
    """Whether what is stored outlives the process: decides what may be acknowledged."""

    async def open(self) -> None:
        """Make the shelf ready. Raises StoreError."""

    async def call(self, work: Callable[[Shelf], Result]) -> Result:
        """What `work` returns, given the shelf. Raises StoreError."""

    async def close(self) -> None:
        """Let go of it. Idempotent."""
