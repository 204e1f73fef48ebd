"""Everything that can happen to a session, in the past tense. Plain values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId, Opening, Outcome, Page
from syncd.wire import frames
from syncd.wire.frames import ClientFrame


@dataclass(frozen=True, slots=True)
class Received:
    """A frame of the client came. `wall_ms` is the server's wall clock, for people to read."""

    frame: ClientFrame
    wall_ms: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes came that are no frame (or of the wrong encoding)."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Admitted:
    """The token belongs to this device of this account. Answers Authenticate."""

    account: AccountId
    device: DeviceId
    credential: int | None


@dataclass(frozen=True, slots=True)
class NotAdmitted:
    """The token opens nothing, or nobody could tell. Answers Authenticate."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Opened:
    """The next generation is ours, and this is where everything stands. Answers Open."""

    opening: Opening


@dataclass(frozen=True, slots=True)
class NotOpened:
    """Storage let nobody in. Answers Open."""

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of the drafts of one Append, in their order. Answers Append."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class PageRead:
    """Answers Read."""

    page: Page


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """Storage cannot serve the log right now. Answers Read."""


@dataclass(frozen=True, slots=True)
class Woken:
    """The account's log may have grown. Carries nothing; may be lost, doubled, merged."""


@dataclass(frozen=True, slots=True)
class Signalled:
    """Another device signalled, in a conversation of this account."""

    frame: frames.Signalled


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer socket of this device took over; `instance` is its client process.

    Either the shell saw it, or a commit did: then what was submitted was dropped, unanswered.
    """

    instance: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The session's right ended: the device was revoked or its token rotated.

    Either the shell was told, or a commit saw it and dropped what was submitted, unanswered.
    """

    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Draining:
    """The server is stopping."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """The account or the address asks for too much, and should stay away for so long."""

    retry_after_ms: int


@dataclass(frozen=True, slots=True)
class WriteStalled:
    """The socket accepted no byte for WRITE_STALLED_TIMEOUT_S."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The deadline that the session named may have come."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The socket is gone."""


Event: TypeAlias = (
    Received
    | Malformed
    | Admitted
    | NotAdmitted
    | Opened
    | NotOpened
    | Committed
    | PageRead
    | ReadFailed
    | Woken
    | Signalled
    | Superseded
    | Ended
    | Draining
    | Throttled
    | WriteStalled
    | TimePassed
    | Disconnected
)
