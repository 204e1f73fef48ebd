"""Pages: many entries of one log in one row, in the bytes that the wire carries.

A row of `pages` holds a contiguous run of entries back to back, so that catching up is a copy, and
beside them one stamp of fixed size for each: what storage itself must know of an entry.

    stamp = chain (8) | sealed checksum (4) | arrival (8) | bytes of the entry (4), its header (2)

Rows are added at the end of the table and found through the index of (log, last seq): a fold over
a hundred thousand logs then fills pages of the database one after the other. Synchronous functions
over a connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from syncd import checksum
from syncd.heading import ERASED
from syncd.model import Chain, Seq
from syncd.storage.queries import load

_SQL = load("sqlite")

STAMP = Struct("<8sIQIH")

_CHECKSUM = 0xFFFFFFFF
"""The part of a row's `before` that is the checksum."""

PAGE_BYTES_MAX = 64 * 1024
"""Entry bytes of one row: so much is read for one entry at most, and rewritten when it is erased;
eight times as much would be caught up with hardly faster."""


class Stamp(NamedTuple):
    """What is noted beside an entry, in the order of its bytes."""

    chain: Chain
    sealed: int
    arrival: int
    size: int
    header_size: int


class Entry(NamedTuple):
    """An entry as it is stored."""

    seq: Seq
    stamp: Stamp
    header: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """Entries of one log back to back: first .. first + (number of stamps) - 1.

    before: the checksum of the log at first - 1.
    """

    first: Seq
    before: int
    stamps: bytes
    entries: bytes

    @classmethod
    def of_row(cls, last: Seq, before: int, stamps: bytes, entries: bytes, log: int) -> Run:
        """What a row of `pages` says. Raises ValueError where it cannot be."""
        count, rest = divmod(len(stamps), STAMP.size)
        if rest or not count:
            raise ValueError(f"the page up to entry {last} has broken stamps")
        run = cls(last - count + 1, before & _CHECKSUM, stamps, entries)
        if run.row_before(log) != before:
            raise ValueError(f"the page up to entry {last} is not as it was written there")
        return run

    def row_before(self, log: int) -> int:
        """What its row says in `before`: above the checksum, which log and which seqs the entries
        belong to. A flipped bit in a key, of the row or of an index, would have them served as
        others, or to others."""
        return checksum.crc32(b"%d %d %d" % (log, self.first, self.last)) >> 1 << 32 | self.before

    @property
    def last(self) -> Seq:
        return self.first + len(self.stamps) // STAMP.size - 1

    def stamp(self, seq: Seq) -> Stamp:
        """The stamp of one of its entries."""
        return Stamp(*STAMP.unpack_from(self.stamps, (seq - self.first) * STAMP.size))

    def walk(self) -> Iterator[Entry]:
        """Entry by entry. Raises ValueError where stamps and bytes contradict each other."""
        start = 0
        for seq, fields in enumerate(STAMP.iter_unpack(self.stamps), self.first):
            stamp = Stamp(*fields)
            body, end = start + stamp.header_size, start + stamp.size
            if not start < body < end <= len(self.entries):
                raise ValueError(f"the stamp of entry {seq} does not fit its bytes")
            yield Entry(seq, stamp, self.entries[start:body], self.entries[body:end])
            start = end
        if start != len(self.entries):
            raise ValueError(f"there are bytes behind entry {self.last}")

    def after(self, seq: Seq) -> Run:
        """What of it follows `seq`, which is not before first - 1."""
        if seq < self.first:
            return self
        stamp, cut = self.stamp(seq), (seq + 1 - self.first) * STAMP.size
        skipped = sum(fields[3] for fields in STAMP.iter_unpack(self.stamps[:cut]))
        ended = checksum.opened(stamp.sealed, stamp.chain)
        return Run(seq + 1, ended, self.stamps[cut:], self.entries[skipped:])

    def upto(self, bytes_max: int) -> Run:
        """Its beginning: at least one entry, else as many as have `bytes_max` together."""
        if len(self.entries) <= bytes_max:
            return self
        size = count = 0
        for fields in STAMP.iter_unpack(self.stamps):
            if count and size + fields[3] > bytes_max:
                break
            size, count = size + fields[3], count + 1
        return Run(self.first, self.before, self.stamps[: count * STAMP.size], self.entries[:size])

    def is_whole(self) -> bool:
        """Whether the checksum at its end confirms every byte; not, where a body was erased."""
        stamp = self.stamp(self.last)
        ended = checksum.opened(stamp.sealed, stamp.chain)
        return checksum.extend(self.before, self.entries) == ended

    def first_damaged(self) -> Seq | None:
        """The first entry that its checksum does not confirm; None where all is well. After an
        erased body the checksum begins anew."""
        running = self.before
        for entry in self.walk():
            ended = checksum.opened(entry.stamp.sealed, entry.stamp.chain)
            computed = checksum.extend(running, entry.header + entry.body)
            if entry.body != ERASED and computed != ended:
                return entry.seq
            running = ended
        return None


