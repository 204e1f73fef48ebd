"""Everything a client can ask for, in the imperative. Performed in order by one interpreter.

The four store commands are answered by one event each, in the order in which they were given:
TakeVerdict by VerdictTaken, StoreBatch by BatchStored, StoreAnswers by AnswersStored, StoreHanded
by HandedStored. Each is one durable transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from syncd.errors import Refusal
from syncd.model import Outcome, Position, Seq
from syncd.protocol.client_events import Echo, Marked
from syncd.wire import frames
from syncd.wire.frames import ClientFrame, Entry, Verdict

# ---------------------------------------------------------------- the socket


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a socket. Answered by Connected or Disconnected."""


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send one frame. Must not wait for the peer to read: reading goes on meanwhile."""

    frame: ClientFrame


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket with this code (None: normally). Answered by Disconnected."""

    refusal: Refusal | None


# ---------------------------------------------------------------- the store


@dataclass(frozen=True, slots=True)
class TakeVerdict:
    """Take the verdict, in one transaction:

    position whole; counter = max(own, sent), then numbers for messages that wait for one; on
    reset, truncated and a change of epoch every entry becomes old, accepted messages without echo
    too; while old entries are not marked, the head of every verdict is noted, and what is not seen
    again by then is to be marked; back into the outbox, under its number, every own message above
    `sent` that is accepted without echo, old or marked, but never a refused one; and what was put
    back so, and is not above `sent` any more, waits for no answer any more: the server has it, but
    may not remember its answer. `handed` is the application's place as of now.
    """

    verdict: Verdict
    handed: Seq


@dataclass(frozen=True, slots=True)
class StoreBatch:
    """Store the entries prev+1 .. position.seq and the position, in one transaction.

    An entry replaces an old one of the same identity; `echoes` end the wait of own messages; the
    application's place goes along. Where a `system` entry makes the own account a member of its
    group, what had been put back into that group and was refused as not_a_member is queued as new.
    """

    prev: Seq
    entries: tuple[Entry, ...]
    position: Position
    echoes: tuple[Echo, ...]
    handed: Seq


@dataclass(frozen=True, slots=True)
class StoreAnswers:
    """Store what became of own messages: refused ones end, accepted ones wait for their echo.

    But an accepted one without a seq, or at one that the position has passed, has no echo to wait
    for: it becomes an old entry that is marked LOCAL_ONLY.
    """

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class StoreHanded:
    """Store the application's place."""

    seq: Seq


# ---------------------------------------------------------------- the application


@dataclass(frozen=True, slots=True)
class Skipped:
    """The server's start is not where this device stands: entries would be passed over.

    stated: the seq that hello stated, None when it held nothing (then the floor was due).
    missed: how many entries lie between what was due and the start.
    """

    stated: Seq | None
    start: Seq
    missed: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The token belongs to another account or device than the store."""

    store: str
    token: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The conversation ended with a code that says: not by yourself."""

    refusal: Refusal
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class Requested:
    """The application asked for it."""


StopReason: TypeAlias = Skipped | Mismatch | Ended | Requested


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict was taken."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Numbered:
    """Messages that were queued without a counter got their numbers: (ticket, number)."""

    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of own messages; durable. A message's echo is an answer too."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No connection came to be, and why; told once while the reason stays the same."""

    reason: str


@dataclass(frozen=True, slots=True)
class Floored:
    """Retention dropped everything up to `floor`: what is not above it counts as unread no more.

    Told whenever the floor that was heard rises; in a new epoch it starts anew.
    """

    floor: Seq


@dataclass(frozen=True, slots=True)
class Signalled:
    """Another device signals, just now. Kept nowhere."""

    frame: frames.Signalled


News: TypeAlias = (
    Judged | Skipped | Numbered | Answered | Marked | Unreachable | Floored | Signalled
)


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the application."""

    news: News


@dataclass(frozen=True, slots=True)
class Stop:
    """It is over: no socket is open and none will be opened. The last command of a client."""

    reason: StopReason


StoreCommand: TypeAlias = TakeVerdict | StoreBatch | StoreAnswers | StoreHanded
ClientCommand: TypeAlias = Connect | SendFrame | Close | StoreCommand | Report | Stop
