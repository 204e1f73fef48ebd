"""One account as a stream of MessagePack values, from one store to another: what it is made of, and
how it is judged before any of it is believed.

A stream is a row of records, each an array whose first element names it, and each preceded by its
length in bytes as an unsigned integer of 32 bits (0xce and four bytes), which is MessagePack, too:

    ["head", "syncd-export", 1, account, epoch, floor, floor_link, floor_sum, head, head_link]
    ["entries", [[seq, header, body_hash, body], ...]]      any number of them; floor+1 .. head
    ["device", device, name, platform, token_hash, credential, generation, revoked, sent, accepted,
               [epoch, seq] of the cursor or nil, [[number, seq, content], ...]]    one each
    ["marks", [[conversation, seq], ...]]                   any number of them
    ["end", entries, devices, head_link, digest]

in this order and nothing behind it. header and body are the two byte strings of an entry, body_hash
is by what the body enters the hash chain (chain.py); an erased body is nil (0xc0) and keeps its
hash. token_hash is the SHA-256 of a device's token: the tokens go on. digest is the BLAKE2b-256 of
all bytes before the last record's length. Memberships of groups are not part of it: a group belongs
to all of its members.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from typing import Annotated, BinaryIO, TypeAlias

import msgspec
from msgspec import Meta

from syncd import chain, heading, limits
from syncd.model import AccountId, Link, is_account, is_device
from syncd.storage.register import ENDINGS

FORMAT = "syncd-export"
VERSION = 1

Place: TypeAlias = Annotated[int, Meta(ge=0, le=limits.INTEGER_MAX)]
_Hash: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Epoch: TypeAlias = Annotated[bytes, Meta(min_length=8, max_length=8)]
_Sum: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 32)]
_Name: TypeAlias = Annotated[str, Meta(max_length=limits.NAME_CHARACTERS_MAX)]
_Platform: TypeAlias = Annotated[str, Meta(max_length=limits.PLATFORM_CHARACTERS_MAX)]
_Content: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
_Conversation: TypeAlias = Annotated[str, Meta(max_length=limits.CONVERSATION_CHARACTERS_MAX)]
_Answers: TypeAlias = Annotated[
    list[tuple[Place, Place, _Content]], Meta(max_length=limits.REMEMBERED_MESSAGES)
]


class Head(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="head", frozen=True):
    """Whose log it is, and from where to where it goes."""

    format: str
    version: int
    account: str
    epoch: _Epoch
    floor: Place
    floor_link: _Hash
    floor_sum: _Sum
    head: Place
    head_link: _Hash


class Entries(
    msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="entries", frozen=True
):
    """Some entries: seq, header, body_hash, body."""

    entries: list[tuple[Place, bytes, _Hash, bytes]]


class DeviceRecord(
    msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="device", frozen=True
):
    """A device, with the answers that it may ask for again: number, seq, content. A seq of 0 stands
    for an entry that a merge did not bring along.

    secret_hash, ended: see register.Installed; older streams do not have them.
    """

    device: str
    name: _Name
    platform: _Platform
    token_hash: _Hash
    credential: Place
    generation: Place
    revoked: bool
    sent: Place
    accepted: Place
    cursor: tuple[_Epoch, Place] | None
    answers: _Answers
    secret_hash: _Hash | None = None
    ended: str | None = None


class Marks(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="marks", frozen=True):
    """Up to where conversations were read."""

    marks: list[tuple[_Conversation, Place]]


class End(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="end", frozen=True):
    """What the whole must come to."""

    entries: Place
    devices: Place
    head_link: _Hash
    digest: _Hash


Record: TypeAlias = Head | Entries | DeviceRecord | Marks | End
_ORDER: tuple[type[Record], ...] = (Head, Entries, DeviceRecord, Marks, End)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode

_LENGTH_MARK = b"\xce"
_LENGTH_BYTES = 5


class TransferRefused(Exception):
    """The stream is not taken, and nothing of it was. The text is one sentence."""


def framed(record: Record) -> bytes:
    """A record as it stands in the stream, behind its length."""
    encoded = _encode(record)
    return _LENGTH_MARK + len(encoded).to_bytes(_LENGTH_BYTES - 1, "big") + encoded


def records(stream: BinaryIO, account: AccountId) -> Iterator[Record]:
    """The records of a stream of this account, each judged by all that came before it.

    Only when this has come to its end is the stream whole. Raises TransferRefused, OSError.
    """
    judge = _Judge(account)
    digest = blake2b(digest_size=32)
    while not judge.ended:
        length, encoded = _next(stream)
        try:
            record = _decode(encoded)
        except (ValueError, RecursionError) as error:
            raise TransferRefused(f"A record of the stream is none of ours: {error}.") from None
        judge.see(record, digest.digest())
        digest.update(length + encoded)
        yield record
    if stream.read(1):
        raise TransferRefused("Something follows the end of the stream.")


def _next(stream: BinaryIO) -> tuple[bytes, bytes]:
    length = stream.read(_LENGTH_BYTES)
    if length[:1] not in (b"", _LENGTH_MARK):
        raise TransferRefused("The stream is no export: no length of a record where one must be.")
    if len(length) == _LENGTH_BYTES:
        size = int.from_bytes(length[1:], "big")
        if size > limits.TRANSFER_RECORD_BYTES_MAX:
            raise TransferRefused(
                f"A record of {size} bytes is too large,"
                f" at most {limits.TRANSFER_RECORD_BYTES_MAX} are allowed."
            )
        encoded = stream.read(size)
        if len(encoded) == size:
            return length, encoded
    raise TransferRefused("The stream was cut off: it ends before its last record.")


class _Judge:
    """What must hold from one record to the next."""

    def __init__(self, account: AccountId) -> None:
        self._account = account
        self._head: Head | None = None
        self._seq = 0
        self._link = chain.GENESIS
        self._entries = 0
        self._devices: set[str] = set()
        self._last: type[Record] = Head
        self.ended = False

    def see(self, record: Record, digest: bytes) -> None:
        """Judge the next record; `digest` is that of all bytes before it. Raises TransferRefused.

        Its caller owes: no more records once `ended`.
        """
        if (self._head is None) is not isinstance(record, Head):
            raise TransferRefused("The stream must begin with one head.")
        if _ORDER.index(type(record)) < _ORDER.index(self._last):
            raise TransferRefused("The records of the stream are out of order.")
        self._last = type(record)
        match record:
            case Head():
                self._see_head(record)
            case Entries(entries):
                for entry in entries:
                    self._see_entry(*entry)
            case DeviceRecord():
                self._see_device(record)
            case Marks(marks):
                if any(not 0 < seq <= self._known.head for _, seq in marks):
                    raise TransferRefused("A read mark stands outside of the log.")
            case End():
                self._see_end(record, digest)

    @property
    def _known(self) -> Head:
        assert self._head is not None, "the head comes first"
        return self._head

    def _see_head(self, head: Head) -> None:
        if head.format != FORMAT or head.version != VERSION:
            raise TransferRefused(
                f"The stream is {head.format!r:.40} version {head.version};"
                f" this program reads {FORMAT!r} version {VERSION}."
            )
        if head.account != self._account:
            of = head.account if is_account(head.account) else "nobody"
            raise TransferRefused(f"The stream is the export of {of}, not of {self._account}.")
        begins = (head.floor_link, head.floor_sum) == (chain.GENESIS, 0)
        if head.floor > head.head or (head.floor == 0 and not begins):
            raise TransferRefused("The stream's head contradicts itself.")
        self._head, self._seq, self._link = head, head.floor, Link(head.floor_link)

    def _see_entry(self, seq: int, header: bytes, body_hash: bytes, body: bytes) -> None:
        if seq != self._seq + 1 or seq > self._known.head:
            raise TransferRefused(f"Entry {self._seq + 1} is missing; {seq} stands in its place.")
        if len(header) + len(body) > limits.ENTRY_BYTES_MAX:
            raise TransferRefused(f"Entry {seq} is too large.")
        if body != heading.ERASED and chain.hash_of(body) != body_hash:
            raise TransferRefused(f"The body of entry {seq} is not the one that was accepted.")
        try:
            known = is_device(heading.unpack(header).device)
        except ValueError:
            known = False
        if not known:
            raise TransferRefused(f"Entry {seq} has no header.")
        self._seq, self._link = seq, chain.link(self._link, seq, header, body_hash)
        self._entries += 1

    def _see_device(self, device: DeviceRecord) -> None:
        known = device.device
        if not is_device(known) or known in self._devices:
            raise TransferRefused("A device of the stream has no id of its own.")
        self._devices.add(known)
        numbers = [number for number, _, _ in device.answers]
        ascending = all(one < next_one for one, next_one in pairwise(numbers))
        if not ascending or (numbers[-1] if numbers else 0) != device.sent:
            raise TransferRefused(f"The answers of device {known} contradict each other.")
        if len(numbers) > device.accepted:
            raise TransferRefused(f"Device {known} has more answers than were given.")
        if device.ended is not None and device.ended not in ENDINGS:
            raise TransferRefused(f"Device {known} was signed out for a reason that is none.")
        if any(seq > self._known.head for _, seq, _ in device.answers):
            raise TransferRefused(f"An answer of device {known} names an entry that is not there.")

    def _see_end(self, end: End, digest: bytes) -> None:
        if self._seq != self._known.head:
            raise TransferRefused(f"Entry {self._seq + 1} is missing.")
        if not self._link == self._known.head_link == end.head_link:
            raise TransferRefused("The hash chain of the stream does not lead to its head.")
        if (end.entries, end.devices) != (self._entries, len(self._devices)):
            raise TransferRefused("The stream does not hold what its end says.")
        if end.digest != digest:
            raise TransferRefused("The stream was changed: its digest does not fit.")
        self.ended = True
