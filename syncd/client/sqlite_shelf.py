"""The durable store's logic: synchronous functions over one SQLite connection.

One row of `batches` holds one batch as it came, entries encoded back to back: storing and reading
cost next to nothing per entry, and nobody needs an entry by its identity until it is old. What is
needed by its identity, own messages and old entries, is kept by sqlite_outbox.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from syncd.client.exceptions import StoreMismatch, StoreUnusable
from syncd.client.sqlite_outbox import SqliteOutbox
from syncd.client.store import (
    INSTANCES_MAX,
    Credentials,
    Enqueued,
    Kept,
    OldEntry,
    Outgoing,
    Pending,
    Run,
    numbered,
)
from syncd.model import AccountId, Chain, DeviceId, Epoch, Position, Seq
from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events
from syncd.protocol.client_events import Mark
from syncd.wire.frames import Entry, Verdict

VERSION = 2
APPLICATION_ID = 0x73796E63  # "sync", for file(1) and for us
READ_BYTES_MAX = 256 * 1024

_SCHEMA = Path(__file__).with_name("store.sql")
_FROM_VERSION_1 = """
    ALTER TABLE kept ADD COLUMN secret TEXT;
    ALTER TABLE kept ADD COLUMN aliases TEXT NOT NULL DEFAULT '[]';
