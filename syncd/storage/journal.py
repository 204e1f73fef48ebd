"""The journal: what each transaction appended, one row for all of it, in the order of commits.

    record  = [format, arrival, [sender, ...], [message, ...], [cursor, ...]]
    message = [sender, number, content, bytes of the header, entry, places, hash of the body or nil]
    cursor  = [key, epoch, seq]

A message names its sender by the place in the record's list. `arrival` is that of the first copy;
every further copy, in the order of messages and of their places, has the next one. Chains and
checksums are not written: they follow from what is, and reading the journal computes them anew. The
hash of a body is there only where the body is no more. A row carries its own checksum, because it
is the only place that holds what it holds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from syncd.checksum import crc32
from syncd.model import DeviceId, Epoch, Seq
from syncd.storage import Damaged
from syncd.storage.queries import load

_SQL = load("sqlite")

FORMAT = 1


class Message(msgspec.Struct, array_like=True, gc=False):
    """One message, and where its copies went: log, seq, log, seq, ..."""

    sender: int
    number: int
    content: bytes
    header_size: int
    entry: bytes
    places: tuple[int, ...]
    body_hash: bytes | None


class Cursor(NamedTuple):
    """What was confirmed, by the key that the store's cursor scope makes."""

    key: str
    epoch: Epoch
    seq: Seq


class Appended(NamedTuple):
    """What one transaction appended."""

    format: int
    arrival: int
    senders: list[DeviceId]
    messages: list[Message]
    cursors: list[Cursor]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Appended).decode


def write(connection: sqlite3.Connection, appended: Appended) -> int:
    """Add a row inside the transaction; its size in bytes."""
    record = _encode(appended)
    connection.execute(_SQL["add_to_journal"], (record, crc32(record)))
    return len(record)


def read(connection: sqlite3.Connection) -> Iterator[tuple[int, Appended]]:
    """Every row, oldest first: its size in bytes, and what it says.

    Raises Damaged where a row cannot be believed: what it holds stands nowhere else.
    """
    for number, record, stated in connection.execute(_SQL["journal"]):
        if crc32(record) != stated:
            raise Damaged(f"row {number} of the journal is damaged; restore a backup")
        try:
            appended = _decode(record)
        except msgspec.MsgspecError as error:
            raise Damaged(f"row {number} of the journal cannot be read: {error}") from error
        if appended.format != FORMAT:
            raise Damaged(f"row {number} of the journal has the unknown format {appended.format}")
        yield len(record), appended
