"""The durable store's logic: synchronous functions over one SQLite connection.

One row of `batches` holds one batch as it came, entries encoded back to back: storing and reading
cost next to nothing per entry, and nobody needs an entry by its identity until it is old. Old
entries have a row each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from syncd.client.exceptions import StoreMismatch, StoreUnusable
from syncd.client.store import (
    Enqueued,
    Kept,
    OldEntry,
    Outgoing,
    Pending,
    PendingState,
    Run,
    entry_of,
    message_of,
)
from syncd.model import (
    Accepted,
    AccountId,
    Chain,
    DeviceId,
    Epoch,
    Outcome,
    Position,
    Refused,
    Seq,
)
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.client_events import Mark, Marked
from syncd.wire.frames import Entry, Message, Truncated, Verdict

VERSION = 1
APPLICATION_ID = 0x73796E63  # "sync", for file(1) and for us
READ_BYTES_MAX = 256 * 1024

_SCHEMA = Path(__file__).with_name("store.sql")

_KEPT_COLUMNS = (
    "server, account, device, token, instance, counter, epoch, seq, chain, handed, "
    "awaited_head, awaited_mark"
)
_SAVE_KEPT = f"INSERT OR REPLACE INTO kept (id, {_KEPT_COLUMNS}) VALUES (1{', ?' * 12})"
_ADD_OLD = "INSERT OR REPLACE INTO old (device, number, entry, handed) VALUES (?, ?, ?, ?)"
_QUEUE = "INSERT INTO outbox (number, outgoing, state) VALUES (?, ?, 'waiting')"

_pack = msgspec.msgpack.Encoder().encode
_entries: msgspec.msgpack.Decoder[tuple[Entry, ...]] = msgspec.msgpack.Decoder(tuple[Entry, ...])
_entry: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)
_outgoing: msgspec.msgpack.Decoder[Outgoing] = msgspec.msgpack.Decoder(Outgoing)


class SqliteShelf:
    """See Shelf. Used by one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take over a connection in autocommit mode. Raises StoreUnusable."""
        self._db = connection
        self._prepare()
        self._kept = self._load_kept()
        self._has_old = self._value("SELECT EXISTS (SELECT 1 FROM old)") == 1

    def _prepare(self) -> None:
        application = self._value("PRAGMA application_id")
        version = self._value("PRAGMA user_version")
        if (application, version) == (APPLICATION_ID, VERSION):
            return
        if application == APPLICATION_ID:
            raise StoreUnusable(f"the store has version {version}; this program knows {VERSION}")
        if self._value("SELECT count(*) FROM sqlite_master") != 0:
            raise StoreUnusable("the file is a database of something else")
        # executescript would commit on its own terms, so the transaction is part of the script.
        self._db.executescript(
            f"BEGIN;{_SCHEMA.read_text()}PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {VERSION};COMMIT;"
        )

    def _value(self, sql: str) -> object:
        return self._db.execute(sql).fetchone()[0]

    def _load_kept(self) -> Kept:
        row = self._db.execute(f"SELECT {_KEPT_COLUMNS} FROM kept").fetchone()
        server, account, device, token, instance, counter, epoch, seq, chain, *rest = row
        handed, head, mark = rest
        return Kept(
            server,
            account and AccountId(account),
            device and DeviceId(device),
            token,
            instance,
            counter,
            None if epoch is None else Position(Epoch(epoch), seq, Chain(chain)),
            handed,
            head,
            None if mark is None else Mark(mark),
        )

    def _save_kept(self) -> None:
        kept, position = self._kept, self._kept.position
        place = (None,) * 3 if position is None else (position.epoch, position.seq, position.chain)
        mark = kept.awaited_mark and kept.awaited_mark.value
        whose = (kept.server, kept.account, kept.device, kept.token, kept.instance, kept.counter)
        self._db.execute(_SAVE_KEPT, (*whose, *place, kept.handed, kept.awaited_head, mark))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # After an error the device stops, so what memory holds beyond the rollback never counts.
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._save_kept()
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def begin(self, server: str, instance: str, token: str | None) -> tuple[events.Loaded, str]:
        kept = self._kept
        if kept.server not in ("", server):
            raise StoreMismatch(kept.server, server)
        if token is None and kept.token is None:
            raise ValueError("no token was given, and the store holds none")
        with self._transaction():
            kept.server, kept.instance, kept.token = server, instance, token or kept.token
        assert kept.token is not None
        loaded = events.Loaded(kept.account, kept.device, kept.position, kept.handed, kept.era)
        return loaded, kept.token

    # -------------------------------------------------------- the verdict

    def take_verdict(self, command: commands.TakeVerdict) -> events.VerdictTaken:
        verdict, kept = command.verdict, self._kept
        with self._transaction():
            if kept.take(verdict, command.handed) is None:
                self._drop_beyond(verdict.start)
            else:
                self._make_old(command.handed)
                self._make_lost_echoes_old(verdict)
            self._put_back(verdict)
            numbered = self._number_waiting()
            marked = self._mark_old()
        waiting = tuple(
            _message(number, outgoing)
            for number, outgoing in self._db.execute(
                "SELECT number, outgoing FROM outbox WHERE state = 'waiting' ORDER BY number"
            )
        )
        accepted = self._db.execute(
            "SELECT number FROM outbox WHERE state = 'accepted' ORDER BY number"
        )
        numbers = tuple(number for (number,) in accepted)
        return events.VerdictTaken(waiting, numbers, numbered, kept.handed, kept.era, marked)

    def _drop_beyond(self, seq: Seq) -> None:
        rows = self._db.execute("SELECT prev, entries FROM batches WHERE until > ?", (seq,))
        straddling = [(prev, entries) for prev, entries in rows if prev < seq]
        self._db.execute("DELETE FROM batches WHERE until > ?", (seq,))
        for prev, entries in straddling:
            self._add_batch(prev, _entries.decode(entries)[: seq - prev])

    def _make_old(self, handed: Seq) -> None:
        for prev, entries in self._db.execute("SELECT prev, entries FROM batches ORDER BY until"):
            self._add_old(
                (entry, seq <= handed)
                for seq, entry in enumerate(_entries.decode(entries), prev + 1)
            )
        self._db.execute("DELETE FROM batches")

    def _add_old(self, entries: Iterable[tuple[Entry, bool]]) -> None:
        self._has_old = True
        self._db.executemany(
            _ADD_OLD,
            ((entry.device, entry.number, _pack(entry), handed) for entry, handed in entries),
        )

    def _make_lost_echoes_old(self, verdict: Verdict) -> None:
        """Accepted messages whose echo may never come, because it lies below the floor."""
        truncated = isinstance(verdict, Truncated)
        column, limit = ("seq", verdict.start) if truncated else ("number", verdict.sent)
        rows = self._db.execute(
            f"DELETE FROM outbox WHERE state = 'accepted' AND {column} <= ? "
            "RETURNING number, outgoing",
            (limit,),
        ).fetchall()
        messages = [_message(number, outgoing) for number, outgoing in rows]
        known = {number for (number,) in self._own_old(verdict.device, 0)}
        self._add_old(
            (entry_of(message, verdict.account, verdict.device), True)
            for message in messages
            if message.number not in known
        )

    def _own_old(self, device: DeviceId, above: int) -> list[tuple[int]]:
        return self._db.execute(
            "SELECT number FROM old WHERE device = ? AND number > ?", (device, above)
        ).fetchall()

    def _put_back(self, verdict: Verdict) -> None:
        self._db.execute(
            "UPDATE outbox SET state = 'waiting', seq = NULL "
            "WHERE state = 'accepted' AND number > ?",
            (verdict.sent,),
        )
        if not self._has_old:
            return
        rows = self._db.execute(
            "SELECT entry FROM old WHERE device = ? AND number > ? "
            "AND number NOT IN (SELECT number FROM outbox WHERE number IS NOT NULL) "
            "ORDER BY number",
            (verdict.device, verdict.sent),
        ).fetchall()
        messages = [message_of(_entry.decode(entry)) for (entry,) in rows]
        self._queue(messages)
        for message in messages:
            self._kept.know(message.number)

    def _number_waiting(self) -> tuple[tuple[int, int], ...]:
        rows = self._db.execute("SELECT ticket FROM outbox WHERE number IS NULL ORDER BY ticket")
        tickets = [ticket for (ticket,) in rows.fetchall()]
        pairs = tuple(zip(tickets, self._kept.number(len(tickets)), strict=True))
        self._db.executemany(
            "UPDATE outbox SET number = ? WHERE ticket = ?",
            ((number, ticket) for ticket, number in pairs),
        )
        return pairs

    def _mark_old(self) -> Marked | None:
        mark = self._kept.reached()
        if mark is None or not self._has_old:
            return None
        count = self._db.execute(
            "UPDATE old SET mark = ? WHERE mark IS NULL", (mark.value,)
        ).rowcount
        return Marked(mark, count) if count else None

    # -------------------------------------------------------- entries

    def store_batch(self, command: commands.StoreBatch) -> events.BatchStored:
        kept = self._kept
        with self._transaction():
            self._add_batch(command.prev, command.entries)
            kept.position, kept.handed = command.position, command.handed
            if command.echoes:
                self._db.executemany(
                    "DELETE FROM outbox WHERE number = ?",
                    ((echo.number,) for echo in command.echoes),
                )
            if self._has_old:
                self._db.executemany(
                    "DELETE FROM old WHERE device = ? AND number = ?",
                    ((entry.device, entry.number) for entry in command.entries),
                )
            marked = self._mark_old()
        return events.BatchStored(command.position, command.echoes, marked)

    def _add_batch(self, prev: Seq, entries: tuple[Entry, ...]) -> None:
        self._db.execute(
            "INSERT INTO batches (until, prev, entries) VALUES (?, ?, ?)",
            (prev + len(entries), prev, _pack(entries)),
        )

    def store_handed(self, command: commands.StoreHanded) -> events.HandedStored:
        with self._transaction():
            self._kept.handed = command.seq
        return events.HandedStored()

    def read(self, era: int, after: Seq) -> Run | None:
        kept = self._kept
        if kept.position is None:
            return None
        if era != kept.era:
            after = kept.handed
        begin: Seq | None = None
        found: list[Entry] = []
        size = 0
        for prev, entries in self._db.execute(
            "SELECT prev, entries FROM batches WHERE until > ? ORDER BY until", (after,)
        ):
            if begin is None:
                begin = max(prev, after)
                found += _entries.decode(entries)[begin - prev :]
            elif prev == begin + len(found):
                found += _entries.decode(entries)
            else:
                break
            size += len(entries)
            if size >= READ_BYTES_MAX:
                break
        if begin is None:
            return None
        return Run(kept.era, kept.position.epoch, begin, tuple(found))

    def old(self) -> list[OldEntry]:
        rows = self._db.execute("SELECT entry, handed, mark FROM old ORDER BY device, number")
        return [
            OldEntry(_entry.decode(entry), bool(handed), None if mark is None else Mark(mark))
            for entry, handed, mark in rows
        ]

    # -------------------------------------------------------- the outbox

    def enqueue(self, outgoing: Sequence[Outgoing]) -> Enqueued:
        with self._transaction():
            before = self._value("SELECT coalesce(max(seq), 0) FROM sqlite_sequence")
            assert isinstance(before, int)
            tickets = tuple(range(before + 1, before + 1 + len(outgoing)))
            if self._kept.counter is None:
                self._db.executemany(_QUEUE, ((None, _pack(each)) for each in outgoing))
                return Enqueued(tickets, ())
            numbers = self._kept.number(len(outgoing))
            messages = tuple(map(_numbered, numbers, outgoing))
            self._queue(messages)
        return Enqueued(tickets, messages)

    def _queue(self, messages: Iterable[Message]) -> None:
        self._db.executemany(
            _QUEUE,
            (
                (
                    message.number,
                    _pack(
                        Outgoing(message.kind, message.conversation, message.target, message.body)
                    ),
                )
                for message in messages
            ),
        )

    def store_answers(self, command: commands.StoreAnswers) -> events.AnswersStored:
        with self._transaction():
            self._db.executemany(
                "UPDATE outbox SET state = ?, seq = ?, code = ? "
                "WHERE number = ? AND state <> 'refused'",
                map(_answer_row, command.outcomes),
            )
            self._db.executemany(
                "DELETE FROM outbox WHERE number = ? AND state = 'accepted'",
                (
                    (each.number,)
                    for each in command.outcomes
                    if isinstance(each, Accepted) and each.seq is None
                ),
            )
        return events.AnswersStored(command.outcomes)

    def pending(self) -> list[Pending]:
        rows = self._db.execute(
            "SELECT ticket, number, outgoing, state, seq, code FROM outbox ORDER BY ticket"
        )
        return [
            Pending(ticket, number, _outgoing.decode(outgoing), PendingState(state), seq, code)
            for ticket, number, outgoing, state, seq, code in rows
        ]

    def forget(self, ticket: int) -> bool:
        with self._transaction():
            count = self._db.execute(
                "DELETE FROM outbox WHERE ticket = ? AND state = 'refused'", (ticket,)
            ).rowcount
        return count == 1


def _numbered(number: int, outgoing: Outgoing) -> Message:
    return Message(number, outgoing.kind, outgoing.conversation, outgoing.target, outgoing.body)


def _message(number: int, outgoing: bytes) -> Message:
    return _numbered(number, _outgoing.decode(outgoing))


def _answer_row(outcome: Outcome) -> tuple[str, int | None, int | None, int]:
    match outcome:
        case Accepted(number, seq):
            return "accepted", seq, None, number
        case Refused(number, refusal):
            return "refused", None, refusal.code, number
