"""Folding: what the journal holds moves into pages, a step at a time, and the journal begins anew.

Each step is a transaction of its own between two commits, so nobody waits for a whole fold. A log's
row says up to where its pages go, a device's row up to which number its runs do: so whatever step
a crash comes after, the journal is read again and what was folded already is passed over. Only when
all that some rows of the journal say has been folded are those rows dropped.

For the thread that writes.
"""

from __future__ import annotations

import gc
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from syncd import chain
from syncd.model import AccountId, DeviceId, Seq
from syncd.storage import Damaged, journal
from syncd.storage.journal import Appended
from syncd.storage.pages import add_run, keep_body_hash
from syncd.storage.queries import load as load_queries
from syncd.storage.sent_runs import Item, add_items
from syncd.storage.transaction import believing, damaged, transact
from syncd.storage.unfolded import Growth, LogRow, Sending, Tail, Unfolded

_SQL = load_queries("sqlite")

_DROPPED_BYTES = 512
"""Of the journal, dropped for each entry that a step may fold: more than an entry usually has."""

_STEP_BYTES = 16 * 1024 * 1024
"""Of entries, folded in one step where nobody else has a turn: WAL and database both grow by more
than that, and the room that is kept on the disk must be enough."""

_STEP_ENTRIES_MIN = 64


