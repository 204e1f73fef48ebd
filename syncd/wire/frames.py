"""Every frame that may cross the wire, as typed immutable records.

One WebSocket message is one frame. In MessagePack a frame is an array: its tag, then its fields in
the order written here; in JSON it is an object of the same fields by name, with the tag's name
under ``frame``. Frames of a client are strict (an extra field is refused); frames of the server may
grow trailing fields in later servers, which a client ignores. PROTOCOL.md is generated from this
module: the docstrings below are its text.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from syncd import limits
from syncd.model import (
    CHAIN_BYTES,
    EPOCH_BYTES,
    Accepted,
    AccountId,
    Chain,
    ConversationId,
    DeviceId,
    Epoch,
    Identity,
    Position,
)

Count: TypeAlias = Annotated[int, Meta(ge=0, le=limits.INTEGER_MAX)]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=limits.INTEGER_MAX)]
EpochField: TypeAlias = Annotated[Epoch, Meta(min_length=EPOCH_BYTES, max_length=EPOCH_BYTES)]
ChainField: TypeAlias = Annotated[Chain, Meta(min_length=CHAIN_BYTES, max_length=CHAIN_BYTES)]
ConversationField: TypeAlias = Annotated[
    ConversationId, Meta(min_length=1, max_length=limits.CONVERSATION_CHARACTERS_MAX)
]
Instance: TypeAlias = Annotated[str, Meta(pattern=rf"\A[0-9a-f]{{{limits.INSTANCE_CHARACTERS}}}\Z")]

# ---------------------------------------------------------------- records inside frames


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A message as its device sends it.

    number: the sending device's counter, 1, 2, 3 ...; written to its outbox before the first send,
        gaps allowed, never used again for another content.
    kind: 1 = message, 2 = edit, 3 = recall, 4 = delete, 5 = read, 6 = system.
    conversation: where it goes; a direct conversation's id is the two account ids, sorted by
        code point, joined by ``~``; a group's id was chosen by its maker, from the alphabet of
        account ids.
    target: the identity of the entry that an edit, recall, delete or read is about; null for a
        message or a system message.
    body: opaque, but of a system message; at most 32,768 bytes, else ``too_large``.
    """

    number: Number
    kind: Annotated[int, Meta(ge=0, le=255)]
    conversation: ConversationField
    target: Identity | None
    body: bytes


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """What a log holds. Its seq is not inside: it follows from the batch.

    kind, conversation, target: as in the message that it was.
    account: of the sender. Empty when an operator's program sent it over HTTP without naming one;
        then the conversation is the receiver's with itself, and device belongs to no account.
    device, number: the sending device and its number: the entry's identity in every log.
    time: the server's wall clock when it took the message, in milliseconds since 1970-01-01 UTC;
        for people to read, never for order. Edits, recalls and unread counts go by it as little.
    body: null where it was erased since.
    """

    kind: Annotated[int, Meta(ge=0, le=255)]
    conversation: ConversationId
    account: AccountId
    device: DeviceId
    number: Number
    target: Identity | None
    time: Count
    body: bytes | None

    @property
    def identity(self) -> Identity:
        """(device, number): which message this is, in every log."""
        return Identity(self.device, self.number)


# ---------------------------------------------------------------- from the client


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=1, forbid_unknown_fields=True):
    """The first frame of a socket, once: who I am and where I stand.

    token: the device's credential.
    instance: 16 hex digits, drawn at each start of the client process and stored by it before it
        connects; ``fenced`` names the instance that took over.
    position: the place that the device has durably stored; null when it holds nothing.
    cursor: true asks for the device's own stored cursor instead (for consumers that hold what they
        acknowledged elsewhere); then position is null.
    window: stored entry bytes that may be under way unacknowledged; 65,536 to 4,194,304.
    """

    token: Annotated[str, Meta(min_length=1, max_length=limits.TOKEN_CHARACTERS_MAX)]
    instance: Instance
    position: Position | None
    cursor: bool
    window: Annotated[int, Meta(ge=limits.WINDOW_BYTES_MIN, le=limits.WINDOW_BYTES_MAX)]


class Ack(msgspec.Struct, frozen=True, array_like=True, tag=2, forbid_unknown_fields=True):
    """Everything up to seq is durably stored by this device. Cumulative.

    epoch: of the log that is acknowledged; an ack of another epoch is ignored.
    seq: any seq that was sent in this session; not below the session's last ack.
    """

    epoch: EpochField
    seq: Count


class Send(msgspec.Struct, frozen=True, array_like=True, tag=3, forbid_unknown_fields=True):
    """Messages to append, judged one by one, in order. Not a transaction.

    messages: 1 to 1,024, in rising order of number.
    """

    messages: Annotated[
        tuple[Message, ...], Meta(min_length=1, max_length=limits.MESSAGES_PER_FRAME_MAX)
    ]


