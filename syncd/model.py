"""The nouns of the service: accounts, devices, logs, positions, entries, what storage trades in.

Everything above speaks in these words and nothing here knows of bytes on a wire, of SQL or of
time. Vocabulary and reasons: DESIGN.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Annotated, Any, NewType, TypeAlias

import msgspec

from syncd import limits
from syncd.errors import Refusal
from syncd.membership import AccountId as AccountId
from syncd.membership import Change

DeviceId = NewType("DeviceId", str)
ConversationId = NewType("ConversationId", str)
Epoch = NewType("Epoch", bytes)
"""8 opaque random bytes. A log gets a new one whenever its past may have changed."""
Chain = NewType("Chain", bytes)
"""The first 8 bytes of a log's hash chain at one seq (see chain.py)."""
Link = NewType("Link", bytes)
"""The whole 32 bytes of a log's hash chain at one seq; never leaves the server."""

Seq: TypeAlias = int
"""Place of an entry in one log: 1, 2, 3 ..., dense. 0 is the place before the first entry."""

EPOCH_BYTES = 8
CHAIN_BYTES = 8

# Possessive: what they took is never tried again with less, which takes half of the time.
_ACCOUNT = re.compile(rf"[A-Za-z0-9._@:+=-]{{1,{limits.ACCOUNT_CHARACTERS_MAX}}}+")
_DIRECT = re.compile(rf"{_ACCOUNT.pattern}~{_ACCOUNT.pattern}")
_DEVICE = re.compile(rf"[0-9a-f]{{{limits.DEVICE_ID_CHARACTERS}}}")
_DIRECT_SEPARATOR = "~"
"""Stands between the two accounts of a direct conversation; no account id may contain it."""


def is_account(text: str) -> bool:
    """Whether `text` may be an account id: 1 to 64 of ``A-Z a-z 0-9 . _ @ : + = -``.

    The narrow alphabet keeps ids safe in URLs, logs, file names and terminals as they are; an
    embedder whose own ids are wider maps them.
    """
    return _ACCOUNT.fullmatch(text) is not None


def is_device(text: str) -> bool:
    """Whether `text` has the form of a device id: 24 hex digits, drawn by the server."""
    return _DEVICE.fullmatch(text) is not None


def direct(one: AccountId, other: AccountId) -> ConversationId:
    """The id of the direct conversation between two accounts: the same from either side.

    It names both accounts, because each side must be able to tell from an entry alone whom the
    conversation is with, also for entries that its own other device sent.
    """
    return ConversationId(_DIRECT_SEPARATOR.join(sorted((one, other))))


def is_group(text: str) -> bool:
    """Whether `text` may be the id of a group: the alphabet of account ids, chosen by its maker."""
    return is_account(text)


def members_of_direct(conversation: str) -> tuple[AccountId, AccountId] | None:
    """The two accounts of a direct conversation's id, sorted, or None where it is no such id.

    An account may write to itself: then both are the same.
    """
    if _DIRECT.fullmatch(conversation) is None:
        return None
    one, other = halves(conversation)
    return (one, other) if one <= other else None


def halves(conversation: str) -> tuple[AccountId, AccountId]:
    """The two accounts of an id that is a direct conversation's: quicker than finding out."""
    parts: Any = conversation.partition(_DIRECT_SEPARATOR)  # account ids without being called so
    return parts[0], parts[2]


def is_direct(conversation: ConversationId) -> bool:
    """Whether an id, which is one, is a direct conversation's: quicker than looking who is in."""
    return _DIRECT_SEPARATOR in conversation


class Kind(IntEnum):
    """What an entry is. The number is its name on the wire and never changes its meaning."""

    MESSAGE = 1
    EDIT = 2
    """A new body for the target, by its author."""
    RECALL = 3
    """The target shall no longer be shown, says its author."""
    DELETE = 4
    """The target is no longer shown on the own devices: in the own account's log only."""
    READ = 5
    """Read up to the target: in the own account's log only."""
    SYSTEM = 6
    """A change of the conversation's members (membership.py)."""