class Fold:
    """One fold, of all that the journal holds when it begins and of what comes to the same logs
    meanwhile. After an error it is over, and another one begins where it stood."""

    def __init__(self, connection: sqlite3.Connection, unfolded: Unfolded) -> None:
        self._connection = connection
        self._unfolded = unfolded
        self._begun = unfolded.folds
        (self._upto,) = transact(
            connection, lambda within: within.execute(_SQL["newest_of_journal"]).fetchone()
        )
        # In the order of their numbers: then neighbours in the index are written together.
        tails = unfolded.tails
        self._logs = sorted(tails, key=lambda account: tails[account].log, reverse=True)
        self._devices = sorted(unfolded.sendings, reverse=True)
        # What comes to these meanwhile is folded by the way, but not waited for.
        self._heads = {account: tail.head for account, tail in tails.items()}
        self._numbers = {each: sent.highest for each, sent in unfolded.sendings.items()}
        self._uncounted: dict[DeviceId, tuple[int, int]] = {}
        """Of each device: its row, and up to which number its runs go by now."""
        self._counting: list[tuple[int, int, DeviceId]] = []
        self._cursors = sorted(unfolded.cursors, reverse=True)
        self.done = False

    def step(self, entries_max: int, bytes_max: int = 0) -> None:
        """Fold about so many entries, or messages, or cursors; of the journal's rows, where entries
        are large, drop about so many bytes. Raises StorageError."""
        if self._unfolded.folds != self._begun:
            # Another one has folded all of it meanwhile, and the journal counts from 1 again.
            self.done = True
        elif self._logs:
            self._fold_logs(entries_max)
        elif self._devices:
            self._fold_devices(entries_max)
        elif self._uncounted:
            self._count(entries_max)
        elif self._cursors:
            self._fold_cursors(entries_max)
        else:
            self._drop_rows(max(entries_max * _DROPPED_BYTES, bytes_max))

    def _fold_logs(self, entries_max: int) -> None:
        parts = self._next_parts(entries_max)

        def write(connection: sqlite3.Connection) -> None:
            for part in parts:
                tail, end = part.tail, part.count
                start = (tail.first, tail.before)
                add_run(connection, tail.log, start, tail.stamps[:end], tail.entries[:end])
                grown = (*part.end, tail.sum_at(part.end.seq), tail.log)
                connection.execute(_SQL["grow_log"], grown)
                for seq, body_hash in part.erased.items():
                    keep_body_hash(connection, tail.log, seq, body_hash)
            arrival = str(self._unfolded.arrival)
            connection.execute(_SQL["save_meta"], ("arrival", arrival))

        transact(self._connection, write)
        for part in parts:
            self._take_off(part)

    def _next_parts(self, entries_max: int) -> list[_Part]:
        """What the next step folds of logs: many short tails, or a part of a long one."""
        tails, parts = self._unfolded.tails, list[_Part]()
        room = entries_max
        while self._logs and room > 0:
            account = self._logs[-1]
            tail = tails.get(account)
            count = 0 if tail is None else len(tail.entries)
            if count > entries_max and parts:
                break
            self._logs.pop()
            if tail is None or tail.first > self._heads[account]:
                continue
            erased = self._unfolded.erased.get(tail.log, {})
            part = _Part(account, tail, entries_max, erased)
            if part.end.seq < tail.head:
                self._logs.append(account)  # the rest of it comes with the next step
            parts.append(part)
            room -= part.count
        return parts

    def _take_off(self, part: _Part) -> None:
        """Pages hold this part now."""
        unfolded, tail = self._unfolded, part.tail
        unfolded.steps += 1
        kept = unfolded.erased.get(tail.log, {})
        for seq in part.erased:
            del kept[seq]
        if not kept:
            unfolded.erased.pop(tail.log, None)
        if part.end.seq < tail.head:
            unfolded.tails[part.account] = tail.behind(part.end)
        else:
            unfolded.rows.pop(part.account, None)
            del unfolded.tails[part.account]

    def _fold_devices(self, messages_max: int) -> None:
        sendings, folded = self._unfolded.sendings, list[tuple[DeviceId, list[Item], list[Item]]]()
        room = messages_max
        while self._devices and room > 0:
            device = self._devices[-1]
            sending = sendings.get(device)
            count = 0 if sending is None else len(sending.retriable) + len(sending.others)
            if count > messages_max and folded:
                break
            self._devices.pop()
            if sending is None or self._is_folded(device, sending):
                continue
            sent, others = _items(sending, messages_max)
            if len(sent) + len(others) < count:
                self._devices.append(device)  # the rest of it comes with the next step
            folded.append((device, sent, others))
            room -= count

        def write(connection: sqlite3.Connection) -> list[tuple[int] | None]:
            for device, sent, others in folded:
                add_items(connection, device, sent)
                add_items(connection, device, others)
            return [connection.execute(_SQL["device_id"], each[:1]).fetchone() for each in folded]

        rows = transact(self._connection, write)
        self._unfolded.steps += 1
        for (device, sent, others), row in zip(folded, rows, strict=True):
            sending = sendings[device]
            for item in sent:
                del sending.retriable[item.number]
            for item in others:
                del sending.others[item.number]
            if sent:
                sending.uncounted += len(sent)
                sending.folded = sent[-1].number
            if row is not None and sending.uncounted:
                self._uncounted[device] = (row[0], sending.folded)
            elif not (sending.retriable or sending.others or sending.uncounted):
                del sendings[device]

    def _is_folded(self, device: DeviceId, sending: Sending) -> bool:
        """Whether runs hold all that the fold began with, and it is in line to be counted."""
        begun = next(iter(sending.retriable), self._numbers[device] + 1) > self._numbers[device]
        return begun and not sending.others and device in self._uncounted

    def _count(self, devices_max: int) -> None:
        """Say in the rows of the devices up to where their runs go. In the order of these rows, not
        of the runs: then neighbours are written together here, too."""
        if not self._counting:
            self._counting = sorted(
                ((row, highest, device) for device, (row, highest) in self._uncounted.items()),
                reverse=True,
            )
        sendings = self._unfolded.sendings
        counting = self._counting[-devices_max:]
        # A fold at once that failed may have written newer runs since this one was begun.
        rows = [
            (max(highest, sendings[device].folded), sendings[device].uncounted, row)
            for row, highest, device in counting
            if device in sendings
        ]
        transact(self._connection, lambda within: within.executemany(_SQL["count_sent"], rows))
        self._unfolded.steps += 1
        del self._counting[-devices_max:]
        for _, _, device in counting:
            del self._uncounted[device]
            if device in sendings:
                sending = sendings[device]
                sending.uncounted = 0
                if not (sending.retriable or sending.others):
                    del sendings[device]

    def _fold_cursors(self, cursors_max: int) -> None:
        cursors = self._unfolded.cursors
        keys, self._cursors = self._cursors[:cursors_max], self._cursors[cursors_max:]
        folded = [key for key in keys if key in cursors]
        rows = [(key, *cursors[key]) for key in folded]
        transact(self._connection, lambda within: within.executemany(_SQL["save_cursor"], rows))
        self._unfolded.steps += 1
        for key in folded:
            del cursors[key]

    def _drop_rows(self, bytes_max: int) -> None:
        def write(connection: sqlite3.Connection) -> int | None:
            upto = size = 0
            for number, length in connection.execute(_SQL["oldest_of_journal"], (self._upto,)):
                upto, size = number, size + length
                if size > bytes_max:
                    break
            connection.execute(_SQL["drop_from_journal"], (upto,))
            if upto and upto < self._upto:
                return None
            left: int = connection.execute(_SQL["journal_bytes"]).fetchone()[0]
            return left

        left = transact(self._connection, write)
        if left is not None:
            self._unfolded.bytes = left
            self._unfolded.folds += 1
            self.done = True


