"""One Work in one SQLite transaction: synchronous, over a connection, so that it runs anywhere.

The hot path of the service. What is appended, answered and confirmed goes into one row of the
journal, whatever the number of logs (sqlite_book.py); each device and log is read at most once.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from syncd import chain, errors
from syncd.errors import Refusal
from syncd.limits import REMEMBERED_MESSAGES
from syncd.model import (
    Accepted,
    AccountId,
    CursorMark,
    CursorScope,
    DeviceId,
    Done,
    Draft,
    Epoch,
    Opening,
    OpeningRequest,
    Outcome,
    Publication,
    Refused,
    Seq,
    Submission,
    Superseded,
    Work,
)
from syncd.storage import Damaged
from syncd.storage.cursors import cursor_key
from syncd.storage.journal import Cursor
from syncd.storage.queries import load
from syncd.storage.register import ending
from syncd.storage.remembered import Answer, Remembered
from syncd.storage.rules import Ruling, rule
from syncd.storage.sent_runs import seq_in
from syncd.storage.sqlite_book import SqliteBook
from syncd.storage.transaction import believing, damaged, transact
from syncd.storage.unfolded import LogRow, Unfolded, higher

_SQL = load("sqlite")


def commit_work(
    connection: sqlite3.Connection,
    unfolded: Unfolded,
    work: Work,
    scope: CursorScope,
    remembered: int = REMEMBERED_MESSAGES,
) -> Done:
    """What the door's `commit` promises, over a connection that is prepared and in no transaction.

    unfolded: of this store; gets what was appended. Raises StorageError; after an indefinite one
    the connection must not be used again.
    """
    book = SqliteBook(connection, unfolded)
    commit = _Commit(connection, book, scope, remembered)
    try:
        # Damage is definite, as it was rolled back: else the process would stop, and again each
        # time that the device comes back.
        with believing():
            done = transact(connection, lambda within: commit.run(work))
    except BaseException:
        book.abandoned()
        raise
    book.committed()
    return done


@dataclass(slots=True)
class _Sender:
    """A row of `devices`, as far as sending and confirming need it."""

    remembered: Remembered
    id: int
    device: DeviceId
    account: AccountId
    platform: str
    credential: int
    generation: int
    instance: str | None
    revoked: int
    ended: str | None
    refusing: Refusal | None = None
    """What everything hears that follows a message which shall be sent again."""
    recalled: bool = False
    """Whether the stored answers were read: only a number that is not new asks for them."""


@dataclass(frozen=True, slots=True)
class _Published:
    """A publication that was accepted before: what it was, and the seq that was answered."""

    content: bytes
    account: AccountId | None
    seq: Seq | None


class _Commit:
    """The rows that one Work has read and not yet written."""

    def __init__(
        self, connection: sqlite3.Connection, book: SqliteBook, scope: CursorScope, remembered: int
    ) -> None:
        self._connection = connection
        self._scope = scope
        self._capacity = remembered
        self._book = book
        self._damages: list[str] = []
        self._senders: dict[DeviceId, _Sender | None] = {}
        self._publications: dict[tuple[str, str], _Published] = {}
        self._opened: dict[DeviceId, _Sender] = {}
        self._confirmed: dict[str, tuple[Epoch, Seq]] = {}
        self._new_publications: list[tuple[str, str, bytes, int | None, Seq | None, int]] = []

    def run(self, work: Work) -> Done:
        for mark in work.cursors:
            self._mark(mark)
        openings = tuple(map(self._open, work.openings))
        submissions = tuple(map(self._submit, work.submissions))
        publications = tuple(map(self._publish, work.publications))
        self._write()
        notes = [(note.text, note.device, note.generation) for note in work.notes]
        self._connection.executemany(_SQL["note_verdict"], notes)
        return Done(
            openings,
            submissions,
            publications,
            self._book.grown,
            self._book.fan_outs,
            tuple(self._damages),
        )

    # ------------------------------------------------------------ openings

    def _open(self, request: OpeningRequest) -> Opening | Refusal:
        sender = self._sender(request.device)
        if sender is None or sender.account != self._book.home(request.account):
            return errors.NOT_AUTHENTICATED
        if sender.revoked:
            return errors.DEVICE_REVOKED
        signed_out = ending(sender.ended)
        if signed_out is not None:
            return signed_out
        if request.credential not in (None, sender.credential):
            return errors.TOKEN_ROTATED
        if sender.account != request.account:
            return errors.NOT_AUTHENTICATED
        log = self._own_log(sender)
        saved = self._saved_cursor(self._cursor_key(sender))
        cursor = saved[1] if saved and saved[0] == log.epoch else None
        try:
            stated_chain = self._book.chain_at(log, request.stated)
            cursor_chain = self._book.chain_at(log, cursor)
        except Damaged as damage:
            self._damages.append(str(damage))
            return errors.STORAGE_UNAVAILABLE
        sender.generation += 1
        sender.instance = request.instance
        self._opened[sender.device] = sender
        merged = self._connection.execute(_SQL["aliases"], (log.log,)).fetchall()
        return Opening(
            generation=sender.generation,
            epoch=log.epoch,
            floor=log.floor,
            floor_chain=chain.shown(log.floor_link),
            head=log.head,
            sent=sender.remembered.highest,
            stated_chain=stated_chain,
            cursor=cursor,
            cursor_chain=cursor_chain,
            cursor_outdated=saved is not None and cursor is None,
            aliases=tuple(account for account, _ in merged),
            merged_epochs=frozenset(epoch for _, epoch in merged),
        )

    # ------------------------------------------------------------ appends

    def _submit(self, submission: Submission) -> tuple[Outcome, ...] | Superseded:
        sender = self._sender(submission.device)
        if sender is None or sender.revoked:
            return Superseded(None)
        if submission.generation != sender.generation:
            return Superseded(sender.instance)
        return tuple([self._judge(sender, draft) for draft in submission.drafts])

    def _judge(self, sender: _Sender, draft: Draft) -> Outcome:
        account, number = sender.account, draft.number
        if sender.refusing is not None:
            return Refused(number, sender.refusing)
        if draft.account != account:
            # Not for a merge, which ends the session.
            raise damaged(draft.account, f"the row of device {draft.device} says {account}")
        if number <= sender.remembered.highest:
            if not sender.recalled:
                self._recall(sender)
            known = sender.remembered.judge(draft, self._own_log(sender).floor)
            if known is not None:
                return known
        ruling = draft.refusal or rule(draft.intent, account, self._book)
        if isinstance(ruling, Refusal):
            if ruling.reconnect:
                sender.refusing = ruling
            return Refused(number, ruling)
        seq = self._book.carry_out(
            ruling, draft.intent, draft.record, (draft.device, number), draft.content
        )
        sender.remembered.accept(number, Answer(seq, draft.content))
        return Accepted(number, seq, duplicate=False)

    def _recall(self, sender: _Sender) -> None:
        log = self._own_log(sender).log
        stored = {
            number: Answer(seq_in(item.places, log) or 0, item.content)
            for number, item in self._book.answered(sender.device, self._capacity).items()
        }
        # What this very commit accepted is newer than any row.
        answers = [*stored.items(), *sender.remembered.answers.items()]
        sender.remembered.answers = dict(answers[-self._capacity :])
        sender.recalled = True

    def _publish(self, publication: Publication) -> Accepted | Refusal:
        key = (publication.publisher, publication.key)
        account = publication.account and self._book.home(publication.account)
        known = self._known_publication(key)
        if known is not None:
            before = known.account and self._book.home(known.account)
            if (known.content, before) != (publication.content, account):
                return errors.KEY_CONFLICT
            return Accepted(0, self._still_there(known), duplicate=True)
        ruling = self._ruling(publication, account)
        if isinstance(ruling, Refusal):
            return ruling
        identity = (publication.device, publication.number)
        seq = self._book.carry_out(ruling, publication.intent, publication.record, identity)
        log = None if account is None else self._book.log(account)
        told = None if log is None else seq
        self._publications[key] = _Published(publication.content, account, told)
        number = None if log is None else log.log
        self._new_publications.append((*key, publication.content, number, told, self._book.arrival))
        return Accepted(0, told, duplicate=False)

    def _known_publication(self, key: tuple[str, str]) -> _Published | None:
        if key in self._publications:
            return self._publications[key]
        row = self._connection.execute(_SQL["publication"], key).fetchone()
        return None if row is None else _Published(*row)

    def _ruling(self, publication: Publication, account: AccountId | None) -> Ruling | Refusal:
        if publication.refusal is not None:
            return publication.refusal
        if publication.account is None:
            actor = publication.actor and (self._book.home(publication.actor) or publication.actor)
            return rule(publication.intent, actor, self._book)
        return errors.UNKNOWN_ACCOUNT if account is None else Ruling((account,))

    def _still_there(self, known: _Published) -> Seq | None:
        log = None if known.account is None else self._book.log(known.account)
        if log is None or log.account != known.account or known.seq is None:
            return None
        return known.seq if known.seq > log.floor else None

    # ------------------------------------------------------------ cursors

    def _mark(self, mark: CursorMark) -> None:
        sender = self._sender(mark.device)
        if sender is None or sender.revoked or mark.generation != sender.generation:
            return
        log = self._own_log(sender)
        if mark.account == log.account and mark.epoch == log.epoch and mark.seq <= log.head:
            key, stated = self._cursor_key(sender), (mark.epoch, mark.seq)
            self._confirmed[key] = higher(self._confirmed.get(key), stated)
            self._book.confirm(Cursor(key, mark.epoch, mark.seq))

    def _saved_cursor(self, key: str) -> tuple[Epoch, Seq] | None:
        saved, confirmed = self._book.cursor(key), self._confirmed.get(key)
        return saved if confirmed is None else higher(saved, confirmed)

    def _cursor_key(self, sender: _Sender) -> str:
        return cursor_key(self._scope, sender.device, sender.account, sender.platform)

    # ------------------------------------------------------------ rows

    def _own_log(self, sender: _Sender) -> LogRow:
        log = self._book.log(sender.account)
        assert log is not None, "the schema ties a device to a log"
        return log

    def _sender(self, device: DeviceId) -> _Sender | None:
        if device not in self._senders:
            row = self._connection.execute(_SQL["sender"], (device,)).fetchone()
            sender = None
            if row is not None:
                remembered = Remembered(self._capacity)
                *fields, sent = row
                remembered.highest = self._book.sent(device, sent)
                sender = _Sender(remembered, *fields)
            self._senders[device] = sender
        return self._senders[device]

    def _write(self) -> None:
        insert = self._connection.executemany
        self._book.write()
        insert(_SQL["remember_publication"], self._new_publications)
        insert(
            _SQL["begin_session"],
            [(each.generation, each.instance, each.id) for each in self._opened.values()],
        )