class CursorScope(Enum):
    """By which key a stored cursor is found. Only DEVICE is right; the others are the bug."""

    DEVICE = "device"
    PLATFORM = "platform"
    ACCOUNT = "account"


class Position(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A place in one account's log as a device states it: whole or not at all.

    A device stores it as opaque, in the same transaction as the entries up to it.
    """

    epoch: Annotated[Epoch, msgspec.Meta(min_length=EPOCH_BYTES, max_length=EPOCH_BYTES)]
    seq: Annotated[Seq, msgspec.Meta(ge=0, le=limits.INTEGER_MAX)]
    chain: Annotated[Chain, msgspec.Meta(min_length=CHAIN_BYTES, max_length=CHAIN_BYTES)]


class Identity(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Which message an entry is, in every log: the device that sent it and that device's number.

    No entry ever names a seq: seqs differ from log to log, identities do not.
    """

    device: Annotated[
        DeviceId,
        msgspec.Meta(
            min_length=limits.DEVICE_ID_CHARACTERS, max_length=limits.DEVICE_ID_CHARACTERS
        ),
    ]
    number: Annotated[int, msgspec.Meta(ge=1, le=limits.INTEGER_MAX)]


class Record(msgspec.Struct, frozen=True, gc=False):
    """An entry as storage keeps it and the wire carries it: two opaque byte strings, made once.

    `header` followed by `body` is the encoded entry (see wire/codec.py); nobody below the codec
    looks inside. `body_hash` is chain.hash_of(body).
    """

    header: bytes
    body: bytes
    body_hash: bytes


class Intent(msgspec.Struct, frozen=True, gc=False):
    """What an entry is meant to do, as far as the logs must judge it (storage/rules.py)."""

    kind: Kind
    conversation: ConversationId
    target: Identity | None = None
    change: Change | None = None
    """Of a SYSTEM entry: what it changes."""
    recall_since_ms: int = 0
    """Of a RECALL: the target must not have been taken before this time of the wall clock."""


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message on its way into the logs of its members, judged in the append's transaction."""

    account: AccountId
    """The sender; its log gives the seq that is answered."""
    device: DeviceId
    number: int
    content: bytes
    """16 bytes: a hash over all that the sender decided. Same identity and content: the same."""
    intent: Intent
    record: Record
    refusal: Refusal | None = None
    """What the policy or a limit says to it, if it is a new one: an accepted one keeps its seq."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """An entry from outside any device (HTTP, an embedder), on its way into the logs.

    `key` is the publisher's opaque idempotency key, scoped by `publisher`; the same key with the
    same content is answered with the first seq. (`device`, `number`) is the entry's identity; the
    device is a pseudo-device.
    """

    publisher: str
    key: str
    content: bytes
    device: DeviceId
    number: int
    intent: Intent
    record: Record
    account: AccountId | None
    """The one log that gets the entry and gives the seq; None for all members of a group."""
    actor: AccountId | None = None
    """In whose name a group is changed; None stands for an operator, who may."""
    refusal: Refusal | None = None
    """What the policy says to it, if it is a new one: the key of an accepted one stays good."""


class Accepted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message that is durable: as storage says it, and as it crosses the wire."""

    number: Annotated[int, msgspec.Meta(ge=1, le=limits.INTEGER_MAX)]
    """Of a publication, of which no device hears, 0."""
    seq: Annotated[Seq, msgspec.Meta(ge=0, le=limits.INTEGER_MAX)] | None
    """Its place in the sender's own log; None when trimmed."""
    duplicate: bool


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The message was not appended, for the reason that `refusal` names."""

    number: int
    refusal: Refusal


Outcome: TypeAlias = Accepted | Refused


class Submission(msgspec.Struct, frozen=True):
    """What one session asks to append: drafts of one device, in the device's order."""

    device: DeviceId
    generation: int
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer generation of the device exists (or none may): what was asked is dropped.

    `instance` is the client process that took over; None when the device was revoked.
    """

    instance: str | None


@dataclass(frozen=True, slots=True)
class OpeningRequest:
    """A hello, as storage sees it: take the next generation and tell me where everything stands.

    `credential` is the version of the token that was shown; None where an embedder's own login
    vouches for the device. `stated` is the seq of the stated position.
    """

    account: AccountId
    device: DeviceId
    credential: int | None
    instance: str
    stated: Seq | None


@dataclass(frozen=True, slots=True)
class Opening:
    """One consistent snapshot, read in the transaction that took the generation."""

    generation: int
    epoch: Epoch
    floor: Seq
    floor_chain: Chain
    head: Seq
    sent: int
    """The highest message number ever accepted from this device; 0 when none."""
    stated_chain: Chain | None
    """The chain at the stated seq; None when nothing was stated or it lies outside floor..head."""
    cursor: Seq | None
    """The stored cursor in this epoch, under the store's cursor scope; None when there is none."""
    cursor_chain: Chain | None
    """The chain at the cursor; None when there is none or it lies below the floor."""
    cursor_outdated: bool
    """There is no cursor in this epoch, but one in an older epoch."""
    aliases: tuple[AccountId, ...] = ()
    """The accounts that were merged into this one, directly or not."""
    merged_epochs: frozenset[Epoch] = frozenset()
    """The epochs of their logs: who states one of them was a guest's."""


class CursorMark(msgspec.Struct, frozen=True):
    """What a device confirmed: everything up to `seq` of `epoch`."""

    account: AccountId
    device: DeviceId
    generation: int
    epoch: Epoch
    seq: Seq


@dataclass(frozen=True, slots=True)
class VerdictNote:
    """What a device was told by its last verdict, for operators: `text` is for people."""

    device: DeviceId
    generation: int
    text: str


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """All that one transaction does: cursors, openings, appends, publications, then the notes.

    Cursors come before openings: what a device confirmed before its hello counts for its hello.
    Openings come before appends: what an older generation left in the queue is dropped by the very
    commit that fences it.
    """

    cursors: tuple[CursorMark, ...] = ()
    openings: tuple[OpeningRequest, ...] = ()
    submissions: tuple[Submission, ...] = ()
    publications: tuple[Publication, ...] = ()
    notes: tuple[VerdictNote, ...] = ()


class Done(msgspec.Struct, frozen=True):
    """What became of a Work, item by item in its order; `grown` are the accounts to wake."""

    openings: tuple[Opening | Refusal, ...] = ()
    submissions: tuple[tuple[Outcome, ...] | Superseded, ...] = ()
    publications: tuple[Accepted | Refusal, ...] = ()
    grown: frozenset[AccountId] = frozenset()
    fan_outs: Mapping[ConversationId, int] = msgspec.field(default_factory=dict)
    """How many logs the newest entry of a conversation went to, where it was more than two."""
    damages: tuple[str, ...] = ()
    """What was found to contradict itself; only the items concerned were refused for it."""


class ReadRequest(msgspec.Struct, frozen=True):
    """Give me what follows `after`: at least one entry if there is one, else up to `bytes_max`."""

    account: AccountId
    after: Seq
    bytes_max: int


class Page(msgspec.Struct, frozen=True):
    """A contiguous run of encoded entries, after+1 .. to, of one log, and where the log stands.

    When `after` lay below the floor or above the head, or the account is unknown, the page is
    empty and `to` equals `after`: the caller compares with floor and head.
    """

    epoch: Epoch
    floor: Seq
    floor_chain: Chain
    head: Seq
    to: Seq
    chain: Chain
    """The chain at `to`; where the page is empty it means nothing."""
    entries: bytes
    """The encoded entries back to back: the bytes stored are the bytes sent."""


@dataclass(frozen=True, slots=True)
class Device:
    """One installation of a client, as storage keeps it and an operator sees it."""

    device: DeviceId
    account: AccountId
    name: str
    platform: str
    credential: int
    generation: int
    sent: int
    revoked: bool
    epoch: Epoch
    cursor: Seq
    """The saved cursor (0 when none), under the store's cursor scope, in `epoch`."""
    head: Seq
    verdict: str | None = None
    """What its last hello was told, for people; None before the first."""
    ended: Refusal | None = None
    """Why its token opens nothing, until its next login; None where it does."""
