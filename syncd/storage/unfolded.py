"""What the journal holds and no page does yet, in memory: the ends of logs, what was sent, cursors.

The thread that writes changes it, after COMMIT; any thread reads it. So what it holds is always
committed, and every step is one assignment or one growth of a list: a reader that has taken a tail
goes on reading what it took, though a fold takes it away meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from syncd import chain, checksum
from syncd.checksum import crc32
from syncd.model import CHAIN_BYTES, AccountId, DeviceId, Epoch, Link, Seq
from syncd.storage.journal import Appended, Message
from syncd.storage.pages import STAMP, Entry, Run, Stamp

_ROWS_MAX = 100_000
"""Rows of logs that are remembered: a quarter of a KiB each."""

MARKED_ENTRIES = 256
"""From one mark of a tail to the next, at least: a tail that is folded in parts is cut at marks."""

_STRIDE = 64
"""Entries that are weighed at a time: one by one takes three times as long, and all of a long tail
would be touched for a page that holds a hundredth of them."""

_stamp = STAMP.pack


@dataclass(slots=True)
class LogRow:
    """A row of `logs`, with the end that the log has by now."""

    log: int
    account: AccountId
    epoch: Epoch
    floor: Seq
    floor_link: Link
    head: Seq
    head_link: Link
    floor_sum: int
    head_sum: int
    merged_into: int | None = None
    """The log that takes what is addressed to this account, since a merge closed this one."""


class Mark(NamedTuple):
    """A place where a log ended after some transaction, and its link there."""

    seq: Seq
    link: Link


class Tail:
    """The newest entries of one log, first .. first + len(entries) - 1.

    `stamps` grows before `entries`, so whoever counts the entries finds the stamp of each.
    """

    __slots__ = ("before", "entries", "first", "head_link", "log", "marked", "marks", "stamps")

    def __init__(self, log: int, first: Seq, before: int, link: Link) -> None:
        self.log = log
        self.first = first
        self.before = before
        """The checksum of the log at first - 1."""
        self.head_link = link
        """The link of the newest entry; for the thread that writes."""
        self.marks: list[Mark] = []
        self.marked = MARKED_ENTRIES
        """How many entries it has at least when it is marked next."""
        self.entries: list[bytes] = []
        self.stamps: list[bytes] = []

    @property
    def head(self) -> Seq:
        return self.first + len(self.entries) - 1

    def mark(self) -> None:
        """Note where it ends."""
        self.marks.append(Mark(self.head, self.head_link))
        self.marked = len(self.entries) + MARKED_ENTRIES

    def cut(self, entries_max: int) -> Mark:
        """A place inside it, or its end, with at most so many entries up to there; where it was not
        marked before that, its first mark."""
        end = Mark(self.head, self.head_link)
        if len(self.entries) <= entries_max:
            return end
        last = self.first + entries_max - 1
        return max((mark for mark in self.marks if mark.seq <= last), default=(*self.marks, end)[0])

    def behind(self, mark: Mark) -> Tail:
        """The rest of it, which is not empty."""
        rest = Tail(self.log, mark.seq + 1, self.sum_at(mark.seq), self.head_link)
        count = mark.seq + 1 - self.first
        rest.stamps, rest.entries = self.stamps[count:], self.entries[count:]
        rest.marks = [each for each in self.marks if each.seq > mark.seq]
        rest.marked = self.marked - count
        return rest

    def sum_at(self, seq: Seq) -> int:
        """The checksum at one of its entries."""
        stamp = self.stamp(seq)
        return checksum.opened(stamp.sealed, stamp.chain)

    def stamp(self, seq: Seq) -> Stamp:
        """The stamp of one of its entries."""
        return Stamp(*STAMP.unpack(self.stamps[seq - self.first]))

    def entry(self, seq: Seq) -> Entry:
        """One of its entries."""
        place = seq - self.first
        return next(Run(seq, 0, self.stamps[place], self.entries[place]).walk())

    @property
    def head_sum(self) -> int:
        """The checksum at its head. It is not empty."""
        return self.sum_at(self.head)

    def some(self, after: Seq, to: Seq, bytes_max: int) -> list[bytes]:
        """Its entries after+1 .. to, at least one, or as many of them as have `bytes_max`
        together. `after` is not before first - 1."""
        stop, room = to + 1 - self.first, bytes_max
        pieces: list[bytes] = []
        for start in range(after + 1 - self.first, stop, _STRIDE):
            part = self.entries[start : min(start + _STRIDE, stop)]
            size = sum(map(len, part))
            if size <= room:
                pieces += part
                room -= size
                continue
            for piece in part:
                room -= len(piece)
                if room < 0 and pieces:
                    return pieces
                pieces.append(piece)
        return pieces

    def run(self, after: Seq) -> Run:
        """Its entries behind `after`, at least one, which is not before first - 1."""
        start = after + 1 - self.first
        before = self.sum_at(after) if start else self.before
        return Run(after + 1, before, b"".join(self.stamps[start:]), b"".join(self.entries[start:]))


@dataclass(slots=True)
class Sending:
    """What one device sent. `retriable` in the order of its numbers, each with content."""

    retriable: dict[int, Message] = field(default_factory=dict)
    others: dict[int, list[int]] = field(default_factory=dict)
    """The places of publications, and of copies that came later than the message."""
    highest: int = 0
    """The highest number of a message that can be retried, as far as the device's row lacks it."""
    uncounted: int = 0
    folded: int = 0
    """Messages that runs hold already and the device's row does not count yet, and their highest
    number."""

    def add_copies(self, message: Message) -> None:
        """Note where copies stand of what nobody will send again."""
        known = self.others.get(message.number, ())
        self.others[message.number] = [*known, *message.places]


