"""What happened, as one append-only list of records: the only thing that judges and pictures see.

One JSON object a line (HISTORY.md is the format's page). The same record may be told from two
sides, `by` says from which: the device's own (what it did and what reached it) or the server's
(what it received, made durable and sent). Times are seconds of one monotonic clock of one machine,
virtual or real, so records of several processes can be merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, TypeAlias

import msgspec

from syncd.recording.journal import fingerprint as fingerprint

DEVICE, SERVER = "device", "server"
"""The two sides from which things are told."""

Content: TypeAlias = tuple[str, str | None]
"""A message's identity and the fingerprint of what it says; None where the body was erased."""


class NotAHistory(Exception):
    """A line is no record. The text names the line and what is wrong with it."""


class Told(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="what", gc=False
):
    """What all records have: when it happened, and who tells it."""

    at: float = 0.0
    by: str = DEVICE


class Begin(Told, frozen=True, tag="begin"):
    """The first record of a run.

    world: pretend, live, adapter, recorded, or whatever somebody else's is called.
    faults: the kinds of fault that this run means to bring about; one that never fires leaves the
        run unjudged.
    judges: names of those that the run is for; each must have had something to look at. Empty for
        all, none of which must.
    """

    world: str
    play: str = ""
    seed: int | None = None
    faults: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


class Device(Told, frozen=True, tag="device"):
    """A device of an account. `name` is for people; `device` names it everywhere else. Told again
    when the device has logged in again, perhaps to another account."""

    device: str
    account: str
    name: str = ""
    platform: str = ""


class Login(Told, frozen=True, tag="login"):
    """An installation asked to be logged in. code: why it was not; empty where it was. device: what
    it is from now on, or was until now."""

    name: str
    device: str = ""
    code: str = ""


class Send(Told, frozen=True, tag="send"):
    """A message. By the device: its application handed it over, and it is in the outbox. By the
    server: it came in a frame.

    message: its identity, the same in every log for ever.
    to: the accounts whose logs must hold it once it is accepted, the sender's own included; empty
        where that is for the server to say (a group whose members change).
    body: the fingerprint.
    """

    device: str
    message: str
    body: str | None = None
    to: tuple[str, ...] = ()
    kind: int = 1
    conversation: str = ""
    session: int = 0
    size: int = 0
    """Bytes of the body."""


class Answer(Told, frozen=True, tag="answer"):
    """What became of a message. By the server: it was put on the wire.

    outcome: accepted; refused (definite: it is in no log and never will be, or retryable: not now);
        lost (nobody will ever know: the sender gave up asking).
    seq: its place in the sender's own log; None where that was trimmed.
    """

    device: str
    message: str
    outcome: str
    seq: int | None = None
    duplicate: bool = False
    code: str = ""
    definite: bool = True
    session: int = 0


class Connect(Told, frozen=True, tag="connect"):
    """A hello went out (by the device) or came in (by the server). `session` is one socket's
    number, unique in the run. epoch and seq: the stated place; None: nothing was stated."""

    device: str
    session: int
    instance: str = ""
    epoch: str | None = None
    seq: int | None = None
    cursor: bool = False
    """The server's own cursor was asked for."""
    window: int = 0
    """Bytes of entries that the server may have under way; 0 where nobody told."""


class Opened(Told, frozen=True, tag="opened"):
    """The server gave the session its generation, durably. Always by the server."""

    device: str
    session: int
    generation: int


class Verdict(Told, frozen=True, tag="verdict"):
    """kind: welcome, truncated or reset. start: the seq after which entries will come."""

    device: str
    session: int
    kind: str
    epoch: str
    floor: int
    head: int
    start: int
    missed: int = 0
    sent: int = 0
    """The highest number that the server ever accepted from this device."""
    reason: str = ""


class Batch(Told, frozen=True, tag="batch"):
    """Entries prev+1 ... of the log, in order, as they reached the device (or were sent)."""

    device: str
    session: int
    epoch: str
    prev: int
    messages: tuple[Content, ...]
    head: int = 0


class Applied(Told, frozen=True, tag="applied"):
    """The device made entries prev+1 ... to durable, in one step with its place `to`.

    A place without entries, where a verdict was taken, has prev == to.
    """

    device: str
    epoch: str
    prev: int
    to: int


class Ack(Told, frozen=True, tag="ack"):
    """By the device: it confirms everything up to seq. By the server: it counted that."""

    device: str
    session: int
    epoch: str
    seq: int


class Closed(Told, frozen=True, tag="closed"):
    """A socket is gone, as this side noticed. code: the name of a refusal, or empty for a cut."""

    device: str
    session: int
    code: str = ""


class Queued(Told, frozen=True, tag="queued"):
    """So many bytes waited on the server for this socket, the most since the last such record."""

    device: str
    session: int
    bytes: int


class Appended(Told, frozen=True, tag="appended"):
    """A commit made this entry durable. merged: it came from another log by a merge. generation:
    of the session that had sent it; 0 where there was none, or nobody told."""

    account: str
    epoch: str
    seq: int
    message: str
    body: str | None
    merged: bool = False
    generation: int = 0


