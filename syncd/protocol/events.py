"""Everything that can happen to a session, in the past tense. Plain values, no behaviour."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId, Opening, Outcome, Page
from syncd.wire import frames
from syncd.wire.frames import ClientFrame


class Received(msgspec.Struct, frozen=True):
    """A frame of the client came. `wall_ms` is the server's wall clock, for people to read."""

    frame: ClientFrame
    wall_ms: int


class Malformed(msgspec.Struct, frozen=True):
    """Bytes came that are no frame (or of the wrong encoding)."""

    refusal: Refusal


class Admitted(msgspec.Struct, frozen=True):
    """The token belongs to this device of this account. Answers Authenticate."""

    account: AccountId
    device: DeviceId
    credential: int | None


class NotAdmitted(msgspec.Struct, frozen=True):
    """The token opens nothing, or nobody could tell. Answers Authenticate."""

    refusal: Refusal


class Opened(msgspec.Struct, frozen=True):
    """The next generation is ours, and this is where everything stands. Answers Open."""

    opening: Opening


class NotOpened(msgspec.Struct, frozen=True):
    """Storage let nobody in. Answers Open."""

    refusal: Refusal


class Committed(msgspec.Struct, frozen=True):
    """What became of the drafts of one Append, in their order. Answers Append."""

    outcomes: tuple[Outcome, ...]


class PageRead(msgspec.Struct, frozen=True):
    """Answers Read."""

    page: Page


class ReadFailed(msgspec.Struct, frozen=True):
    """Storage cannot serve the log right now. Answers Read."""


class Woken(msgspec.Struct, frozen=True):
    """The account's log may have grown. Carries nothing; may be lost, doubled, merged."""


class Signalled(msgspec.Struct, frozen=True):
    """Another device signalled, in a conversation of this account."""

    frame: frames.Signalled


class Superseded(msgspec.Struct, frozen=True):
    """A newer socket of this device took over; `instance` is its client process.

    Either the shell saw it, or a commit did: then what was submitted was dropped, unanswered.
    """

    instance: str


class Ended(msgspec.Struct, frozen=True):
    """The session's right ended: the device was revoked or its token rotated.

    Either the shell was told, or a commit saw it and dropped what was submitted, unanswered.
    """

    refusal: Refusal


class Draining(msgspec.Struct, frozen=True):
    """The server is stopping."""


class Throttled(msgspec.Struct, frozen=True):
    """The account or the address asks for too much, and should stay away for so long."""

    retry_after_ms: int


class WriteStalled(msgspec.Struct, frozen=True):
    """The socket accepted no byte for WRITE_STALLED_TIMEOUT_S."""


class TimePassed(msgspec.Struct, frozen=True):
    """The deadline that the session named may have come."""


class Disconnected(msgspec.Struct, frozen=True):
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
