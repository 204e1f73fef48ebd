"""One account's log in memory: the plainest telling of what a log is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from syncd import chain, heading
from syncd.model import (
    AccountId,
    Chain,
    ConversationId,
    Epoch,
    Identity,
    Kind,
    Link,
    Page,
    Record,
    Seq,
)
from syncd.persons import Standing
from syncd.storage import ERASABLE, NotErasable


@dataclass(frozen=True, slots=True)
class Entry:
    header: bytes
    body: bytes
    body_hash: bytes
    link: Link
    arrival: int
    """The order in which entries came into the store, over all logs."""


@dataclass(slots=True)
class Log:
    """One account's log: the entries floor+1 .. head, and the link that they continue."""

    epoch: Epoch
    floor: Seq = 0
    floor_link: Link = chain.GENESIS
    entries: list[Entry] = field(default_factory=list)
    seqs: dict[Identity, Seq] = field(default_factory=dict)
    """Where each entry of the log is, by its identity."""
    marks: dict[ConversationId, Seq] = field(default_factory=dict)
    retain_entries: int | None = None
    retain_ms: int | None = None
    merged_into: AccountId | None = None
    """The account that this log's account is an alias of; it takes no more entries then."""
    standing: Standing = Standing.ACTIVE

    @property
    def head(self) -> Seq:
        return self.floor + len(self.entries)

    def link_at(self, seq: Seq) -> Link | None:
        if not self.floor <= seq <= self.head:
            return None
        return self.floor_link if seq == self.floor else self.entries[seq - self.floor - 1].link

    def chain_at(self, seq: Seq | None) -> Chain | None:
        link = None if seq is None else self.link_at(seq)
        return None if link is None else chain.shown(link)

    def append(self, record: Record, identity: Identity, arrival: int) -> Seq:
        assert self.merged_into is None, "a closed log gets no entries"
        previous = self.entries[-1].link if self.entries else self.floor_link
        seq = self.head + 1
        link = chain.link(previous, seq, record.header, record.body_hash)
        self.entries.append(Entry(record.header, record.body, record.body_hash, link, arrival))
        self.seqs[identity] = seq
        return seq

    def trim(self, floor: Seq) -> None:
        link = self.link_at(floor)
        if link is not None:
            del self.entries[: floor - self.floor]
            self.floor, self.floor_link = floor, link
            self.seqs = {which: seq for which, seq in self.seqs.items() if seq > floor}

    def identity_at(self, seq: Seq) -> Identity:
        """Raises KeyError where there is no such entry."""
        for identity, place in self.seqs.items():
            if place == seq:
                return identity
        raise KeyError(seq)

    def erasable_at(self, seq: Seq) -> Identity:
        """Raises KeyError where there is no such entry, and NotErasable."""
        identity = self.identity_at(seq)
        kind = heading.unpack(self.entries[seq - self.floor - 1].header).kind
        if kind not in ERASABLE:
            raise NotErasable(kind)
        return identity

    def erase(self, identity: Identity) -> bool:
        """Whether the log held the body of this message; it is erased then."""
        seq = self.seqs.get(identity)
        if seq is None:
            return False
        place = seq - self.floor - 1
        if self.entries[place].body == heading.ERASED:
            return False
        self.entries[place] = replace(self.entries[place], body=heading.ERASED)
        return True

    def edits(self, seq: Seq) -> dict[Seq, Identity]:
        target = self.identity_at(seq)
        found: dict[Seq, Identity] = {}
        for place, entry in enumerate(self.entries[seq - self.floor :], seq + 1):
            header = heading.unpack(entry.header)
            there = entry.body != heading.ERASED
            if there and header.kind == Kind.EDIT and header.target == target:
                found[place] = header.identity
        return found

    def page(self, after: Seq, bytes_max: int) -> Page:
        floor_chain = chain.shown(self.floor_link)
        to, at, size = after, floor_chain, 0
        pieces: list[bytes] = []
        while self.floor <= to < self.head:
            entry = self.entries[to - self.floor]
            size += len(entry.header) + len(entry.body)
            if pieces and size > bytes_max:
                break
            to, at = to + 1, chain.shown(entry.link)
            pieces += (entry.header, entry.body)
        return Page(self.epoch, self.floor, floor_chain, self.head, to, at, b"".join(pieces))
