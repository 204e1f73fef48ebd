"""The logs and groups that one transaction touches: each is read once, changed in memory and
written once at the end; entries are inserted in bulk. What the rules ask, it answers.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from syncd import chain, checksum, heading
from syncd.membership import Members, Role
from syncd.model import (
    AccountId,
    Chain,
    ConversationId,
    Epoch,
    Identity,
    Intent,
    Link,
    Record,
    Seq,
    is_device,
)
from syncd.storage.identities import sender_key
from syncd.storage.queries import load
from syncd.storage.rules import Found, Ruling
from syncd.storage.transaction import damaged

_SQL = load("sqlite")


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
    floor_sum: int
    head_sum: int
    merged_into: int | None = None
    """The log that takes what is addressed to this account, since a merge closed this one."""


@dataclass(slots=True)
class _Group:
    """A group as the transaction sees it; `id` is None where there is none."""

    id: int | None
    members: Members | None


def find_log(connection: sqlite3.Connection, account: AccountId) -> LogRow | None:
    row = connection.execute(_SQL["log"], (account,)).fetchone()
    return None if row is None else LogRow(*row)


def find_cursor(connection: sqlite3.Connection, key: str) -> tuple[Epoch, Seq] | None:
    row: tuple[Epoch, Seq] | None = connection.execute(_SQL["cursor"], (key,)).fetchone()
    return row


class SqliteBook:
    """See rules.Book for what it answers. Its caller owes `write` at the end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._logs: dict[AccountId, LogRow | None] = {}
        self._groups: dict[ConversationId, _Group] = {}
        self._entries: list[tuple[object, ...]] = []
        self._arrival: int | None = None
        self.grown: dict[AccountId, LogRow] = {}
        """The logs that got entries."""
        self.fan_outs: dict[ConversationId, int] = {}
        """To how many logs the newest entry of a conversation went, where it was more than two."""

    # ------------------------------------------------------------ what the rules ask

    def home(self, account: AccountId) -> AccountId | None:
        log = self.log(account)
        return None if log is None else log.account

    def members_of(self, conversation: ConversationId) -> Members | None:
        return self._group(conversation).members

    def find(self, account: AccountId, identity: Identity) -> Found | None:
        log = self.log(account)
        assert log is not None, "the account of a device has a log"
        if not is_device(identity.device):
            return None  # whatever the peer wrote there, no entry is of it
        self.insert_entries()  # what this very transaction appended may be the target
        key = (sender_key(identity.device), identity.number, log.log)
        for seq, header in self._connection.execute(_SQL["by_identity"], key):
            found = heading.unpack(header)
            if found.identity == identity:
                return Found(seq, found)
        return None

    def mark(self, account: AccountId, conversation: ConversationId) -> Seq:
        log = self.log(account)
        assert log is not None, "the account of a device has a log"
        row = self._connection.execute(_SQL["mark"], (log.log, conversation)).fetchone()
        return 0 if row is None else int(row[0])

    # ------------------------------------------------------------ rows

    def log(self, account: AccountId) -> LogRow | None:
        """The log that takes what is addressed to an account, which may be an alias."""
        try:
            return self._logs[account]
        except KeyError:
            found = find_log(self._connection, account)
            if found is not None and found.merged_into is not None:
                self._logs[account] = None  # a damaged store may lead in a circle: it ends here
                [name] = self._connection.execute(_SQL["log_by_number"], (found.merged_into,))
                found = self.log(LogRow(*name).account)
            self._logs[account] = found
            return found

    def look_again(self, account: AccountId) -> None:
        """The row of this account's log was made or closed in this transaction."""
        self._logs.pop(account, None)

    def _group(self, conversation: ConversationId) -> _Group:
        known = self._groups.get(conversation)
        if known is None:
            known = self._groups[conversation] = self._read_group(conversation)
        return known

    def _read_group(self, conversation: ConversationId) -> _Group:
        row = self._connection.execute(_SQL["group"], (conversation,)).fetchone()
        if row is None:
            return _Group(None, None)
        members: dict[AccountId, Role] = {}
        for owner, *fields in self._connection.execute(_SQL["members"], row):
            log = LogRow(*fields)
            # What this transaction changed already is newer than the row.
            self._logs.setdefault(log.account, log)
            members[log.account] = Role.OWNER if owner else Role.MEMBER
        return _Group(row[0], members)

    # ------------------------------------------------------------ what is done

    @property
    def arrival(self) -> int:
        """Of the newest entry of the store."""
        if self._arrival is None:
            (self._arrival,) = self._connection.execute(_SQL["last_arrival"]).fetchone()
        assert self._arrival is not None
        return self._arrival

    def carry_out(self, ruling: Ruling, intent: Intent, record: Record, identity: Identity) -> Seq:
        """Append to every log that the ruling names; the seq in the first one's."""
        sender = sender_key(identity.device)
        encoded = record.header + record.body
        seqs = []
        for account in ruling.logs:
            log = self.log(account)
            assert log is not None, "rulings name accounts that exist"
            seqs.append(self._append(log, record, encoded, sender, identity.number))
        if len(seqs) > 2:
            self.fan_outs[intent.conversation] = len(seqs)
        if ruling.members is not None:
            self.change_members(intent.conversation, ruling.members)
        if ruling.mark is not None:
            own = self.log(ruling.logs[0])
            assert own is not None
            self._connection.execute(_SQL["save_mark"], (own.log, intent.conversation, ruling.mark))
        return seqs[0]

    def append(self, account: AccountId, identity: Identity, record: Record) -> Seq:
        """Append to one log alone. Raises KeyError for an unknown account."""
        log = self.log(account)
        if log is None:
            raise KeyError(account)
        encoded = record.header + record.body
        return self._append(log, record, encoded, sender_key(identity.device), identity.number)

    def _append(self, log: LogRow, record: Record, encoded: bytes, sender: int, number: int) -> Seq:
        seq = log.head + 1
        link = chain.link(log.head_link, seq, record.header, record.body_hash)
        shown: Chain = chain.shown(link)
        checked = checksum.extend(log.head_sum, encoded)
        log.head, log.head_link, log.head_sum = seq, link, checked
        self.grown[log.account] = log
        arrival = self._arrival = self.arrival + 1
        self._entries.append(
            (
                arrival,
                log.log,
                seq,
                sender,
                number,
                shown,
                checksum.sealed(checked, shown),
                record.header,
                record.body_hash,
                record.body,
            )
        )
        return seq

    def change_members(self, conversation: ConversationId, members: Members) -> None:
        """Who is in a group from now on."""
        group = self._group(conversation)
        before = group.members or {}
        if group.id is None:
            created = self._connection.execute(_SQL["create_group"], (conversation,)).fetchone()
            group.id = created[0]
        group.members = members
        for account in before.keys() - members.keys():
            self._connection.execute(_SQL["drop_member"], (group.id, self._number(account)))
        for account, role in members.items():
            if before.get(account) is not role:
                row = (group.id, self._number(account), role is Role.OWNER)
                self._connection.execute(_SQL["save_member"], row)

    def _number(self, account: AccountId) -> int:
        log = self.log(account)
        assert log is not None, "members exist"
        return log.log

    def insert_entries(self) -> None:
        """Write the entries that are not written yet."""
        self._connection.executemany(_SQL["append_entry"], self._entries)
        self._entries.clear()

    def write(self) -> None:
        """Write what was changed and is not written yet."""
        self.insert_entries()
        self._connection.executemany(
            _SQL["grow_log"],
            [(log.head, log.head_link, log.head_sum, log.log) for log in self.grown.values()],
        )


def chain_at(connection: sqlite3.Connection, log: LogRow, seq: Seq | None) -> Chain | None:
    """The chain of a stored log at `seq`; None outside floor..head. Raises StorageError."""
    if seq is None or not log.floor <= seq <= log.head:
        return None
    if seq == log.floor:
        return chain.shown(log.floor_link)
    row = connection.execute(_SQL["chain_at"], (log.log, seq)).fetchone()
    if row is None:
        raise damaged(log.account, f"entry {seq} is missing")
    return Chain(row[0])
