"""Takes one account from a stream (transfer.py) into a store that does not have it: all or nothing.

The stream is judged to its end before the transaction begins, which judges it once more. Senders
wait while the transaction runs, a second or two for a hundred thousand entries.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from syncd import heading
from syncd.model import EPOCH_BYTES, AccountId, CursorScope, DeviceId, Identity, Seq
from syncd.storage.contents import Contents
from syncd.storage.cursors import cursor_key
from syncd.storage.pages import add_run, keep_body_hash
from syncd.storage.queries import load
from syncd.storage.sent_runs import Item, add_items
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
from syncd.storage.unfolded import Growth, LogRow, Unfolded

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
        self._copies: dict[DeviceId, list[tuple[int, Seq]]] = {}

    def begin(self, head: Head, epoch: bytes) -> None:
        self._head = head
        known = Contents(self._connection, Unfolded()).own_log(AccountId(head.account))
        if known is not None and known.merged_into is not None:
            raise TransferRefused(f"The account {head.account} was merged into another one.")
        if known is not None and (known.head > 0 or self._has_devices(known.log)):
            raise TransferRefused(f"The account {head.account} exists in this store.")
        begun = (head.account, epoch, head.floor, head.floor_link, head.floor, head.floor_link)
        sums = (head.floor_sum, head.floor_sum)
        (log,) = self._connection.execute(_SQL["import_log"], begun + sums).fetchone()
        [row] = self._connection.execute(_SQL["log_by_number"], (log,))
        self._log = LogRow(*row)
        (self._arrival,) = self._connection.execute(_SQL["last_arrival"]).fetchone()

    def _has_devices(self, log: int) -> bool:
        return self._connection.execute(_SQL["export_devices"], (log,)).fetchone() is not None

    def add_entries(self, chunk: Entries) -> None:
        log = self._log
        growth = Growth(log)
        for seq, header, body_hash, body in chunk.entries:
            self._arrival += 1
            growth.append(header, body_hash, header + body, self._arrival)
            identity = heading.unpack(header).identity
            self._copies.setdefault(identity.device, []).append((identity.number, seq))
            if body == heading.ERASED:
                keep_body_hash(self._connection, log.log, seq, body_hash)
        start = (growth.before[0] + 1, growth.before[2])
        add_run(self._connection, log.log, start, growth.stamps, growth.entries)
        for device, places in self._copies.items():
            items = [Item(number, b"", (log.log, seq)) for number, seq in sorted(places)]
            add_items(self._connection, device, items)
        self._copies.clear()

    def add_device(self, record: DeviceRecord) -> None:
        row = (
            record.device,
            self._log.log,
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
            self._connection.execute(_SQL["import_device"], row)
        except sqlite3.IntegrityError:
            raise TransferRefused(
                f"Device {record.device}, or its token, exists in this store already."
            ) from None
        answers = record.answers[-self._capacity :]
        device = DeviceId(record.device)
        self._insist_on_own(device, answers)
        items = [
            Item(number, content, (self._log.log, seq) if seq else ())
            for number, seq, content in answers
        ]
        add_items(self._connection, device, items)
        # A shared key may belong to devices of this store, too.
        if record.cursor is not None and self._scope is CursorScope.DEVICE:
            key = cursor_key(self._scope, device, AccountId(""), record.platform)
            self._connection.execute(_SQL["save_cursor"], (key, *record.cursor))

    def _insist_on_own(self, device: DeviceId, answers: Sequence[tuple[int, Seq, bytes]]) -> None:
        """Every answer that names an entry names one of the device's."""
        contents = Contents(self._connection, Unfolded())
        for number, seq, _ in answers:
            entry = contents.entry(self._log, seq)
            if entry is None:
                continue
            if heading.unpack(entry.header).identity != Identity(device, number):
                raise TransferRefused(
                    f"An answer of device {device} names entry {seq}, which is another one's."
                )

    def add_marks(self, marks: list[tuple[str, int]]) -> None:
        rows = [(self._log.log, conversation, seq) for conversation, seq in marks]
        self._connection.executemany(_SQL["save_mark"], rows)

    def end(self, end: End) -> None:
        log = self._log
        grown = (log.head, log.head_link, log.head_sum, log.log)
        self._connection.execute(_SQL["grow_log"], grown)
        self._connection.execute(_SQL["save_meta"], ("arrival", str(self._arrival)))
        self.imported = Imported(end.entries, end.devices, log.floor, log.head)
