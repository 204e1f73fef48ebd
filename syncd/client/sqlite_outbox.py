"""The durable outbox and the old entries: two tables, because messages go from one to the other.

Part of the shelf in sqlite_shelf.py, which opens and ends every transaction. Old entries have a
row each; `put_back` is set on a message that waits once more, because a restore had lost it, and
stays set if it is refused then.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from syncd import errors
from syncd.client.store import (
    Enqueued,
    Kept,
    OldEntry,
    Outgoing,
    Pending,
    PendingState,
    entry_of,
    is_again,
    joined,
    numbered,
    only_local,
    renumbered,
    retargeted,
)
from syncd.model import AccountId, DeviceId, Outcome, Refused
from syncd.protocol.client_events import Echo, Mark, Marked
from syncd.protocol.outbox import message_of
from syncd.wire.frames import Entry, Message, Verdict

_log = logging.getLogger("syncd.client")

_QUEUE = "INSERT INTO outbox (number, outgoing, state, put_back) VALUES (?, ?, 'waiting', ?)"
_ACCEPT = (
    "UPDATE outbox SET state = 'accepted', seq = ?, put_back = 0 "
    "WHERE number = ? AND state <> 'refused'"
)
_REFUSE = "UPDATE outbox SET state = 'refused', code = ? WHERE number = ? AND state = 'waiting'"
_SET_ASIDE = "UPDATE outbox SET state = 'unreadable', number = NULL WHERE ticket = ?"
_UNNUMBERED = "SELECT ticket FROM outbox WHERE number IS NULL AND state = 'waiting' ORDER BY ticket"
_PENDING = (
    "SELECT ticket, number, outgoing, state, seq, code FROM outbox WHERE state <> 'unreadable' "
    "ORDER BY ticket"
)
_END = "DELETE FROM outbox WHERE number = ? AND state <> 'refused' RETURNING outgoing"
_TAKE_OUT = (
    "DELETE FROM outbox WHERE put_back AND state = 'waiting' AND number <= ? "
    "RETURNING number, outgoing"
)
_ECHO_LOST = (
    "DELETE FROM outbox WHERE state = 'accepted' AND number <= ? RETURNING number, outgoing"
)
_ADD_OLD = "INSERT OR REPLACE INTO old (device, number, entry, handed, mark) VALUES (?, ?, ?, ?, ?)"
_TOO_EARLY = (
    "SELECT number, outgoing FROM outbox WHERE put_back AND state = 'refused' AND code = ? "
    "ORDER BY number"
)
_IS_QUEUED = "SELECT 1 FROM outbox WHERE number = ?"
_LOST = "SELECT entry FROM old WHERE device = ? AND number > ? AND NOT refused ORDER BY number"

_pack = msgspec.msgpack.Encoder().encode
_entry: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(Entry)
_outgoing: msgspec.msgpack.Decoder[Outgoing] = msgspec.msgpack.Decoder(Outgoing)


class SqliteOutbox:
    """See Shelf. Every method is part of a transaction of the shelf, or only reads."""

    def __init__(self, connection: sqlite3.Connection, kept: Kept) -> None:
        self._db = connection
        self._kept = kept
        # Once true they stay so: most stores never have any, and then a batch costs nothing here.
        self._has_old = self._exists("SELECT 1 FROM old")
        self._has_put_back = self._exists("SELECT 1 FROM outbox WHERE put_back")

    def _exists(self, sql: str) -> bool:
        return self._db.execute(f"{sql} LIMIT 1").fetchone() is not None

    def set_aside(self) -> None:
        """Leave out messages that cannot be read: the first one would end this and every later run.
        They stay in the file, and the log tells it once."""
        rows = self._db.execute("SELECT ticket, outgoing FROM outbox WHERE state <> 'unreadable'")
        for ticket, outgoing in rows.fetchall():
            try:
                _outgoing.decode(outgoing)
            except msgspec.DecodeError as error:
                _log.error("message %d of the outbox is left out, unreadable: %s", ticket, error)
                self._db.execute(_SET_ASIDE, (ticket,))

    # -------------------------------------------------------- the verdict

    def take_out(self, verdict: Verdict) -> None:
        """What was put back and is below `sent` needs no answer: it might read as refused. It was
        accepted again, or refused in an answer that was lost: the log will show which."""
        if self._has_put_back and self._make_items_old(_TAKE_OUT, verdict):
            self._kept.look_for_old(verdict.head)

    def add_old(self, entries: Iterable[OldEntry]) -> None:
        """These are old entries now."""
        self._has_old = True
        self._db.executemany(
            _ADD_OLD,
            (
                (
                    old.entry.device,
                    old.entry.number,
                    _pack(old.entry),
                    old.handed,
                    old.mark and old.mark.value,
                )
                for old in entries
            ),
        )

    def make_lost_echoes_old(self, verdict: Verdict) -> None:
        """Accepted messages whose echo may never come, because it may lie below the floor."""
        self._make_items_old(_ECHO_LOST, verdict)

    def _make_items_old(self, sql: str, verdict: Verdict) -> bool:
        """What the statement takes out of the outbox; whether there was any."""
        rows = self._db.execute(sql, (verdict.sent,)).fetchall()
        messages = [_message(number, outgoing) for number, outgoing in rows]
        entries = [entry_of(message, verdict.account, verdict.device) for message in messages]
        self.add_old(
            OldEntry(entry, True, None)
            for entry in entries
            if self._find_old(entry.device, entry.number) is None
        )
        return bool(rows)

    def _find_old(self, device: DeviceId, number: int) -> OldEntry | None:
        row = self._db.execute(
            "SELECT entry, handed, mark FROM old WHERE device = ? AND number = ?", (device, number)
        ).fetchone()
        return None if row is None else _old(*row)

    def put_back(self, verdict: Verdict, dropped: Sequence[Entry]) -> None:
        """Own messages that the server has lost wait again; `dropped` are of no table any more."""
        count = self._db.execute(
            "UPDATE outbox SET state = 'waiting', seq = NULL, put_back = 1 "
            "WHERE state = 'accepted' AND number > ?",
            (verdict.sent,),
        ).rowcount
        lost = [entry for entry in dropped if entry.number > verdict.sent]
        if self._has_old:
            rows = self._db.execute(_LOST, (verdict.device, verdict.sent)).fetchall()
            lost += (_entry.decode(entry) for (entry,) in rows)
        for message in filter(None, map(message_of, lost)):
            if self._db.execute(_IS_QUEUED, (message.number,)).fetchone() is None:
                self.queue([message], put_back=True)
                self._kept.know(message.number)
        self._has_put_back |= count + len(lost) > 0

    def number_waiting(self) -> tuple[tuple[int, int], ...]:
        """Give numbers to the messages that have none: (ticket, number)."""
        rows = self._db.execute(_UNNUMBERED)
        tickets = [ticket for (ticket,) in rows.fetchall()]
        pairs = tuple(zip(tickets, self._kept.number(len(tickets)), strict=True))
        self._db.executemany(
            "UPDATE outbox SET number = ? WHERE ticket = ?",
            ((number, ticket) for ticket, number in pairs),
        )
        return pairs

    def mark_old(self) -> Marked | None:
        """Where the noted head is reached: the mark of what was not seen again."""
        mark = self._kept.reached()
        if mark is None or not self._has_old:
            return None
        count = self._db.execute(
            "UPDATE old SET mark = ? WHERE mark IS NULL", (mark.value,)
        ).rowcount
        return Marked(mark, count) if count else None

    def waiting(self) -> tuple[Message, ...]:
        """What has no answer, in number order."""
        rows = self._db.execute(
            "SELECT number, outgoing FROM outbox WHERE state = 'waiting' ORDER BY number"
        )
        return tuple(_message(number, outgoing) for number, outgoing in rows)

    def accepted(self) -> tuple[int, ...]:
        """The numbers that have no echo."""
        rows = self._db.execute(
            "SELECT number FROM outbox WHERE state = 'accepted' ORDER BY number"
        )
        return tuple(number for (number,) in rows)

    # -------------------------------------------------------- entries

    def see(self, entries: tuple[Entry, ...], echoes: tuple[Echo, ...]) -> None:
        """A batch came: echoes end a wait, and what is seen again is not old any more."""
        if echoes:
            self._db.executemany(
                "DELETE FROM outbox WHERE number = ?", ((echo.number,) for echo in echoes)
            )
        if self._has_put_back:
            # What is left is another message under that number: ours needs its answer.
            self._db.executemany(
                "UPDATE outbox SET put_back = 0 WHERE number = ?",
                ((entry.number,) for entry in entries if entry.device == self._kept.device),
            )
        if self._has_old:
            self._db.executemany(
                "DELETE FROM old WHERE device = ? AND number = ?",
                [(entry.device, entry.number) for entry in entries if self._is_old(entry)],
            )

    def _is_old(self, entry: Entry) -> bool:
        known = self._find_old(entry.device, entry.number)
        return known is not None and is_again(known.entry, entry)

    def old(self) -> list[OldEntry]:
        """See Shelf."""
        rows = self._db.execute("SELECT entry, handed, mark FROM old ORDER BY device, number")
        return [_old(*row) for row in rows]

    # -------------------------------------------------------- the outbox

    def next_ticket(self) -> int:
        """The ticket of the next message: one more than any ever given."""
        row = self._db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()
        last: int | None = row[0]
        return (last or 0) + 1

    def queue_unnumbered(self, outgoing: Iterable[Outgoing]) -> None:
        """Add messages that get their numbers by the first verdict."""
        self._db.executemany(_QUEUE, ((None, _pack(each), False) for each in outgoing))

    def queue(self, messages: Iterable[Message], put_back: bool = False) -> None:
        """Add messages that wait for their answer."""
        self._db.executemany(
            _QUEUE,
            ((message.number, _pack(_outgoing_of(message)), put_back) for message in messages),
        )

    def store_answers(self, outcomes: Sequence[Outcome]) -> None:
        """See StoreAnswers."""
        awaited: list[tuple[int | None, int]] = []
        for outcome in outcomes:
            if isinstance(outcome, Refused):
                self._refuse(outcome)
            elif self._kept.has_passed(outcome.seq):
                self._end_wait(outcome.number)
            else:
                awaited.append((outcome.seq, outcome.number))
        self._db.executemany(_ACCEPT, awaited)

    def _refuse(self, outcome: Refused) -> None:
        count = self._db.execute(_REFUSE, (outcome.refusal.code, outcome.number)).rowcount
        if count and self._has_old:
            self._db.execute(
                "UPDATE old SET refused = 1 WHERE device = ? AND number = ?",
                (self._kept.device, outcome.number),
            )

    def _end_wait(self, number: int) -> None:
        """It was accepted, and no echo will come. Nearly always its echo has come already."""
        for (outgoing,) in self._db.execute(_END, (number,)).fetchall():
            whose = self._whose()
            known = self._find_old(whose[1], number)
            self.add_old([only_local(known, _message(number, outgoing), *whose)])

    def _whose(self) -> tuple[AccountId, DeviceId]:
        account, device = self._kept.account, self._kept.device
        assert account is not None
        assert device is not None
        return account, device

    def pending(self) -> list[Pending]:
        """See Shelf."""
        rows = self._db.execute(_PENDING)
        return [
            Pending(ticket, number, _outgoing.decode(outgoing), PendingState(state), seq, code)
            for ticket, number, outgoing, state, seq, code in rows
        ]

    def forget(self, ticket: int) -> bool:
        """See Shelf."""
        count = self._db.execute(
            "DELETE FROM outbox WHERE ticket = ? AND state = 'refused'", (ticket,)
        ).rowcount
        return count == 1

    def resend(self, ticket: int) -> Enqueued | None:
        """See Shelf."""
        row = self._db.execute(
            "SELECT number, outgoing FROM outbox WHERE ticket = ? AND state = 'refused'", (ticket,)
        ).fetchone()
        if row is None:
            return None
        messages = self._renew([(row[0], _outgoing.decode(row[1]))])
        return Enqueued((self.next_ticket() - 1,), messages)

    def send_again_to_joined(self, entries: tuple[Entry, ...]) -> tuple[Message, ...]:
        """What came back too early into groups that the account comes into by these entries."""
        groups = joined(entries, self._kept.account) if self._has_put_back else set()
        if not groups:
            return ()
        rows = self._db.execute(_TOO_EARLY, (errors.NOT_A_MEMBER.code,)).fetchall()
        refused = [(number, _outgoing.decode(outgoing)) for number, outgoing in rows]
        return self._renew([each for each in refused if each[1].conversation in groups])

    def _renew(self, refused: list[tuple[int, Outgoing]]) -> tuple[Message, ...]:
        """Refused ones, in number order, become new ones."""
        _, device = self._whose()
        messages, moved = renumbered(refused, self._kept.number(len(refused)), device)
        self._db.executemany(
            "DELETE FROM outbox WHERE number = ?", ((number,) for number, _ in refused)
        )
        rows = self._db.execute("SELECT number, outgoing FROM outbox WHERE state = 'refused'")
        others = [(number, _outgoing.decode(outgoing)) for number, outgoing in rows.fetchall()]
        self._db.executemany(
            "UPDATE outbox SET outgoing = ? WHERE number = ?",
            (
                (_pack(retargeted(sent, moved)), number)
                for number, sent in others
                if sent.target in moved
            ),
        )
        self.queue(messages)
        return messages


def _old(entry: bytes, handed: int, mark: str | None) -> OldEntry:
    return OldEntry(_entry.decode(entry), bool(handed), None if mark is None else Mark(mark))


def _outgoing_of(message: Message) -> Outgoing:
    return Outgoing(message.kind, message.conversation, message.target, message.body)


def _message(number: int, outgoing: bytes) -> Message:
    return numbered(number, _outgoing.decode(outgoing))
