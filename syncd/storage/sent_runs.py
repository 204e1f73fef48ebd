"""What each device sent: by its number, what was answered and where the copies stand.

A row of `sent` holds a run of rising numbers of one sender, as MessagePack:

    run  = [item, ...]
    item = [number, content, places]        places = [log, seq, log, seq, ...]

It tells a retry from a new message, and finds the target of an edit or of a read mark, in whatever
log. `content` is empty where nobody can retry: of publications, and of copies that a merge or an
import has added later. Runs of one sender may overlap by such ones, and by what was folded once
more after a crash; then they say the same. Synchronous functions over a connection.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from syncd.model import DeviceId, Seq
from syncd.storage.queries import load

_SQL = load("sqlite")

_RUN_NUMBERS_MAX = 512
"""Numbers of one row: what is decoded to find one of them, some 50 us."""

_RUNS_PER_LOOK = 16
"""Of a sender, looked at in one go: whoever waits for a trim does not wait for a decade's."""


class Item(NamedTuple):
    """One message."""

    number: int
    content: bytes
    places: Sequence[int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Item]).decode


def sender_key(device: DeviceId) -> bytes:
    """What stands in the column `sender`."""
    return bytes.fromhex(device)


def seq_in(places: Sequence[int], log: int) -> Seq | None:
    """Where the copy in one log stands: the newest, as a merge may bring back what was trimmed."""
    copies = [seq for each, seq in zip(places[::2], places[1::2], strict=True) if each == log]
    return max(copies, default=None)


def add_items(connection: sqlite3.Connection, device: DeviceId, items: Sequence[Item]) -> None:
    """Write what a device sent; numbers rise."""
    key = sender_key(device)
    rows = []
    for start in range(0, len(items), _RUN_NUMBERS_MAX):
        part = items[start : start + _RUN_NUMBERS_MAX]
        rows.append((key, part[-1].number, part[0].number, _encode(part)))
    connection.executemany(_SQL["add_sent"], rows)


def find_items(connection: sqlite3.Connection, device: DeviceId, number: int) -> Iterator[Item]:
    """What is known of one message. Raises ValueError where a row cannot be read."""
    for (record,) in connection.execute(_SQL["sent_at"], (sender_key(device), number, number)):
        for item in _decode(record):
            if item.number == number:
                yield item


def newest_items(
    connection: sqlite3.Connection, device: DeviceId, count: int
) -> tuple[dict[int, Item], dict[int, list[int]]]:
    """The `count` newest messages that can be retried, in ascending order of their numbers; and the
    places of copies that were made later, of these and perhaps of others."""
    found: dict[int, Item] = {}
    later: dict[int, list[int]] = {}
    for last, record in connection.execute(_SQL["sent_newest"], (sender_key(device),)):
        if len(found) >= count and last < sorted(found)[-count]:
            break
        for item in _decode(record):
            if item.content:
                found[item.number] = item
            else:
                later[item.number] = [*later.get(item.number, ()), *item.places]
    return {number: found[number] for number in sorted(found)[-count:]}, later


def drop_items(connection: sqlite3.Connection, device: DeviceId, remembered: int) -> None:
    """Forget the oldest runs of a sender whose every copy was trimmed, but for the `remembered`
    newest messages that can be retried."""
    kept_from: int | None = None
    oldest = connection.execute(_SQL["sent_oldest"], (sender_key(device), _RUNS_PER_LOOK))
    for run, last, record in oldest.fetchall():
        if not all(_is_trimmed(connection, item.places) for item in _decode(record)):
            return
        if kept_from is None:
            newest, _ = newest_items(connection, device, remembered)
            kept_from = next(iter(newest), sys.maxsize)
        if last >= kept_from:
            return
        connection.execute(_SQL["drop_sent"], (run,))


def _is_trimmed(connection: sqlite3.Connection, places: Sequence[int]) -> bool:
    for log, seq in zip(places[::2], places[1::2], strict=True):
        (floor,) = connection.execute(_SQL["floor"], (log,)).fetchone()
        if seq > floor:
            return False
    return True


def every_item(connection: sqlite3.Connection) -> Iterator[tuple[DeviceId, Item]]:
    """All that is known of all messages, run by run."""
    for key, record in connection.execute(_SQL["every_sent"]):
        device = DeviceId(key.hex())
        for item in _decode(record):
            yield device, item


def misnamed(connection: sqlite3.Connection) -> Iterator[tuple[DeviceId, int, int]]:
    """Each run whose row names other numbers than it holds, and is found by them: sender, first,
    last."""
    for key, first, last, record in connection.execute(_SQL["every_sent_with_ends"]):
        items = _decode(record)
        if not items or (items[0].number, items[-1].number) != (first, last):
            yield DeviceId(key.hex()), first, last