class Signal(msgspec.Struct, frozen=True, array_like=True, tag=4, forbid_unknown_fields=True):
    """Something that is true just now (somebody types, somebody is there): for the devices of the
    conversation's members that are connected at this moment. Never in a log, never answered, and
    dropped without a word where the sender is no member, signals too fast, or a line is busy.

    conversation: as in a message.
    kind: 1 = typing, 2 = here, 3 = away; any other is dropped. Who said here and goes, is said to
        be away.
    body: opaque; at most 256 bytes.
    """

    conversation: ConversationField
    kind: Annotated[int, Meta(ge=0, le=255)]
    body: Annotated[bytes, Meta(max_length=limits.SIGNAL_BYTES_MAX)]


# ---------------------------------------------------------------- from the server


class VerdictFields(msgspec.Struct, frozen=True, array_like=True):
    """What every verdict carries.

    account, device: whose token this was.
    epoch: of the account's log.
    floor: the last seq dropped by retention; the log holds floor+1 .. head.
    head: the newest seq.
    start: the seq after which batches begin.
    chain: the chain at start: with epoch and start, the position to go on from.
    missed: how many entries will come now: head - start.
    sent: the highest message number that was ever accepted from this device; 0 when none.
    """

    account: AccountId
    device: DeviceId
    epoch: EpochField
    floor: Count
    head: Count
    start: Count
    chain: ChainField
    missed: Count
    sent: Count


class Welcome(VerdictFields, frozen=True, array_like=True, tag=16):
    """Verdict: nothing is lost. Batches follow from start.

    aliases: the accounts that were merged into this one: what they sent is one's own.
    """

    aliases: tuple[AccountId, ...] = ()


class Truncated(VerdictFields, frozen=True, array_like=True, tag=17):
    """Verdict: retention dropped entries that the device did not have. Batches follow from start.

    missing: the first and last seq that are gone.
    aliases: as in welcome.
    Also sent in place of a batch, when a trim passes the session.
    """

    missing: tuple[Count, Count]
    aliases: tuple[AccountId, ...] = ()


class Reset(VerdictFields, frozen=True, array_like=True, tag=18):
    """Verdict: the device's past is not the log's past. Batches follow from start.

    reason: ``epoch`` (another epoch), ``ahead`` (the position lies beyond the head), ``forked``
        (the chain at the position differs) or ``merged`` (the position is of the log of an account
        that was merged into this one).
    aliases: as in welcome.
    Also sent in place of a batch, when the log changes its epoch.
    """

    reason: str
    aliases: tuple[AccountId, ...] = ()


class Batch(msgspec.Struct, frozen=True, array_like=True, tag=19):
    """Entries prev+1 .. to, every one of them. Applied only if prev equals the client's own seq.

    prev: the seq before the first entry.
    to: the seq of the last entry.
    entries: exactly to - prev of them; the first has seq prev+1.
    chain: the chain at to: with epoch and to, the position to store in the same transaction.
    head: the newest seq when this was read.
    """

    prev: Count
    to: Count
    entries: tuple[Entry, ...]
    chain: ChainField
    head: Count


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag=20):
    """Sent every 20 s. The client's seq must equal to; anything else is a gap.

    epoch: of the log.
    head: the newest seq that the session knows of; above to is normal (the window is full).
    to: the last seq that was sent in this session, or its start.
    floor: the last seq dropped by retention; what is not above it counts as unread no more.
    """

    epoch: EpochField
    head: Count
    to: Count
    floor: Count = 0


class RefusedField(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message that was not appended.

    number: the message's.
    code: of the table of message refusals.
    """

    number: Number
    code: Count


class Answers(msgspec.Struct, frozen=True, array_like=True, tag=21):
    """What became of messages of this device.

    accepted: those that are durable, in the order in which they were sent.
    refused: those that were not appended. Each message that this frame answers is in one of both.
    """

    accepted: tuple[Accepted, ...]
    refused: tuple[RefusedField, ...]


class Goodbye(msgspec.Struct, frozen=True, array_like=True, tag=22):
    """The last frame before the server closes, with the same code as the close frame.

    code: the close code.
    name: of the code, for people and logs.
    instance: with ``fenced``, the client process that took over; else null.
    retry_after: milliseconds that the client should wait at least; null when it may come at once
        (with jitter).
    """

    code: Count
    name: str
    instance: str | None
    retry_after: Count | None


class Signalled(msgspec.Struct, frozen=True, array_like=True, tag=23):
    """A signal of another device, just now. May be lost, doubled or late; means nothing after.

    conversation, kind, body: as it was signalled.
    account, device: who signalled.
    """

    conversation: ConversationId
    account: AccountId
    device: DeviceId
    kind: Annotated[int, Meta(ge=0, le=255)]
    body: bytes


ClientFrame: TypeAlias = Hello | Ack | Send | Signal
ServerFrame: TypeAlias = (
    Welcome | Truncated | Reset | Batch | Heartbeat | Answers | Goodbye | Signalled
)
Verdict: TypeAlias = Welcome | Truncated | Reset
Frame: TypeAlias = ClientFrame | ServerFrame
