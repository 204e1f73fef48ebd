"""One log, walked from its floor to its head: no seq missing, every link, every body, every
checksum, and every entry found again by what stands in its header.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from syncd import chain, checksum, heading
from syncd.model import EPOCH_BYTES, Chain, Link, is_account
from syncd.storage.findings import UNREADABLE, Report
from syncd.storage.identities import sender_key
from syncd.storage.queries import load
from syncd.storage.sqlite_book import LogRow

_SQL = load("sqlite")

_ENTRIES_BETWEEN_REPORTS = 10_000


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of `entries`, as it is read from a store that nobody trusts yet."""

    seq: int
    sender: int
    number: int
    shown: Chain
    sealed: int
    header: bytes
    body_hash: bytes
    body: bytes


def check_log(
    connection: sqlite3.Connection, log: LogRow, report: Report, told: Callable[[int], None]
) -> None:
    """Add to `report` what is in the log and what is wrong with it.

    told: how many entries the report has seen, every now and then.
    """
    for what in _wrong_ends(log):
        report.add(f"log {log.account}", what)
    walk = _Walk(log, report)
    for row in connection.execute(_SQL["check_entries"], (log.log,)):
        report.entries += 1
        if report.entries % _ENTRIES_BETWEEN_REPORTS == 0:
            told(report.entries)
        try:
            walk.step(_Row(*row))
        except UNREADABLE as error:
            walk.find(row[0], f"it cannot be read: {error}")
            walk.lose_place(row[0])
    walk.end()


def _wrong_ends(log: LogRow) -> list[str]:
    wrong = []
    if not is_account(log.account):
        wrong.append("its name is no account's")
    if len(log.epoch) != EPOCH_BYTES:
        wrong.append(f"its epoch has {len(log.epoch)} bytes")
    if {len(log.floor_link), len(log.head_link)} != {chain.LINK_BYTES}:
        wrong.append("a link of its chain has the wrong length")
    if not 0 <= log.floor <= log.head:
        wrong.append(f"its floor {log.floor} and its head {log.head} cannot be")
    if log.floor == 0 and (log.floor_link, log.floor_sum) != (chain.GENESIS, checksum.START):
        wrong.append("it does not begin as every log does")
    return wrong


class _Walk:
    """Where the walk stands, and what it knows there. After a fault it goes on with what is stored,
    so that one flipped bit is one finding."""

    def __init__(self, log: LogRow, report: Report) -> None:
        self._log = log
        self._report = report
        self._seq = log.floor
        self._link: Link | None = log.floor_link
        """None once the chain is broken: the whole links are not stored, so none can be found."""
        self._sum: int | None = log.floor_sum
        """None where the checksum is not known."""

    def find(self, seq: object, what: str) -> None:
        self._report.add(f"log {self._log.account}, entry {seq}", what)

    def lose_place(self, seq: object) -> None:
        """Nothing can be told from the entry at `seq`."""
        self._link = self._sum = None
        if isinstance(seq, int):
            self._seq = max(seq, self._seq)

    def step(self, row: _Row) -> None:
        if row.seq <= self._log.floor or row.seq > self._log.head:
            # It is never served, and what should be there is judged without it.
            self.find(row.seq, f"it lies outside {self._log.floor + 1}..{self._log.head}")
            return
        if row.seq != self._seq + 1:
            self._missing(self._seq + 1, row.seq - 1)
            self.lose_place(row.seq - 1)
        self._check_heading(row)
        self._check_link(row)
        self._check_bytes(row)
        self._seq = row.seq

    def _missing(self, first: int, last: int) -> None:
        if first == last:
            self.find(first, "it is missing")
        else:
            where = f"log {self._log.account}, entries {first} to {last}"
            self._report.add(where, "they are missing")

    def _check_heading(self, row: _Row) -> None:
        found = heading.unpack(row.header)
        if (row.sender, row.number) != (sender_key(found.device), found.number):
            self.find(row.seq, "its columns name another message than its header")

    def _check_link(self, row: _Row) -> None:
        if self._link is None:
            return
        self._link = chain.link(self._link, row.seq, row.header, row.body_hash)
        if row.shown != chain.shown(self._link):
            self.find(row.seq, "the chain does not continue")
            self._link = None

    def _check_bytes(self, row: _Row) -> None:
        stored = checksum.opened(row.sealed, row.shown)
        if row.body == heading.ERASED:
            self._report.erased += 1
        else:
            if chain.hash_of(row.body) != row.body_hash:
                self.find(row.seq, "its body is not the one that was accepted")
            if self._sum is not None:
                computed = checksum.extend(self._sum, row.header + row.body)
                if computed != stored:
                    self.find(row.seq, "its checksum does not fit")
        self._sum = stored

    def end(self) -> None:
        log = self._log
        if self._seq < log.head:
            self._missing(self._seq + 1, log.head)
        elif self._link not in (None, log.head_link):
            self._report.add(f"log {log.account}", "its chain does not end as its head says")
        elif self._sum not in (None, log.head_sum):
            self._report.add(f"log {log.account}", "its checksum does not end as its head says")
