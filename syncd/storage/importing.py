"""Takes one account from a stream (transfer.py) into a store that does not have it: all or nothing.

The stream is judged to its end before the transaction begins, which judges it once more. Senders
wait while the transaction runs, a second or two for a hundred thousand entries.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from syncd import chain, checksum, heading
from syncd.model import EPOCH_BYTES, AccountId, CursorScope, DeviceId, Link
from syncd.storage.cursors import cursor_key
from syncd.storage.identities import sender_key
from syncd.storage.queries import load
from syncd.storage.sqlite_book import find_log
from syncd.storage.transaction import transact
from syncd.storage.transfer import (
    DeviceRecord,
    End,
    Entries,
    Head,
    Marks,
    TransferRefused,
    records,
)

_SQL = load("sqlite")


_ROOM = 3
"""How many times the stream's size must be free: in the WAL, in the database, and its indexes. A
disk that fills up at COMMIT would stop the service."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken in."""

    entries: int
    devices: int
    floor: int
    head: int


def import_account(
    connection: sqlite3.Connection,
    account: AccountId,
    path: Path,
    *,
    scope: CursorScope,
    remembered: int,
    draw: Callable[[int], bytes],
) -> Imported:
    """Take the account from the stream in the file `path`, under a new epoch.

    scope, remembered: the store's cursor scope, and how many answers it remembers per device.
    draw: gives the random bytes of the epoch.

    Raises TransferRefused, OSError and StorageError; then nothing of it was taken.
    """
    with path.open("rb") as stream:
        for _ in records(stream, account):
            pass
        _insist_on_room(connection, stream.tell())
        stream.seek(0)
        epoch = draw(EPOCH_BYTES)

        def take(within: sqlite3.Connection) -> Imported:
            taking = _Taking(within, scope, remembered)
            for record in records(stream, account):
                match record:
                    case Head():
                        taking.begin(record, epoch)
                    case Entries():
                        taking.add_entries(record)
                    case DeviceRecord():
                        taking.add_device(record)
                    case Marks(marks):
                        taking.add_marks(marks)
                    case End():
                        taking.end(record)
            return taking.imported

        return transact(connection, take)


def _insist_on_room(connection: sqlite3.Connection, size: int) -> None:
    _, _, file = connection.execute("PRAGMA database_list").fetchone()
    disk = os.statvfs(file)
    if disk.f_bavail * disk.f_frsize < size * _ROOM:
        raise TransferRefused(f"The disk has no room for it: {size * _ROOM} bytes must be free.")


class _Taking:
    """The rows of one account on their way in."""

    imported: Imported

    def __init__(self, connection: sqlite3.Connection, scope: CursorScope, remembered: int) -> None:
        self._connection = connection
        self._scope = scope
        self._capacity = remembered

    def begin(self, head: Head, epoch: bytes) -> None:
        self._head = head
        known = find_log(self._connection, AccountId(head.account))
        if known is not None and known.merged_into is not None:
            raise TransferRefused(f"The account {head.account} was merged into another one.")
        if known is not None and (known.head > 0 or self._has_devices(known.log)):
            raise TransferRefused(f"The account {head.account} exists in this store.")
        self._sum, self._link = head.floor_sum, Link(head.floor_link)
        begun = (head.account, epoch, head.floor, self._link, head.floor, self._link)
        sums = (self._sum, self._sum)
        (self._log,) = self._connection.execute(_SQL["import_log"], begun + sums).fetchone()
        (self._arrival,) = self._connection.execute(_SQL["last_arrival"]).fetchone()

    def _has_devices(self, log: int) -> bool:
        return self._connection.execute(_SQL["export_devices"], (log,)).fetchone() is not None

    def add_entries(self, chunk: Entries) -> None:
        rows = []
        for seq, header, body_hash, body in chunk.entries:
            found = heading.unpack(header)
            self._link = chain.link(self._link, seq, header, body_hash)
            self._sum = checksum.extend(self._sum, header + body)
            self._arrival += 1
            shown = chain.shown(self._link)
            sealed = checksum.sealed(self._sum, shown)
            identity = (sender_key(found.device), found.number)
            stored = (shown, sealed, header, body_hash, body)
            rows.append((self._arrival, self._log, seq, *identity, *stored))
        self._connection.executemany(_SQL["append_entry"], rows)

    def add_device(self, record: DeviceRecord) -> None:
        row = (
            record.device,
            self._log,
            record.name,
            record.platform,
            record.token_hash,
            record.credential,
            record.generation + 1,
            record.revoked,
            record.sent,
            record.accepted,
            record.secret_hash,
            record.ended,
        )
        try:
            (device,) = self._connection.execute(_SQL["import_device"], row).fetchone()
        except sqlite3.IntegrityError:
            raise TransferRefused(
                f"Device {record.device}, or its token, exists in this store already."
            ) from None
        answers = record.answers[-self._capacity :]
        first = record.accepted - len(answers)
        slots = [
            (device, (first + place) % self._capacity, *answer)
            for place, answer in enumerate(answers)
        ]
        self._connection.executemany(_SQL["remember"], slots)
        # A shared key may belong to devices of this store, too.
        if record.cursor is not None and self._scope is CursorScope.DEVICE:
            key = cursor_key(self._scope, DeviceId(record.device), AccountId(""), record.platform)
            self._connection.execute(_SQL["save_cursor"], (key, *record.cursor))

    def add_marks(self, marks: list[tuple[str, int]]) -> None:
        rows = [(self._log, conversation, seq) for conversation, seq in marks]
        self._connection.executemany(_SQL["save_mark"], rows)

    def end(self, end: End) -> None:
        grown = (self._head.head, self._link, self._sum, self._log)
        self._connection.execute(_SQL["grow_log"], grown)
        for device, number, seq, header in self._connection.execute(
            _SQL["answers_of_log"], (self._log,)
        ):
            found = heading.unpack(header)
            if (found.device, found.number) != (device, number):
                raise TransferRefused(
                    f"An answer of device {device} names entry {seq}, which is another one's."
                )
        self.imported = Imported(end.entries, end.devices, self._head.floor, self._head.head)
