"""One log, walked from its floor to its head: no seq missing, every link, every body, every
checksum, in its pages and in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from syncd import chain, checksum, heading
from syncd.model import EPOCH_BYTES, Identity, Link, Seq, is_account
from syncd.storage.contents import Contents
from syncd.storage.findings import UNREADABLE, Report
from syncd.storage.pages import Entry, Run
from syncd.storage.unfolded import LogRow

_ENTRIES_BETWEEN_REPORTS = 10_000

Seen = Callable[[LogRow, Seq, Identity, bytes], None]
"""Told of every entry that can be read: its log, its seq, whose it is, its header and the hash of
its body."""


def check_log(
    contents: Contents, log: LogRow, report: Report, told: Callable[[int], None], seen: Seen
) -> None:
    """Add to `report` what is in the log and what is wrong with it.

    told: how many entries the report has seen, every now and then.
    """
    for what in _wrong_ends(log):
        report.add(f"log {log.account}", what)
    walk = _Walk(contents, log, report, seen)
    for run in _runs(contents, log, walk):
        walk.begin(run)
        try:
            for entry in run.walk():
                report.entries += 1
                if report.entries % _ENTRIES_BETWEEN_REPORTS == 0:
                    told(report.entries)
                walk.step(entry)
        except UNREADABLE as error:
            walk.find(walk.seq + 1, f"it cannot be read: {error}")
            walk.lose_place(run.last)
    walk.end()


def _runs(contents: Contents, log: LogRow, walk: _Walk) -> Iterator[Run]:
    """Every run, also one that lies outside of the log."""
    for arrival, *fields in contents.pages(log):
        try:
            run = Run.of_row(*fields)
        except UNREADABLE as error:
            walk.find(fields[0], f"its page cannot be read: {error}")
            walk.lose_place(fields[0])
            continue
        if run.stamp(run.last).arrival != arrival:
            walk.find(run.last, "its page names another arrival")
        yield run
    recent = contents.recent(log)
    if recent is not None:
        yield recent


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

    def __init__(self, contents: Contents, log: LogRow, report: Report, seen: Seen) -> None:
        self._log = log
        self._report = report
        self._seen = seen
        self._erased = contents.erased_hashes(log)
        self.seq = log.floor
        self._arrival = 0
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
            self.seq = max(seq, self.seq)

    def begin(self, run: Run) -> None:
        """Go on to what one page holds."""
        if self._sum is not None and run.first == self.seq + 1 and run.before != self._sum:
            self.find(run.first, "its page begins with another checksum than the log has there")

    def step(self, entry: Entry) -> None:
        seq = entry.seq
        if seq <= self._log.floor or seq > self._log.head:
            # It is never served, and what should be there is judged without it.
            self.find(seq, f"it lies outside {self._log.floor + 1}..{self._log.head}")
            return
        if seq <= self.seq:
            self.find(seq, "another page holds it, too")
            return
        if seq != self.seq + 1:
            self._missing(self.seq + 1, seq - 1)
            self.lose_place(seq - 1)
        body_hash = self._body_hash(entry)
        if body_hash is not None:
            self._see(entry, body_hash)
        self._check_link(entry, body_hash)
        self._check_bytes(entry)
        self.seq = seq

    def _missing(self, first: int, last: int) -> None:
        if first == last:
            self.find(first, "it is missing")
        else:
            where = f"log {self._log.account}, entries {first} to {last}"
            self._report.add(where, "they are missing")

    def _body_hash(self, entry: Entry) -> bytes | None:
        noted = self._erased.pop(entry.seq, None)
        if entry.body != heading.ERASED:
            if noted is not None:
                self.find(entry.seq, "its body is noted as erased, and is there")
            return chain.hash_of(entry.body)
        self._report.erased += 1
        if noted is None:
            self.find(entry.seq, "the hash of its erased body is gone")
        return noted

    def _see(self, entry: Entry, body_hash: bytes) -> None:
        if entry.stamp.arrival <= self._arrival:
            self.find(entry.seq, "it arrived before its predecessor")
        self._arrival = entry.stamp.arrival
        try:
            identity = heading.unpack(entry.header).identity
        except ValueError as error:
            self.find(entry.seq, f"its header cannot be read: {error}")
            return
        self._seen(self._log, entry.seq, identity, entry.header + body_hash)

    def _check_link(self, entry: Entry, body_hash: bytes | None) -> None:
        if self._link is None or body_hash is None:
            self._link = None
            return
        self._link = chain.link(self._link, entry.seq, entry.header, body_hash)
        if entry.stamp.chain != chain.shown(self._link):
            self.find(entry.seq, "the chain does not continue")
            self._link = None

    def _check_bytes(self, entry: Entry) -> None:
        stored = checksum.opened(entry.stamp.sealed, entry.stamp.chain)
        if entry.body != heading.ERASED and self._sum is not None:
            computed = checksum.extend(self._sum, entry.header + entry.body)
            if computed != stored:
                self.find(entry.seq, "its checksum does not fit")
        self._sum = stored

    def end(self) -> None:
        log = self._log
        for seq in self._erased:
            self.find(seq, "its body is noted as erased, but there is no such entry")
        if self.seq < log.head:
            self._missing(self.seq + 1, log.head)
        elif self._link not in (None, log.head_link):
            self._report.add(f"log {log.account}", "its chain does not end as its head says")
        elif self._sum not in (None, log.head_sum):
            self._report.add(f"log {log.account}", "its checksum does not end as its head says")
