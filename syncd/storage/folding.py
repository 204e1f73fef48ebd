"""Folding: what the journal holds moves into pages, a step at a time, and the journal begins anew.

Each step is a transaction of its own between two commits, so nobody waits for a whole fold. A log's
row says up to where its pages go, a device's row up to which number its runs do: so whatever step
a crash comes after, the journal is read again and what was folded already is passed over. Only when
all that some rows of the journal say has been folded are those rows dropped.

For the thread that writes.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from syncd import chain
from syncd.model import AccountId, DeviceId
from syncd.storage import Damaged, journal
from syncd.storage.journal import Appended
from syncd.storage.pages import add_run, keep_body_hash
from syncd.storage.queries import load as load_queries
from syncd.storage.sent_runs import Item, add_items
from syncd.storage.sqlite_book import extend
from syncd.storage.transaction import damaged, transact
from syncd.storage.unfolded import Growth, LogRow, Unfolded

_SQL = load_queries("sqlite")

_STEP_ROWS_MAX = 64
"""Rows of the journal dropped in one step: some hundred pages of the database each, at most."""

_ALL = 1 << 62


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
        self._uncounted: list[tuple[int, DeviceId, int]] = []
        self._cursors = sorted(unfolded.cursors, reverse=True)
        self.done = False

    def step(self, entries_max: int) -> None:
        """Fold about so many entries, or messages, or cursors. Raises StorageError."""
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
            self._drop_rows()

    def _fold_logs(self, entries_max: int) -> None:
        tails, folded = self._unfolded.tails, list[AccountId]()
        room = entries_max
        while self._logs and room > 0:
            account = self._logs.pop()
            if account in tails:
                folded.append(account)
                room -= len(tails[account].entries)

        def write(connection: sqlite3.Connection) -> None:
            for account in folded:
                tail = tails[account]
                add_run(connection, tail.log, (tail.first, tail.before), tail.stamps, tail.entries)
                grown = (tail.head, tail.head_link, tail.head_sum, tail.log)
                connection.execute(_SQL["grow_log"], grown)
                for seq, body_hash in self._unfolded.erased.get(tail.log, {}).items():
                    keep_body_hash(connection, tail.log, seq, body_hash)
            arrival = str(self._unfolded.arrival)
            connection.execute(_SQL["save_meta"], ("arrival", arrival))

        transact(self._connection, write)
        for account in folded:
            self._unfolded.erased.pop(tails[account].log, None)
            self._unfolded.rows.pop(account, None)
            del tails[account]

    def _fold_devices(self, messages_max: int) -> None:
        sendings, folded = self._unfolded.sendings, list[DeviceId]()
        room = messages_max
        while self._devices and room > 0:
            device = self._devices.pop()
            if device in sendings:
                folded.append(device)
                room -= len(sendings[device].retriable) + len(sendings[device].others)

        def write(connection: sqlite3.Connection) -> list[tuple[int] | None]:
            for device in folded:
                sending = sendings[device]
                sent = sending.retriable.values()
                add_items(connection, device, [Item(x.number, x.content, x.places) for x in sent])
                others = sorted(sending.others.items())
                add_items(connection, device, [Item(x, b"", places) for x, places in others])
            return [connection.execute(_SQL["device_id"], (each,)).fetchone() for each in folded]

        for device, row in zip(folded, transact(self._connection, write), strict=True):
            sending = sendings[device]
            if row is None or not sending.highest:
                del sendings[device]
                continue
            sending.uncounted += len(sending.retriable)
            sending.retriable, sending.others = {}, {}
            self._uncounted.append((row[0], device, sending.highest))
        if not self._devices:
            self._uncounted.sort(reverse=True)

    def _count(self, devices_max: int) -> None:
        """Say in the rows of the devices up to where their runs go. In the order of these rows, not
        of the runs: then neighbours are written together here, too."""
        sendings = self._unfolded.sendings
        counting, self._uncounted = self._uncounted[-devices_max:], self._uncounted[:-devices_max]
        rows = [
            (highest, sendings[device].uncounted, number)
            for number, device, highest in counting
            if device in sendings
        ]
        transact(self._connection, lambda within: within.executemany(_SQL["count_sent"], rows))
        for _, device, _ in counting:
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
        for key in folded:
            del cursors[key]

    def _drop_rows(self) -> None:
        bounds = (self._upto, _STEP_ROWS_MAX)

        def write(connection: sqlite3.Connection) -> int | None:
            if connection.execute(_SQL["drop_from_journal"], bounds).rowcount == _STEP_ROWS_MAX:
                return None
            left: int = connection.execute(_SQL["journal_bytes"]).fetchone()[0]
            return left

        left = transact(self._connection, write)
        if left is not None:
            self._unfolded.bytes = left
            self._unfolded.folds += 1
            self.done = True


def fold_all(connection: sqlite3.Connection, unfolded: Unfolded) -> None:
    """Fold everything, now. Raises StorageError."""
    if unfolded.is_empty():
        return
    fold = Fold(connection, unfolded)
    while not fold.done:
        fold.step(_ALL)


# ------------------------------------------------------------ reading the journal


def load(connection: sqlite3.Connection) -> Unfolded:
    """What the journal of a store holds. `connection` only reads. Raises Damaged where the journal
    does not continue the pages."""
    unfolded = Unfolded()
    (unfolded.arrival,) = connection.execute(_SQL["last_arrival"]).fetchone()
    reading = _Reading(connection, unfolded)
    try:
        with _cycles_left_alone():
            for size, appended in journal.read(connection):
                unfolded.bytes += size
                reading.take(appended)
    except (TypeError, ValueError, OverflowError) as error:
        # A flipped bit in a row's own description changes the type or the size of a value.
        raise Damaged(f"a row does not hold what was stored: {error}") from error
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
                    growth = growths[log] = Growth(self._log(log))
                row = growth.row
                if seq <= row.head:
                    continue
                if seq != row.head + 1:
                    raise damaged(row.account, f"the journal does not hold entry {row.head + 1}")
                growth.stamps.append(extend(row, header, body_hash, entry, arrival))
                growth.entries.append(entry)
        sent = [self._sent_by(device) for device in appended.senders]
        rest = [
            message
            for message in appended.messages
            if not message.content or message.number > sent[message.sender]
        ]
        grown = [growth for growth in growths.values() if growth.entries]
        known = self._unfolded.arrival
        self._unfolded.take(grown, appended._replace(messages=rest))
        self._unfolded.arrival = max(arrival, known)

    def _log(self, log: int) -> LogRow:
        if log not in self._logs:
            row = self._connection.execute(_SQL["log_by_number"], (log,)).fetchone()
            if row is None:
                raise damaged(AccountId(f"number {log}"), "the journal names it; there is none")
            self._logs[log] = LogRow(*row)
        return self._logs[log]

    def _sent_by(self, device: DeviceId) -> int:
        if device not in self._sent:
            row = self._connection.execute(_SQL["sent_by"], (device,)).fetchone()
            self._sent[device] = 0 if row is None else row[0]
        return self._sent[device]
