"""One Work in one SQLite transaction: synchronous, over a connection, so that it runs anywhere.

The hot path of the service. Each device that a Work touches is read once, changed in memory and
written once at the end, and so is each log (sqlite_book.py); answers are inserted in bulk.
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
    Identity,
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
from syncd.storage.queries import load
from syncd.storage.register import ENDINGS
from syncd.storage.remembered import Answer, Remembered
from syncd.storage.rules import Ruling, rule
from syncd.storage.sqlite_book import LogRow, SqliteBook, chain_at, find_cursor
from syncd.storage.transaction import transact

_SQL = load("sqlite")


def commit_work(
    connection: sqlite3.Connection,
    work: Work,
    scope: CursorScope,
    remembered: int = REMEMBERED_MESSAGES,
) -> Done:
    """What the door's `commit` promises, over a connection that is prepared and in no transaction.

    Raises StorageError; after an indefinite one the connection must not be used again.
    """
    try:
        return transact(connection, lambda within: _Commit(within, scope, remembered).run(work))
    except (TypeError, ValueError, OverflowError) as error:
        # A flipped bit in a row changes the type or the size of a value. It was rolled back: were
        # it not definite, the process would stop, and again each time that the device comes back.
        raise Damaged(f"a row does not hold what was stored: {error}") from error


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
    accepted: int
    ended: str | None
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

    def __init__(self, connection: sqlite3.Connection, scope: CursorScope, remembered: int) -> None:
        self._connection = connection
        self._scope = scope
        self._capacity = remembered
        self._book = SqliteBook(connection)
        self._damages: list[str] = []
        self._senders: dict[DeviceId, _Sender | None] = {}
        self._refusing: dict[DeviceId, Refusal] = {}
        self._publications: dict[tuple[str, str], _Published] = {}
        self._changed: dict[DeviceId, _Sender] = {}
        self._new_answers: list[tuple[int, int, int, Seq, bytes]] = []
        self._new_publications: list[tuple[str, str, bytes, int | None, Seq | None, int]] = []
        self._new_cursors: list[tuple[str, Epoch, Seq]] = []

    def run(self, work: Work) -> Done:
        for mark in work.cursors:
            self._mark(mark)
        # Written at once: an opening of the same Work reads them.
        self._connection.executemany(_SQL["save_cursor"], self._new_cursors)
        openings = tuple(map(self._open, work.openings))
        submissions = tuple(map(self._submit, work.submissions))
        publications = tuple(map(self._publish, work.publications))
        self._write()
        notes = [(note.text, note.device, note.generation) for note in work.notes]
        self._connection.executemany(_SQL["note_verdict"], notes)
        grown = frozenset(self._book.grown)
        return Done(
            openings, submissions, publications, grown, self._book.fan_outs, tuple(self._damages)
        )

    # ------------------------------------------------------------ openings

    def _open(self, request: OpeningRequest) -> Opening | Refusal:
        sender = self._sender(request.device)
        if sender is None or sender.account != self._book.home(request.account):
            return errors.NOT_AUTHENTICATED
        if sender.revoked:
            return errors.DEVICE_REVOKED
        if sender.ended is not None:
            return ENDINGS[sender.ended]
        if request.credential not in (None, sender.credential):
            return errors.TOKEN_ROTATED
        if sender.account != request.account:
            return errors.NOT_AUTHENTICATED
        log = self._own_log(sender)
        saved = find_cursor(self._connection, self._cursor_key(sender))
        cursor = saved[1] if saved and saved[0] == log.epoch else None
        try:
            stated_chain = chain_at(self._connection, log, request.stated)
            cursor_chain = chain_at(self._connection, log, cursor)
        except Damaged as damage:
            self._damages.append(str(damage))
            return errors.STORAGE_UNAVAILABLE
        sender.generation += 1
        sender.instance = request.instance
        self._changed[sender.device] = sender
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
        return tuple([self._answer(sender, draft) for draft in submission.drafts])

    def _answer(self, sender: _Sender, draft: Draft) -> Outcome:
        refusing = self._refusing.get(sender.device)
        if refusing is not None:
            return Refused(draft.number, refusing)
        outcome = self._judge(sender, draft)
        if isinstance(outcome, Refused) and outcome.refusal.reconnect:
            self._refusing[sender.device] = outcome.refusal
        return outcome

    def _judge(self, sender: _Sender, draft: Draft) -> Outcome:
        account, number = sender.account, draft.number
        assert draft.account == account, "a device speaks for its account"
        if number <= sender.remembered.highest and not sender.recalled:
            self._recall(sender)
        known = sender.remembered.judge(draft, self._own_log(sender).floor)
        if known is not None:
            return known
        ruling = draft.refusal or rule(draft.intent, account, self._book)
        if isinstance(ruling, Refusal):
            return Refused(number, ruling)
        identity = Identity(draft.device, number)
        answer = Answer(
            self._book.carry_out(ruling, draft.intent, draft.record, identity), draft.content
        )
        slot = sender.accepted % self._capacity
        self._new_answers.append((sender.id, slot, number, answer.seq, answer.content))
        sender.accepted += 1
        sender.remembered.accept(number, answer)
        self._changed[sender.device] = sender
        return Accepted(number, answer.seq, duplicate=False)

    def _recall(self, sender: _Sender) -> None:
        rows = self._connection.execute(_SQL["remembered"], (sender.id,))
        stored = {number: Answer(seq, content) for number, seq, content in rows}
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
        identity = Identity(publication.device, publication.number)
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
            self._new_cursors.append((self._cursor_key(sender), mark.epoch, mark.seq))

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
                *fields, remembered.highest = row
                sender = _Sender(remembered, *fields)
            self._senders[device] = sender
        return self._senders[device]

    def _write(self) -> None:
        insert = self._connection.executemany
        self._book.write()
        insert(_SQL["remember"], self._new_answers)
        insert(_SQL["remember_publication"], self._new_publications)
        insert(
            _SQL["save_sender"],
            [
                (each.generation, each.instance, each.remembered.highest, each.accepted, each.id)
                for each in self._changed.values()
            ],
        )