"""

_KEPT_COLUMNS = (
    "server, account, device, token, counter, epoch, seq, chain, handed, awaited_head, "
    "awaited_mark, secret, aliases"
)
_SAVE_KEPT = f"INSERT OR REPLACE INTO kept (id, {_KEPT_COLUMNS}) VALUES (1{', ?' * 13})"
_FORGET_INSTANCES = "DELETE FROM instances WHERE start <= (SELECT max(start) FROM instances) - ?"

_pack = msgspec.msgpack.Encoder().encode
_aliases: msgspec.json.Decoder[tuple[AccountId, ...]]
_aliases = msgspec.json.Decoder(tuple[AccountId, ...])
_entries: msgspec.msgpack.Decoder[tuple[Entry, ...]] = msgspec.msgpack.Decoder(tuple[Entry, ...])


class SqliteShelf:
    """See Shelf. Used by one thread at a time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take over a connection in autocommit mode. Raises StoreUnusable."""
        self._db = connection
        self._prepare()
        self._kept = self._load_kept()
        self._outbox = SqliteOutbox(connection, self._kept)

    def _prepare(self) -> None:
        application = self._value("PRAGMA application_id")
        version = self._value("PRAGMA user_version")
        if (application, version) == (APPLICATION_ID, VERSION):
            return
        if (application, version) == (APPLICATION_ID, 1):
            self._become_current(_FROM_VERSION_1)
            return
        if application == APPLICATION_ID:
            raise StoreUnusable(f"the store has version {version}; this program knows {VERSION}")
        if self._value("SELECT count(*) FROM sqlite_master") != 0:
            raise StoreUnusable("the file is a database of something else")
        self._become_current(_SCHEMA.read_text())

    def _become_current(self, script: str) -> None:
        # executescript would commit on its own terms, so the transaction is part of the script.
        self._db.executescript(
            f"BEGIN IMMEDIATE;{script}PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {VERSION};COMMIT;"
        )

    def _value(self, sql: str) -> object:
        return self._db.execute(sql).fetchone()[0]

    def _load_kept(self) -> Kept:
        row = self._db.execute(f"SELECT {_KEPT_COLUMNS} FROM kept").fetchone()
        server, account, device, token, counter, epoch, seq, chain, *rest = row
        handed, head, mark, secret, aliases = rest
        return Kept(
            server,
            account and AccountId(account),
            device and DeviceId(device),
            token,
            counter,
            None if epoch is None else Position(Epoch(epoch), seq, Chain(chain)),
            handed,
            head,
            None if mark is None else Mark(mark),
            secret=secret,
            aliases=_aliases.decode(aliases),
        )

    def _save_kept(self) -> None:
        kept, position = self._kept, self._kept.position
        place = (None,) * 3 if position is None else (position.epoch, position.seq, position.chain)
        mark = kept.awaited_mark and kept.awaited_mark.value
        whose = (kept.server, kept.account, kept.device, kept.token, kept.counter)
        here = (*place, kept.handed, kept.awaited_head, mark)
        aliases = msgspec.json.encode(kept.aliases).decode()
        self._db.execute(_SAVE_KEPT, (*whose, *here, kept.secret, aliases))

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
        if not token and kept.token is None:
            raise ValueError("no token was given, and the store holds none")
        with self._transaction():
            kept.server, kept.token = server, token or kept.token
            self._outbox.set_aside()
            self._db.execute("INSERT INTO instances (instance) VALUES (?)", (instance,))
            self._db.execute(_FORGET_INSTANCES, (INSTANCES_MAX,))
            own = [each for (each,) in self._db.execute("SELECT instance FROM instances")]
        assert kept.token is not None
        return kept.loaded(own), kept.token

    def credentials(self) -> Credentials:
        return self._kept.credentials()

    def log_in(self, answer: Credentials) -> None:
        with self._transaction():
            self._kept.log_in(answer)

    # -------------------------------------------------------- the verdict

    def take_verdict(self, command: commands.TakeVerdict) -> events.VerdictTaken:
        verdict, kept = command.verdict, self._kept
        outbox = self._outbox
        with self._transaction():
            ages = kept.take(verdict, command.handed) is not None
            outbox.take_out(verdict)
            dropped: list[Entry] = []
            if ages:
                self._make_old(command.handed)
                outbox.make_lost_echoes_old(verdict)
            else:
                dropped = self._drop_beyond(verdict)
            outbox.put_back(verdict, dropped)
            numbered = outbox.number_waiting()
            marked = outbox.mark_old()
        return events.VerdictTaken(
            outbox.waiting(), outbox.accepted(), numbered, kept.handed, kept.era, marked
        )

    def _drop_beyond(self, verdict: Verdict) -> list[Entry]:
        """What lies beyond its start comes again. Gives the own entries that were dropped."""
        seq = verdict.start
        rows = self._db.execute(
            "DELETE FROM batches WHERE until > ? RETURNING prev, entries", (seq,)
        ).fetchall()
        dropped: list[Entry] = []
        for prev, packed in sorted(rows):
            entries = _entries.decode(packed)
            if prev < seq:
                self._add_batch(prev, entries[: seq - prev])
            dropped += (
                entry for entry in entries[max(0, seq - prev) :] if entry.device == verdict.device
            )
        return dropped

    def _make_old(self, handed: Seq) -> None:
        rows = self._db.execute("SELECT prev, entries FROM batches ORDER BY until")
        for prev, entries in rows:
            self._outbox.add_old(
                OldEntry(entry, seq <= handed, None)
                for seq, entry in enumerate(_entries.decode(entries), prev + 1)
            )
        self._db.execute("DELETE FROM batches")

    # -------------------------------------------------------- entries

    def store_batch(self, command: commands.StoreBatch) -> events.BatchStored:
        kept = self._kept
        with self._transaction():
            self._add_batch(command.prev, command.entries)
            kept.position, kept.handed = command.position, command.handed
            self._outbox.see(command.entries, command.echoes)
            resent = self._outbox.send_again_to_joined(command.entries)
            marked = self._outbox.mark_old()
        return events.BatchStored(command.position, command.echoes, marked, resent)

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
        return self._outbox.old()

    # -------------------------------------------------------- the outbox

    def enqueue(self, outgoing: Sequence[Outgoing]) -> Enqueued:
        with self._transaction():
            first = self._outbox.next_ticket()
            tickets = tuple(range(first, first + len(outgoing)))
            if self._kept.counter is None:
                self._outbox.queue_unnumbered(outgoing)
                return Enqueued(tickets, ())
            numbers = self._kept.number(len(outgoing))
            messages = tuple(map(numbered, numbers, outgoing))
            self._outbox.queue(messages)
        return Enqueued(tickets, messages)

    def store_answers(self, command: commands.StoreAnswers) -> events.AnswersStored:
        with self._transaction():
            self._outbox.store_answers(command.outcomes)
        return events.AnswersStored(command.outcomes)

    def pending(self) -> list[Pending]:
        return self._outbox.pending()

    def forget(self, ticket: int) -> bool:
        with self._transaction():
            return self._outbox.forget(ticket)

    def resend(self, ticket: int) -> Enqueued | None:
        with self._transaction():
            return self._outbox.resend(ticket)
