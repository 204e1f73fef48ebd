"""What a SQLite store holds, whether a page has it already or only the journal.

Over a connection and what the journal says (unfolded.py): of a running store both are of one
moment where the thread that writes asks, or where nobody writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from syncd import chain, heading
from syncd.heading import ERASED
from syncd.limits import INTEGER_MAX
from syncd.model import AccountId, Chain, DeviceId, Epoch, Identity, Seq, is_device
from syncd.storage.pages import Entry, Run, Stamp, body_hashes, runs, stamp_at
from syncd.storage.queries import load
from syncd.storage.rules import Found
from syncd.storage.sent_runs import Item, every_item, find_items, newest_items, seq_in
from syncd.storage.transaction import damaged
from syncd.storage.unfolded import LogRow, Unfolded, higher, patched

_SQL = load("sqlite")


class Contents:
    """See above. Rows of logs are remembered for as long as it lives."""

    def __init__(self, connection: sqlite3.Connection, unfolded: Unfolded) -> None:
        self._connection = connection
        self._unfolded = unfolded
        self._logs: dict[AccountId, LogRow | None] = {}

    # ------------------------------------------------------------ logs

    def log(self, account: AccountId) -> LogRow | None:
        """The log that takes what is addressed to an account, which may be an alias."""
        found = self._logs.get(account)
        if found is not None or account in self._logs:
            return found
        found = self._unfolded.rows.get(account) or self._find(account)
        if found is not None and found.merged_into is not None:
            self._logs[account] = None  # a damaged store may lead in a circle: it ends here
            [name] = self._connection.execute(_SQL["log_by_number"], (found.merged_into,))
            found = self.log(LogRow(*name).account)
        self._logs[account] = found
        return found

    def _find(self, account: AccountId) -> LogRow | None:
        row = self._connection.execute(_SQL["log"], (account,)).fetchone()
        if row is None:
            return None
        return self._checked(LogRow(*row))

    def _checked(self, log: LogRow) -> LogRow:
        """The row as it was read, with the end that the log has by now. Raises Damaged."""
        # What begins with a wrong end would be written to the journal, and folded never.
        ends = 0 <= log.floor <= log.head < INTEGER_MAX
        if not ends or not len(log.floor_link) == len(log.head_link) == chain.LINK_BYTES:
            raise damaged(log.account, "its row does not say where it ends")
        return patched(log, self._unfolded.tails)

    def own_log(self, account: AccountId) -> LogRow | None:
        """The log of this very account, closed or not."""
        return self._find(account)

    def every_log(self) -> Iterator[LogRow]:
        """All logs, in the order in which they were made. A row that damage has changed comes as it
        is."""
        # Read at once, so that one log's damage does not end the walk over the others.
        for (number,) in self._connection.execute(_SQL["check_logs"]).fetchall():
            row = self._connection.execute(_SQL["log_by_number"], (number,)).fetchone()
            yield patched(LogRow(*row), self._unfolded.tails)

    def head(self, account: AccountId, folded: Seq) -> Seq:
        """Where the log of this very account ends, whose row says `folded`."""
        tail = self._unfolded.tails.get(account)
        return folded if tail is None else max(folded, tail.head)

    # ------------------------------------------------------------ entries

    def runs(self, log: LogRow, after: Seq) -> Iterator[Run]:
        """All that follows `after`, which is not below the floor. Raises StorageError where
        something is missing, and ValueError where a row contradicts itself."""
        tail = self._unfolded.tails.get(log.account)
        for run in runs(self._connection, log.log, after):
            if run.first != after + 1:
                raise damaged(log.account, f"entry {after + 1} is missing")
            yield run
            after = run.last
        if tail is not None and after < tail.head:
            if after + 1 < tail.first:
                raise damaged(log.account, f"entry {after + 1} is missing")
            yield tail.run(after)

    def pages(self, log: LogRow) -> Iterator[tuple[Any, ...]]:
        """The rows of a log's pages, whatever they say: an arrival, and what Run.of_row takes."""
        return self._connection.execute(_SQL["pages_of"], (log.log,))

    def recent(self, log: LogRow) -> Run | None:
        """What only the journal holds of a log."""
        tail = self._unfolded.tails.get(log.account)
        return None if tail is None else tail.run(tail.first - 1)

    def stamp_at(self, log: LogRow, seq: Seq) -> Stamp | None:
        """The stamp of an entry; None where there is none."""
        tail = self._unfolded.tails.get(log.account)
        if tail is not None and tail.first <= seq <= tail.head:
            return tail.stamp(seq)
        return stamp_at(self._connection, log.log, seq)

    def chain_at(self, log: LogRow, seq: Seq | None) -> Chain | None:
        """The chain at `seq`; None outside floor..head. Raises StorageError."""
        if seq is None or not log.floor <= seq <= log.head:
            return None
        if seq == log.floor:
            return chain.shown(log.floor_link)
        stamp = self.stamp_at(log, seq)
        if stamp is None:
            raise damaged(log.account, f"entry {seq} is missing")
        return stamp.chain

    def entry(self, log: LogRow, seq: Seq) -> Entry | None:
        """One entry; None where there is none. Raises ValueError where its row is damaged."""
        if not log.floor < seq <= log.head:
            return None
        tail = self._unfolded.tails.get(log.account)
        if tail is not None and seq >= tail.first:
            return tail.entry(seq)
        for run in runs(self._connection, log.log, seq - 1):
            return next(run.walk()) if run.first == seq else None
        return None

    def body_hash(self, log: LogRow, entry: Entry, erased: dict[Seq, bytes]) -> bytes:
        """The hash by which an entry's body stands in the chain; erased: what `erased_hashes` told
        of the log. Raises StorageError where it is gone."""
        if entry.body != ERASED:
            return chain.hash_of(entry.body)
        found = erased.get(entry.seq)
        if found is None:
            raise damaged(log.account, f"the hash of the erased body of entry {entry.seq} is gone")
        return found

    def erased_hashes(self, log: LogRow) -> dict[Seq, bytes]:
        """The hash of each erased body of a log."""
        kept = body_hashes(self._connection, log.log)
        return {**kept, **self._unfolded.erased.get(log.log, {})}

    # ------------------------------------------------------------ messages, by their identity

    def items(self, identity: Identity) -> Iterator[Item]:
        """What is known of a message: one item, or more where copies came later."""
        if not is_device(identity.device):
            return  # whatever a peer wrote there, no entry is of it
        sending = self._unfolded.sendings.get(identity.device)
        if sending is not None:
            number = identity.number
            message = sending.retriable.get(number)
            if message is not None:
                yield Item(number, message.content, message.places)
            if number in sending.others:
                yield Item(number, b"", sending.others[number])
        yield from find_items(self._connection, identity.device, identity.number)

    def seq_of(self, log: LogRow, identity: Identity) -> Seq | None:
        """Where a log holds a message; None where it was trimmed or never there."""
        for item in self.items(identity):
            seq = seq_in(item.places, log.log)
            if seq is not None and log.floor < seq <= log.head:
                return seq
        return None

    def found(self, log: LogRow, identity: Identity) -> Found | None:
        """The entry itself. Raises ValueError where it is damaged."""
        seq = self.seq_of(log, identity)
        entry = None if seq is None else self.entry(log, seq)
        if entry is None:
            return None
        read = heading.unpack(entry.header)
        if read.identity != identity:
            raise ValueError(f"entry {seq} is not the message that it should be")
        return Found(entry.seq, read)

    def answered(self, device: DeviceId, count: int) -> dict[int, Item]:
        """The newest `count` messages of a device, in ascending order of their numbers, each with
        the places of all its copies."""
        items, later = newest_items(self._connection, device, count)
        sending = self._unfolded.sendings.get(device)
        if sending is not None:
            for number, message in sending.retriable.items():
                items[number] = Item(number, message.content, message.places)
            for number, places in sending.others.items():
                later[number] = [*later.get(number, ()), *places]
        # After a crash in the midst of a fold the journal repeats what runs hold already.
        return {
            number: items[number]._replace(places=[*items[number].places, *later.get(number, ())])
            for number in sorted(items)[-count:]
        }

    # ------------------------------------------------------------ devices

    def is_a_device(self, device: DeviceId) -> bool:
        """Whether it is one, and not what a publication is said to be sent by."""
        return self._connection.execute(_SQL["is_a_device"], (device,)).fetchone() is not None

    def cursor(self, key: str) -> tuple[Epoch, Seq] | None:
        """What was confirmed under a key."""
        noted = self._unfolded.cursors.get(key)
        row = self._connection.execute(_SQL["cursor"], (key,)).fetchone()
        if noted is None or row is None:
            return noted or row
        return higher(row, noted)

    def sent(self, device: DeviceId, saved: int) -> int:
        """The highest number accepted of a device, whose row says `saved`."""
        sending = self._unfolded.sendings.get(device)
        return saved if sending is None else max(saved, sending.highest)

    def unfolded_answers(self, device: DeviceId) -> int:
        """How many of a device's messages its row does not count yet."""
        sending = self._unfolded.sendings.get(device)
        return 0 if sending is None else len(sending.retriable) + sending.uncounted

    def every_cursor(self) -> Iterator[tuple[str, Epoch, Seq]]:
        """All that was confirmed, by its key."""
        saved = {row[0]: row[1:] for row in self._connection.execute(_SQL["every_cursor"])}
        for key in sorted({*saved, *self._unfolded.cursors}):
            known = self.cursor(key)
            assert known is not None, "it is in one of the two"
            yield key, *known

    def every_item(self) -> Iterator[tuple[DeviceId, Item]]:
        """All that is known of all messages."""
        yield from every_item(self._connection)
        for device, sending in self._unfolded.sendings.items():
            for number, message in sending.retriable.items():
                yield device, Item(number, message.content, message.places)
            for number, places in sending.others.items():
                yield device, Item(number, b"", places)
