"""Everything a session can ask for, in the imperative. Performed in order by one interpreter."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

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


class Authenticate(msgspec.Struct, frozen=True):
    """Find out whose token this is. Answered by Admitted or NotAdmitted."""

    token: str


class Open(msgspec.Struct, frozen=True):
    """Listen for wake-ups of the account, *then* take a generation and a snapshot.

    Answered by Opened or NotOpened. In that order no growth falls between snapshot and listening.
    """

    request: OpeningRequest


class Reply(msgspec.Struct, frozen=True):
    """Send one frame."""

    frame: ServerFrame


class Deliver(msgspec.Struct, frozen=True):
    """Send the page's entries as the batch that follows `prev`."""

    prev: Seq
    page: Page


class Append(msgspec.Struct, frozen=True):
    """Make these durable, in this order. Answered by Committed, or by Superseded or Ended."""

    submission: Submission


class Read(msgspec.Struct, frozen=True):
    """Answered by PageRead or ReadFailed. A session has at most one under way."""

    request: ReadRequest


class SaveCursor(msgspec.Struct, frozen=True):
    """The device confirmed its place; to be saved behind. Not answered."""

    mark: CursorMark


class NoteVerdict(msgspec.Struct, frozen=True):
    """Keep what the device was told, for operators; to be saved behind. Not answered."""

    note: VerdictNote


class Signal(msgspec.Struct, frozen=True):
    """Tell the connected devices of the conversation's members, but for this one, if its account
    is a member. Not answered, and no harm where it is lost."""

    frame: frames.Signal


class Alarm(msgspec.Struct, frozen=True):
    """An operator must hear of this: a device knows more than the log. `facts` are for people."""

    name: str
    facts: dict[str, str | int]


class Close(msgspec.Struct, frozen=True):
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
