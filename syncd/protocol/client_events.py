"""Everything that can happen to a client, in the past tense. Plain values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId, Outcome, Position, Seq
from syncd.wire.frames import Message, ServerFrame, Signal


class Mark(Enum):
    """Why an entry of the local store is no part of the server's log. Never a reason to delete."""

    NOT_ON_SERVER = "not on server"
    """The log was reset, and its new past does not hold this entry."""
    LOCAL_ONLY = "local only"
    """Retention dropped the entry there; below the floor nothing can be compared. Also an own
    message that was accepted where no batch will bring it any more."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The position reached the head of the verdict: what was not seen again got its mark."""

    mark: Mark
    count: int


@dataclass(frozen=True, slots=True)
class Echo:
    """An own message came back as the entry at `seq` of the own log: the same content, or a
    message that was accepted already."""

    number: int
    seq: Seq


@dataclass(frozen=True, slots=True)
class Loaded:
    """The store is open and this run's instance is recorded in it.

    account, device: whom the store belongs to; None until its first verdict.
    position: up to where its entries reach; None when it holds nothing.
    handed: up to where the application has finished.
    era: see VerdictTaken.
    instances: of the runs that this store has seen. Whoever is fenced by one of them met a late
        hello of its own.
    aliases: as the last verdict told them.
    """

    account: AccountId | None
    device: DeviceId | None
    position: Position | None
    handed: Seq
    era: int
    instances: frozenset[str] = frozenset()
    aliases: tuple[AccountId, ...] = ()


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open and the subprotocol agreed on."""


@dataclass(frozen=True, slots=True)
class Received:
    """A frame of the server came; its WebSocket message had `size` bytes."""

    frame: ServerFrame
    size: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes came that are no frame (or of the wrong encoding)."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class VerdictTaken:
    """The verdict's transaction is durable. Answers TakeVerdict.

    outbox: every message that waits for an answer now, in number order, those put back included.
    accepted: numbers of messages that are accepted and whose echo is still to come.
    numbered: (ticket, number) of messages that were queued before the store had a counter.
    handed: the application's place, in the log as it is now.
    era: counts how often this store's entries became old; a seq means something within one era.
    """

    outbox: tuple[Message, ...]
    accepted: tuple[int, ...]
    numbered: tuple[tuple[int, int], ...]
    handed: Seq
    era: int
    marked: Marked | None


@dataclass(frozen=True, slots=True)
class BatchStored:
    """Entries and position are durable. Answers StoreBatch.

    resent: messages that wait for an answer again, under new numbers, which are the highest.
    """

    position: Position
    echoes: tuple[Echo, ...]
    marked: Marked | None
    resent: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswersStored:
    """The answers are durable. Answers StoreAnswers."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class HandedStored:
    """The application's place is durable. Answers StoreHanded."""


@dataclass(frozen=True, slots=True)
class Queued:
    """Messages of the application are durable in the outbox, with their numbers.

    Only numbered ones are told: what was queued before the first verdict comes with VerdictTaken.
    """

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Handed:
    """The application has finished everything up to `seq`. Another era's is ignored."""

    era: int
    seq: Seq


@dataclass(frozen=True, slots=True)
class Signalling:
    """The application signals. Sent if a verdict was taken on this socket, else forgotten."""

    frame: Signal


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The deadline that the client named may have come."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket is gone, or never came to be. `code` is the close frame's, None without one."""

    code: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CloseRequested:
    """The application wants to stop."""


ClientEvent: TypeAlias = (
    Loaded
    | Connected
    | Received
    | Malformed
    | VerdictTaken
    | BatchStored
    | AnswersStored
    | HandedStored
    | Queued
    | Handed
    | Signalling
    | TimePassed
    | Disconnected
    | CloseRequested
)