class _Part:
    """The first entries of a tail, some `entries_max` at most, up to `end`; `erased`: the hashes of
    those of their bodies that are no more."""

    def __init__(
        self, account: AccountId, tail: Tail, entries_max: int, erased: dict[Seq, bytes]
    ) -> None:
        self.account, self.tail = account, tail
        self.end = end = tail.cut(entries_max)
        self.count = end.seq + 1 - tail.first
        self.erased = {seq: each for seq, each in erased.items() if seq <= end.seq}


def _items(sending: Sending, messages_max: int) -> tuple[list[Item], list[Item]]:
    """The first of what a device sent, and of what there is beside it."""
    sent = islice(sending.retriable.values(), messages_max)
    retriable = [Item(each.number, each.content, each.places) for each in sent]
    numbers = sorted(sending.others)[: max(0, messages_max - len(retriable))]
    return retriable, [Item(number, b"", sending.others[number]) for number in numbers]


def fold_all(
    connection: sqlite3.Connection,
    unfolded: Unfolded,
    before_step: Callable[[], None] = lambda: None,
) -> None:
    """Fold everything, now. Raises StorageError, and whatever `before_step` raises: what was folded
    before that is."""
    if unfolded.is_empty():
        return
    fold = Fold(connection, unfolded)
    tails = unfolded.tails.values()
    size = sum(sum(map(len, tail.entries)) for tail in tails)
    entries = sum(len(tail.entries) for tail in tails)
    # Where only cursors are left they are folded as entries of a usual size would be.
    usual = _STEP_BYTES // _DROPPED_BYTES
    entries_max = max(_STEP_BYTES * entries // size, _STEP_ENTRIES_MIN) if size else usual
    while not fold.done:
        before_step()
        fold.step(entries_max, _STEP_BYTES)


# ------------------------------------------------------------ reading the journal


def load(connection: sqlite3.Connection, *, anyway: bool = False) -> Unfolded:
    """What the journal of a store holds. `connection` only reads. Raises Damaged where the journal
    does not continue the pages.

    anyway: take what comes before the first damage instead, which is whole.
    """
    unfolded = Unfolded()
    (unfolded.arrival,) = connection.execute(_SQL["last_arrival"]).fetchone()
    reading = _Reading(connection, unfolded)
    try:
        with believing(), _cycles_left_alone():
            for size, appended in journal.read(connection):
                unfolded.bytes += size
                reading.take(appended)
    except Damaged:
        if not anyway:
            raise
    return unfolded


@contextmanager
def _cycles_left_alone() -> Iterator[None]:
    """Millions of objects come, and none is part of a cycle: looking for one again and again would
    take as long as all the rest."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Reading:
    """The rows of logs and devices, as far as the journal has been read."""

    def __init__(self, connection: sqlite3.Connection, unfolded: Unfolded) -> None:
        self._connection = connection
        self._unfolded = unfolded
        self._logs: dict[int, LogRow] = {}
        self._sent: dict[DeviceId, int] = {}

    def take(self, appended: Appended) -> None:
        # Written for speed: a server that was killed is not back before this is done.
        self._look_up(appended)
        growths: dict[int, Growth] = {}
        arrival = appended.arrival - 1
        for message in appended.messages:
            entry, size, places = message.entry, message.header_size, message.places
            header = entry[:size]
            body_hash = message.body_hash or chain.hash_of(entry[size:])
            for place in range(0, len(places), 2):
                arrival += 1
                log, seq = places[place], places[place + 1]
                growth = growths.get(log)
                if growth is None:
                    growth = growths[log] = Growth(self._logs[log])
                row = growth.row
                if seq <= row.head:
                    continue
                if seq != row.head + 1:
                    raise damaged(row.account, f"the journal does not hold entry {row.head + 1}")
                growth.append(header, body_hash, entry, arrival)
        sent = [self._sent[device] for device in appended.senders]
        rest = [
            message
            for message in appended.messages
            if not message.content or message.number > sent[message.sender]
        ]
        grown = [growth for growth in growths.values() if growth.entries]
        known = self._unfolded.arrival
        self._unfolded.take(grown, appended._replace(messages=rest))
        self._unfolded.arrival = max(arrival, known)

    def _look_up(self, appended: Appended) -> None:
        """Read all rows that it names and that were not read yet."""
        logs = {log for message in appended.messages for log in message.places[::2]}
        unread = sorted(logs - self._logs.keys())
        for row in self._connection.execute(_SQL["logs_by_number"], (json.dumps(unread),)):
            self._logs[row[0]] = LogRow(*row)
        for log in unread:
            if log not in self._logs:
                raise damaged(AccountId(f"number {log}"), "the journal names it; there is none")
        senders = [device for device in appended.senders if device not in self._sent]
        self._sent.update(dict.fromkeys(senders, 0))  # a publisher has no row
        self._sent.update(self._connection.execute(_SQL["sent_by"], (json.dumps(senders),)))
