"""One Work in one SQLite transaction: synchronous, over a connection, so that it runs anywhere.

The hot path of the service. Each log and each device that a Work touches is read once, changed in
memory and written once at the end; entries and answers are inserted in bulk.
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
    Chain,
    CursorMark,
    CursorScope,
    DeviceId,
    Done,
    Draft,
    Epoch,
    Link,
    Opening,
    OpeningRequest,
    Outcome,
    Publication,
    Record,
    Refused,
    Seq,
    Submission,
    Superseded,
    Work,
)
from syncd.storage.cursors import cursor_key
from syncd.storage.queries import load
from syncd.storage.remembered import Answer, Remembered
from syncd.storage.transaction import damaged, transact

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
    return transact(connection, lambda within: _Commit(within, scope, remembered).run(work))


@dataclass(slots=True)
class LogRow:
    """A row of `logs`, as it will be written."""

    log: int
    account: AccountId
    epoch: Epoch
    floor: Seq
    floor_link: Link
    head: Seq
    head_link: Link


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
    recalled: bool = False
    """Whether the stored answers were read: only a number that is not new asks for them."""


def find_log(connection: sqlite3.Connection, account: AccountId) -> LogRow | None:
    row = connection.execute(_SQL["log"], (account,)).fetchone()
    return None if row is None else LogRow(*row)


def find_cursor(connection: sqlite3.Connection, key: str) -> tuple[Epoch, Seq] | None:
    row: tuple[Epoch, Seq] | None = connection.execute(_SQL["cursor"], (key,)).fetchone()
    return row


class _Commit:
    """The rows that one Work has read and not yet written."""

    def __init__(self, connection: sqlite3.Connection, scope: CursorScope, remembered: int) -> None:
        self._connection = connection
        self._scope = scope
        self._capacity = remembered
        self._logs: dict[AccountId, LogRow | None] = {}
        self._senders: dict[DeviceId, _Sender | None] = {}
        self._publications: dict[tuple[str, str], tuple[bytes, AccountId, Seq]] = {}
        self._grown: dict[AccountId, LogRow] = {}
        self._changed: dict[DeviceId, _Sender] = {}
        self._new_entries: list[tuple[int, Seq, Chain, bytes, bytes, bytes]] = []
        self._new_answers: list[tuple[int, int, int, Seq, bytes]] = []
        self._new_publications: list[tuple[str, str, bytes, int, Seq]] = []
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
        return Done(openings, submissions, publications, frozenset(self._grown))

    # ------------------------------------------------------------ openings

    def _open(self, request: OpeningRequest) -> Opening | Refusal:
        sender = self._sender(request.device)
        if sender is None or sender.account != request.account:
            return errors.NOT_AUTHENTICATED
        if sender.revoked:
            return errors.DEVICE_REVOKED
        if request.credential not in (None, sender.credential):
            return errors.TOKEN_ROTATED
        sender.generation += 1
        sender.instance = request.instance
        self._changed[sender.device] = sender
        log = self._own_log(sender)
        saved = find_cursor(self._connection, self._cursor_key(sender))
        cursor = saved[1] if saved and saved[0] == log.epoch else None
        return Opening(
            generation=sender.generation,
            epoch=log.epoch,
            floor=log.floor,
            floor_chain=chain.shown(log.floor_link),
            head=log.head,
            sent=sender.remembered.highest,
            stated_chain=self._chain_at(log, request.stated),
            cursor=cursor,
            cursor_chain=self._chain_at(log, cursor),
            cursor_outdated=saved is not None and cursor is None,
        )

    def _chain_at(self, log: LogRow, seq: Seq | None) -> Chain | None:
        # Openings come first in a Work, so that what is above the stored head does not exist yet.
        if seq is None or not log.floor <= seq <= log.head:
            return None
        if seq == log.floor:
            return chain.shown(log.floor_link)
        row = self._connection.execute(_SQL["chain_at"], (log.log, seq)).fetchone()
        if row is None:
            raise damaged(log.account, f"entry {seq} is missing")
        return Chain(row[0])

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
        assert draft.account == account == draft.members[0], "a device speaks for its account"
        if number <= sender.remembered.highest and not sender.recalled:
            self._recall(sender)
        known = sender.remembered.judge(draft, self._own_log(sender).floor)
        if known is not None:
            return known
        logs = [log for member in draft.members if (log := self._log(member)) is not None]
        if len(logs) < len(draft.members):
            return Refused(number, errors.UNKNOWN_ACCOUNT)
        for log in logs:
            self._append(log, draft.record)
        answer = Answer(logs[0].head, draft.content)
        slot = sender.accepted % self._capacity
        self._new_answers.append((sender.id, slot, number, answer.seq, answer.content))
        sender.accepted += 1
        sender.remembered.accept(number, answer)
        self._changed[sender.device] = sender
        return Accepted(number, answer.seq, duplicate=False)

    def _append(self, log: LogRow, record: Record) -> None:
        seq = log.head + 1
        link = chain.link(log.head_link, seq, record.header, record.body_hash)
        log.head, log.head_link = seq, link
        self._grown[log.account] = log
        self._new_entries.append(
            (log.log, seq, chain.shown(link), record.header, record.body_hash, record.body)
        )

    def _recall(self, sender: _Sender) -> None:
        rows = self._connection.execute(_SQL["remembered"], (sender.id,))
        stored = {number: Answer(seq, content) for number, seq, content in rows}
        # What this very commit accepted is newer than any row.
        answers = [*stored.items(), *sender.remembered.answers.items()]
        sender.remembered.answers = dict(answers[-self._capacity :])
        sender.recalled = True

    def _publish(self, publication: Publication) -> Accepted | Refusal:
        key = (publication.publisher, publication.key)
        known = self._publications.get(key)
        known = known or self._connection.execute(_SQL["publication"], key).fetchone()
        log = self._log(publication.account)
        if known is not None:
            content, account, seq = known
            if log is None or (content, account) != (publication.content, publication.account):
                return errors.KEY_CONFLICT
            return Accepted(0, seq if seq > log.floor else None, duplicate=True)
        if log is None:
            return errors.NO_SUCH_ACCOUNT
        self._append(log, publication.record)
        self._publications[key] = (publication.content, publication.account, log.head)
        self._new_publications.append((*key, publication.content, log.log, log.head))
        return Accepted(0, log.head, duplicate=False)

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

    def _log(self, account: AccountId) -> LogRow | None:
        try:
            return self._logs[account]
        except KeyError:
            found = self._logs[account] = find_log(self._connection, account)
            return found

    def _own_log(self, sender: _Sender) -> LogRow:
        log = self._log(sender.account)
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
        insert(_SQL["append_entry"], self._new_entries)
        insert(_SQL["remember"], self._new_answers)
        insert(_SQL["remember_publication"], self._new_publications)
        insert(
            _SQL["grow_log"],
            [(log.head, log.head_link, log.log) for log in self._grown.values()],
        )
        insert(
            _SQL["save_sender"],
            [
                (each.generation, each.instance, each.remembered.highest, each.accepted, each.id)
                for each in self._changed.values()
            ],
        )