class Growth:
    """What one transaction appends to one log; and where the log ended before, as its row, which
    grows with it, said then."""

    __slots__ = ("before", "entries", "row", "stamps")

    def __init__(self, row: LogRow) -> None:
        self.row = row
        self.before = (row.head, row.head_link, row.head_sum)
        self.entries: list[bytes] = []
        self.stamps: list[bytes] = []

    def append(self, header: bytes, body_hash: bytes, entry: bytes, arrival: int) -> Seq:
        """Let the log end with one more entry, whose seq is told."""
        row = self.row
        row.head = seq = row.head + 1
        row.head_link = link = chain.link(row.head_link, seq, header, body_hash)
        row.head_sum = checked = crc32(entry, row.head_sum)
        shown = link[:CHAIN_BYTES]
        self.stamps.append(_stamp(shown, checked ^ crc32(shown), arrival, len(entry), len(header)))
        self.entries.append(entry)
        return seq

    def joined(self) -> tuple[bytes, bytes]:
        """Its stamps, and its entries, back to back."""
        return b"".join(self.stamps), b"".join(self.entries)

    def take_back(self) -> None:
        """Let the row say again what it said before."""
        row = self.row
        row.head, row.head_link, row.head_sum = self.before


class Unfolded:
    """See above. `arrival` is that of the newest entry of the store."""

    def __init__(self) -> None:
        self.arrival = 0
        self.bytes = 0
        """Of the journal."""
        self.steps = 0
        """Counts what folds take away, before they do: whoever reads rows beside this while the
        count changes may have seen neither the old place nor the new one."""
        self.folds = 0
        """How many folds came to their end."""
        self.tails: dict[AccountId, Tail] = {}
        self.rows: dict[AccountId, LogRow] = {}
        """Of logs that were written to lately. Their ends are for the thread that writes, which
        lets them grow before it commits; for others a log ends where its tail does."""
        self.sendings: dict[DeviceId, Sending] = {}
        self.cursors: dict[str, tuple[Epoch, Seq]] = {}
        self.erased: dict[int, dict[Seq, bytes]] = {}
        """By log and seq: the hash of a body that is no more, of copies that a merge made."""

    # ------------------------------------------------------------ what was committed

    def take(self, growths: Collection[Growth], appended: Appended) -> None:
        """Add what a transaction appended and committed."""
        if len(self.rows) > _ROWS_MAX:
            self.rows.clear()
        copies = 0
        for growth in growths:
            row = growth.row
            copies += len(growth.entries)
            tail = self.tails.get(row.account)
            if tail is None:
                head, link, checked = growth.before
                tail = Tail(row.log, head + 1, checked, link)
            tail.head_link = row.head_link
            tail.stamps += growth.stamps
            tail.entries += growth.entries
            if len(tail.entries) >= tail.marked:
                tail.mark()
            # Only now: who reads takes a tail to have an entry, and looks at it more than once.
            self.tails[row.account] = tail
            self.rows[row.account] = row
        self.arrival += copies
        sendings = [self._sending(device) for device in appended.senders]
        for message in appended.messages:
            sending = sendings[message.sender]
            if message.content:
                sending.retriable[message.number] = message
                sending.highest = message.number
            else:
                sending.add_copies(message)
            if message.body_hash is not None:
                self._note_erased(message.places, message.body_hash, growths)
        for key, epoch, seq in appended.cursors:
            self.cursors[key] = higher(self.cursors.get(key), (epoch, seq))

    def _sending(self, device: DeviceId) -> Sending:
        known = self.sendings.get(device)
        if known is None:
            known = self.sendings[device] = Sending()
        return known

    def _note_erased(
        self, places: tuple[int, ...], body_hash: bytes, growths: Collection[Growth]
    ) -> None:
        """Of the copies that logs grew by just now: what pages hold already is noted there."""
        before = {growth.row.log: growth.before[0] for growth in growths}
        for log, seq in zip(places[::2], places[1::2], strict=True):
            if seq > before.get(log, seq):
                self.erased.setdefault(log, {})[seq] = body_hash

    def is_empty(self) -> bool:
        """Whether pages hold everything, and nothing is left of the journal."""
        return not self.bytes


def higher(known: tuple[Epoch, Seq] | None, stated: tuple[Epoch, Seq]) -> tuple[Epoch, Seq]:
    """The cursor after another one was stated: within an epoch it never falls."""
    if known is not None and known[0] == stated[0] and known[1] > stated[1]:
        return known
    return stated


def patched(row: LogRow, tails: Mapping[AccountId, Tail]) -> LogRow:
    """A row as the table has it, with the end that the log has by the journal."""
    tail = tails.get(row.account)
    if tail is not None and tail.head > row.head:
        row.head, row.head_link, row.head_sum = tail.head, tail.head_link, tail.head_sum
    return row