class Saved(Told, frozen=True, tag="saved"):
    """The stored cursor of a device, as it stands after a commit that touched it. generation: of
    the session that moved it."""

    device: str
    epoch: str
    seq: int
    generation: int = 0


class Floor(Told, frozen=True, tag="floor"):
    """Retention dropped everything up to `floor` of this log."""

    account: str
    epoch: str
    floor: int


class Renewed(Told, frozen=True, tag="renewed"):
    """The log's past may have changed, and from now on it has this epoch. why: restore, import,
    made anew. In a restore by hand, which nobody tells the server, the epoch is the old one."""

    account: str
    epoch: str
    head: int
    why: str


class Merged(Told, frozen=True, tag="merged"):
    """A guest's log was closed; its entries are in the account's. prover: the device whose login
    proved both, the only one of the guest's that goes on; empty for a merge by an operator. What it
    brought is told after it."""

    guest: str
    account: str
    prover: str


class Revoked(Told, frozen=True, tag="revoked"):
    """Whoever asked for the end of this device's right was told that it has ended. until_login: it
    was signed out; where it logs in, its Device record is told again."""

    device: str
    until_login: bool = False


class Fault(Told, frozen=True, tag="fault"):
    """A fault fired. kind: one word of FAULTS in weather.py or a play's own; target: a device, an
    account, or the server. detail is for people."""

    kind: str
    target: str = ""
    detail: str = ""


class Process(Told, frozen=True, tag="process"):
    """A process began or ended. whose: a device, or "server". state: started, stopped, crashed."""

    whose: str
    state: str


class Phase(Told, frozen=True, tag="phase"):
    """A part of the run begins: storm, calm (no fault from here on), end (what follows is the
    final state). Other names are a play's own; "abuse" and "peace" are for the isolation judge."""

    name: str


class Step(Told, frozen=True, tag="step"):
    """The play came to this sentence."""

    sentence: str


class Log(Told, frozen=True, tag="log"):
    """One account's log at the end, read from the store: entries floor+1 .. head."""

    account: str
    epoch: str
    floor: int
    head: int
    entries: tuple[Content, ...]


class Holds(Told, frozen=True, tag="holds"):
    """What a device has at the end: entries from+1 .. seq of its log, as far as its store keeps
    them, and what it holds beside the log (kept from before a reset or a truncation).

    online: whether it was connected and should have everything. waiting: messages of its own
    without an answer. first: the place before the first entry that it holds. unread: how many
    messages its application would count as unread; None where nobody counted. name: as in the
    play: a device and its clone have one id.
    """

    device: str
    epoch: str | None
    first: int
    seq: int
    entries: tuple[Content, ...]
    old: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    online: bool = True
    unread: int | None = None
    name: str = ""


class Cursor(Told, frozen=True, tag="cursor"):
    """What the server has stored for a device at the end."""

    device: str
    epoch: str
    seq: int


class Complaint(Told, frozen=True, tag="complaint"):
    """Something that a device or the server itself said must not happen: a gap on an ordered line,
    an alarm, an unhandled error. judge: the invariant that it breaks, where that is plain."""

    whose: str
    text: str
    judge: str = ""


_Syncing: TypeAlias = Connect | Opened | Verdict | Batch | Applied | Ack | Closed | Queued
_Durable: TypeAlias = Appended | Saved | Floor | Renewed | Merged | Revoked
_Done: TypeAlias = Fault | Process | Phase | Step
_Final: TypeAlias = Log | Holds | Cursor | Complaint
Record: TypeAlias = Begin | Device | Login | Send | Answer | _Syncing | _Durable | _Done | _Final

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


class History:
    """A run's records, in the order in which they were told; written to `file` as they come."""

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self.records: list[Record] = []
        self._file = file

    def tell(self, record: Record) -> None:
        """Add a record. Its time is not below that of the record before."""
        self.records.append(record)
        if self._file is not None:
            self._file.write(_encoder.encode(record) + b"\n")

    def lines(self) -> Iterator[bytes]:
        """The records as they stand in a file."""
        return (_encoder.encode(record) + b"\n" for record in self.records)

    def digest(self) -> str:
        """A fingerprint of everything that happened: the same seed must give the same."""
        return sha256(b"".join(self.lines())).hexdigest()


def encode(record: Record) -> bytes:
    """One line of a file."""
    return _encoder.encode(record) + b"\n"


def read(path: Path) -> list[Record]:
    """The records of a file. Raises NotAHistory, and OSError."""
    return list(parse(path.read_bytes().splitlines()))


def parse(lines: Iterable[bytes]) -> Iterator[Record]:
    """Records from their lines; empty ones are passed over. Raises NotAHistory."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NotAHistory(f"line {number}: {error}") from None


def merged(*histories: Iterable[Record]) -> list[Record]:
    """Several histories of one machine's clock as one, by time; equal times keep their order."""
    told = (record for history in histories for record in history)
    return sorted(told, key=lambda record: record.at)