def runs(connection: sqlite3.Connection, log: int, after: Seq) -> Iterator[Run]:
    """What pages hold of a log behind `after`, in order, the first one cut there.

    Raises ValueError where a row contradicts itself.
    """
    for row in connection.execute(_SQL["pages_after"], (log, after)):
        run = Run.of_row(*row)
        yield run if run.first > after else run.after(after)


def stamp_at(connection: sqlite3.Connection, log: int, seq: Seq) -> Stamp | None:
    """The stamp of an entry that a page holds; None where none does. Reads no entry."""
    row = connection.execute(_SQL["stamps_at"], (log, seq)).fetchone()
    if row is None:
        return None
    last, before, stamps = row
    run = Run.of_row(last, before, stamps, b"", log)
    return run.stamp(seq) if run.first <= seq else None


def add_run(
    connection: sqlite3.Connection,
    log: int,
    start: tuple[Seq, int],
    stamps: Sequence[bytes],
    entries: Sequence[bytes],
) -> None:
    """Write entries that follow what pages hold of the log; start: the seq of the first one, and
    the checksum before it."""
    rows = []
    for run in _cut(*start, stamps, entries):
        last = run.last
        arrival = run.stamp(last).arrival
        rows.append((log, last, arrival, run.row_before(log), run.stamps, run.entries))
    connection.executemany(_SQL["add_page"], rows)


def _cut(seq: Seq, before: int, stamps: Sequence[bytes], entries: Sequence[bytes]) -> Iterator[Run]:
    """What each row holds."""
    here, size, count = 0, 0, len(entries)
    for place in range(1, count + 1):
        size += len(entries[place - 1])
        if place < count and size + len(entries[place]) <= PAGE_BYTES_MAX:
            continue
        joined_stamps, pieces = b"".join(stamps[here:place]), b"".join(entries[here:place])
        yield Run(seq + here, before, joined_stamps, pieces)
        stamp = Stamp(*STAMP.unpack(stamps[place - 1]))
        here, size, before = place, 0, checksum.opened(stamp.sealed, stamp.chain)


def drop_until(connection: sqlite3.Connection, log: int, floor: Seq) -> None:
    """Drop a log's entries up to `floor` from its pages."""
    row = connection.execute(_SQL["page_at"], (log, floor + 1)).fetchone()
    if row is not None:
        page, *fields = row
        run = Run.of_row(*fields)
        if run.first <= floor:
            rest = run.after(floor)
            _rewrite(connection, log, page, rest)
    connection.execute(_SQL["drop_pages"], (log, floor))


def replace_body(connection: sqlite3.Connection, log: int, seq: Seq, body: bytes) -> None:
    """Put another body in the place of an entry's. Chain and checksum stay as they were."""
    page, *fields = connection.execute(_SQL["page_at"], (log, seq)).fetchone()
    run = Run.of_row(*fields)
    stamps, entries = [], []
    for entry in run.walk():
        if entry.seq == seq:
            stamp = entry.stamp._replace(size=entry.stamp.header_size + len(body))
            entry = Entry(seq, stamp, entry.header, body)
        stamps.append(STAMP.pack(*entry.stamp))
        entries.append(entry.header + entry.body)
    _rewrite(connection, log, page, Run(run.first, run.before, b"".join(stamps), b"".join(entries)))


def _rewrite(connection: sqlite3.Connection, log: int, page: int, run: Run) -> None:
    row = (run.row_before(log), run.stamps, run.entries, page)
    connection.execute(_SQL["rewrite_page"], row)


# ------------------------------------------------------------ what an erased body leaves behind


def keep_body_hash(connection: sqlite3.Connection, log: int, seq: Seq, body_hash: bytes) -> None:
    """Note the hash by which an erased body stands in the chain."""
    connection.execute(_SQL["keep_body_hash"], (log, seq, body_hash))


def body_hashes(connection: sqlite3.Connection, log: int) -> dict[Seq, bytes]:
    """The hash of each erased body of a log."""
    return dict(connection.execute(_SQL["body_hashes"], (log,)))


def drop_body_hashes(connection: sqlite3.Connection, log: int, floor: Seq) -> None:
    """Forget those of entries that were dropped."""
    connection.execute(_SQL["drop_body_hashes"], (log, floor))


def joined(pieces: Iterable[Run]) -> Run:
    """Runs that follow each other, as one; at least one."""
    first, *rest = pieces
    if not rest:
        return first
    every = [first, *rest]
    stamps = b"".join([each.stamps for each in every])
    return Run(first.first, first.before, stamps, b"".join([each.entries for each in every]))
