"""What stores of schema 3 held, a row for each entry and for each answer, becomes pages and runs.

Part of the migration's transaction: a crash leaves the old store. So the disk must have room for
the store once more. In memory there is never more than one page, or the places of all that one
device sent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from syncd import checksum, heading
from syncd.model import DeviceId, Seq
from syncd.storage.pages import PAGE_BYTES_MAX, STAMP, add_run, keep_body_hash
from syncd.storage.queries import load
from syncd.storage.sent_runs import Item, add_items

_SQL = load("sqlite")

_LAST_ARRIVAL = """
SELECT max(coalesce((SELECT max(arrival) FROM entries), 0),
           coalesce((SELECT arrival FROM ages ORDER BY clock_ms DESC LIMIT 1), 0),
           coalesce((SELECT max(arrival) FROM publications), 0),
           coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'trimmed_at'), 0))
"""
_LOGS = "SELECT log, floor, floor_sum FROM logs ORDER BY log"
_ENTRIES = """
SELECT seq, arrival, chain, sum, header, body_hash, body FROM entries
WHERE log = ? AND seq > ? ORDER BY seq
"""
_COPIES = """
SELECT sender, number, log, seq, header FROM entries INDEXED BY entries_by_identity
ORDER BY sender, number, log
"""
_ANSWERS = """
SELECT number, content, log, seq FROM remembered JOIN devices ON devices.id = remembered.device
WHERE devices.device = ?
"""
_DEVICES = "SELECT device FROM devices ORDER BY id"
_DROP = (
    "DROP TABLE remembered",
    "DROP TABLE entries",
    "DELETE FROM meta WHERE key = 'trimmed_at'",
)


def carry_over(connection: sqlite3.Connection) -> None:
    """Write pages and runs for all that the old tables hold, and drop these."""
    (arrival,) = connection.execute(_LAST_ARRIVAL).fetchone()
    connection.execute(_SQL["save_meta"], ("arrival", str(arrival)))
    for log, floor, floor_sum in connection.execute(_LOGS).fetchall():
        _carry_log(connection, log, floor, floor_sum)
    _carry_sent(connection)
    for statement in _DROP:
        connection.execute(statement)


def _carry_log(connection: sqlite3.Connection, log: int, floor: Seq, floor_sum: int) -> None:
    start, ended = (floor + 1, floor_sum), floor_sum
    stamps: list[bytes] = []
    entries: list[bytes] = []
    size = 0
    for seq, arrival, chain, sealed, header, body_hash, body in connection.execute(
        _ENTRIES, (log, floor)
    ):
        entry = header + body
        gap = seq != start[0] + len(entries)
        if entries and (gap or size + len(entry) > PAGE_BYTES_MAX):
            add_run(connection, log, start, stamps, entries)
            stamps, entries, size = [], [], 0
        if not entries:
            # Behind a gap nobody knows it; the log is damaged, and stays so.
            start = (seq, ended)
        stamps.append(STAMP.pack(chain, sealed, arrival, len(entry), len(header)))
        entries.append(entry)
        size += len(entry)
        ended = checksum.opened(sealed, chain)
        if body == heading.ERASED:
            keep_body_hash(connection, log, seq, body_hash)
    if entries:
        add_run(connection, log, start, stamps, entries)


def _carry_sent(connection: sqlite3.Connection) -> None:
    """Runs of all senders: with the contents of what its device may send again, and the places of
    the rest."""
    left = {device for (device,) in connection.execute(_DEVICES)}
    for _, copies in groupby(_messages(connection), itemgetter(0)):
        by_device: dict[DeviceId, dict[int, list[int]]] = {}
        for _, device, number, places in copies:
            by_device.setdefault(device, {})[number] = places
        for device, messages in by_device.items():
            _write(connection, device, messages, _answers(connection, device))
            left.discard(device)
    for device in sorted(left):
        _write(connection, device, {}, _answers(connection, device))


def _messages(
    connection: sqlite3.Connection,
) -> Iterator[tuple[int, DeviceId, int, list[int]]]:
    """Each message with its places. Two devices may share the old index's key."""
    for (sender, number), rows in groupby(connection.execute(_COPIES), itemgetter(0, 1)):
        places: dict[DeviceId, list[int]] = {}
        for _, _, log, seq, header in rows:
            try:
                device = heading.unpack(header).device
            except ValueError:
                continue  # the log is damaged, and stays so
            places.setdefault(device, []).extend((log, seq))
        for device, found in places.items():
            yield sender, device, number, found


def _answers(connection: sqlite3.Connection, device: DeviceId) -> dict[int, tuple[bytes, int, Seq]]:
    return {
        number: (content, log, seq)
        for number, content, log, seq in connection.execute(_ANSWERS, (device,))
    }


def _write(
    connection: sqlite3.Connection,
    device: DeviceId,
    messages: dict[int, list[int]],
    answers: dict[int, tuple[bytes, int, Seq]],
) -> None:
    retriable, others = [], []
    for number in sorted({*messages, *answers}):
        places = messages.get(number, [])
        if number not in answers:
            others.append(Item(number, b"", places))
            continue
        content, log, seq = answers[number]
        told = places or ([log, seq] if seq else [])
        retriable.append(Item(number, content, told))
    add_items(connection, device, retriable)
    add_items(connection, device, others)
