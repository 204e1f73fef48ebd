"""Everything a session can ask for, in the imperative. Performed in order by one interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from syncd.errors import Refusal
from syncd.model import (
    CursorMark,
    OpeningRequest,
    Page,
    ReadRequest,
    Seq,
    Submission,
    VerdictNote,
)
from syncd.wire import frames
from syncd.wire.frames import ServerFrame


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Find out whose token this is. Answered by Admitted or NotAdmitted."""

    token: str


@dataclass(frozen=True, slots=True)
class Open:
    """Listen for wake-ups of the account, *then* take a generation and a snapshot.

    Answered by Opened or NotOpened. In that order no growth falls between snapshot and listening.
    """

    request: OpeningRequest


@dataclass(frozen=True, slots=True)
class Reply:
    """Send one frame."""

    frame: ServerFrame


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send the page's entries as the batch that follows `prev`."""

    prev: Seq
    page: Page


@dataclass(frozen=True, slots=True)
class Append:
    """Make these durable, in this order. Answered by Committed, or by Superseded or Ended."""

    submission: Submission


@dataclass(frozen=True, slots=True)
class Read:
    """Answered by PageRead or ReadFailed. A session has at most one under way."""

    request: ReadRequest


@dataclass(frozen=True, slots=True)
class SaveCursor:
    """The device confirmed its place; to be saved behind. Not answered."""

    mark: CursorMark


@dataclass(frozen=True, slots=True)
class NoteVerdict:
    """Keep what the device was told, for operators; to be saved behind. Not answered."""

    note: VerdictNote


@dataclass(frozen=True, slots=True)
class Signal:
    """Tell the connected devices of the conversation's members, but for this one, if its account
    is a member. Not answered, and no harm where it is lost."""

    frame: frames.Signal


@dataclass(frozen=True, slots=True)
class Alarm:
    """An operator must hear of this: a device knows more than the log. `facts` are for people."""

    name: str
    facts: dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Close:
    """Say goodbye with this code and close. The last command of a session.

    retry_after_ms: how long the device should stay away at least.
    """

    refusal: Refusal
    instance: str | None = None
    retry_after_ms: int | None = None


Command: TypeAlias = (
    Authenticate
    | Open
    | Reply
    | Deliver
    | Append
    | Read
    | SaveCursor
    | NoteVerdict
    | Signal
    | Alarm
    | Close
)
