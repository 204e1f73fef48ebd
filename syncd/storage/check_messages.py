"""Messages, over all logs: whether the runs of what was sent name every copy and nothing else, and
whether the copies of a message are alike.

Both sides are poured into a temporary database and compared in the order of messages, so a store of
any size needs no more memory than a small one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from syncd.model import AccountId, DeviceId, Identity, Seq
from syncd.storage.contents import Contents
from syncd.storage.findings import Report
from syncd.storage.unfolded import LogRow

_TABLES = """
CREATE TABLE seen (device TEXT, number INTEGER, log INTEGER, seq INTEGER, digest BLOB);
CREATE TABLE answers (device TEXT, number INTEGER, PRIMARY KEY (device, number)) WITHOUT ROWID;
"""
_ADD = "INSERT INTO seen VALUES (?, ?, ?, ?, ?)"
_ALL = "SELECT device, number, log, seq, digest FROM seen ORDER BY device, number, log, seq"
_ADD_ANSWER = "INSERT OR IGNORE INTO answers VALUES (?, ?)"
_ANSWERS_OF = "SELECT coalesce(max(number), 0), count(*) FROM answers WHERE device = ?"

_ROWS_TOGETHER = 10_000


class _Ends(NamedTuple):
    account: AccountId
    floor: Seq
    head: Seq


class Messages:
    """Its caller owes `close`."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._logs: dict[int, _Ends] = {}
        self._rows: list[tuple[str, int, int, int, bytes | None]] = []
        # Without a name it is a temporary file of SQLite's own.
        self._sorting = sqlite3.connect("", isolation_level=None)
        self._sorting.executescript(_TABLES)
        self._sorting.execute("BEGIN")

    def close(self) -> None:
        """Let go of the temporary database."""
        self._sorting.close()

    def know(self, log: LogRow) -> None:
        """There is this log."""
        self._logs[log.log] = _Ends(log.account, log.floor, log.head)

    def see(self, log: LogRow, seq: Seq, identity: Identity, content: bytes) -> None:
        """A log holds a message there. content: what is the same in every copy."""
        digest = blake2b(content, digest_size=16).digest()
        self._add(identity.device, identity.number, log.log, seq, digest)

    def _add(self, device: str, number: int, log: int, seq: Seq, digest: bytes | None) -> None:
        self._rows.append((device, number, log, seq, digest))
        if len(self._rows) >= _ROWS_TOGETHER:
            self._pour()

    def _pour(self) -> None:
        self._sorting.executemany(_ADD, self._rows)
        self._rows.clear()

    def compare(self, contents: Contents) -> None:
        """Add to the report where entries and runs differ. Everything was seen."""
        for device, item in contents.every_item():
            if item.content:
                self._sorting.execute(_ADD_ANSWER, (device, item.number))
            for log, seq in zip(item.places[::2], item.places[1::2], strict=True):
                self._add(device, item.number, log, seq, None)
        self._pour()
        for (device, number), rows in groupby(self._sorting.execute(_ALL), itemgetter(0, 1)):
            self._compare(Identity(DeviceId(device), number), rows)

    def _compare(
        self, identity: Identity, rows: Iterable[tuple[str, int, int, int, bytes]]
    ) -> None:
        named: set[tuple[int, Seq]] = set()
        held: dict[tuple[int, Seq], bytes] = {}
        for _, _, log, seq, digest in rows:
            if digest is None:
                named.add((log, seq))
            else:
                held[log, seq] = digest
        self._compare_copies(held)
        for place in held.keys() - named:
            self._find(place, f"nothing says that it is message {identity.number} of its device")
        where = f"device {identity.device}, message {identity.number}"
        for log, seq in sorted(named - held.keys()):
            ends = self._logs.get(log)
            if ends is None:
                self._report.add(where, f"it names log number {log}, which does not exist")
            elif not 0 < seq <= ends.head:
                self._report.add(
                    where,
                    f"its answer names entry {seq}; the log of {ends.account} ends at {ends.head}",
                )
            elif seq > ends.floor:
                self._report.add(
                    where, f"its answer names entry {seq} of {ends.account}, which is another one"
                )

    def _compare_copies(self, held: dict[tuple[int, Seq], bytes]) -> None:
        """One message has one header and one body, and stands in a log once."""
        first: tuple[int, Seq] | None = None
        places: dict[int, Seq] = {}
        for place, digest in held.items():
            log, seq = place
            if first is None:
                first = place
            elif digest != held[first]:
                other = self._logs[first[0]].account
                self._find(place, f"it differs from its copy, entry {first[1]} of {other}")
            if places.setdefault(log, seq) != seq:
                self._find(place, f"the same message is entry {places[log]}, too")

    def _find(self, place: tuple[int, Seq], what: str) -> None:
        log, seq = place
        self._report.add(f"log {self._logs[log].account}, entry {seq}", what)

    def answers_of(self, device: DeviceId) -> tuple[int, int]:
        """The highest number of a device that was answered, and how many answers are known."""
        highest, count = self._sorting.execute(_ANSWERS_OF, (device,)).fetchone()
        return highest, count
