"""The logs and groups that one transaction touches: each is read once, grows in memory, and what it
got is written to the journal in one row at the end. What the rules ask, it answers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from syncd.heading import ERASED
from syncd.membership import Members, Role
from syncd.model import (
    AccountId,
    ConversationId,
    DeviceId,
    Identity,
    Intent,
    Record,
    Seq,
)
from syncd.storage import journal
from syncd.storage.contents import Contents
from syncd.storage.journal import Appended, Cursor, Message
from syncd.storage.pages import Entry, Run
from syncd.storage.queries import load
from syncd.storage.rules import Found, Ruling
from syncd.storage.sent_runs import Item
from syncd.storage.unfolded import Growth, LogRow, Unfolded

_SQL = load("sqlite")


@dataclass(slots=True)
class _Group:
    """A group as the transaction sees it; `id` is None where there is none."""

    id: int | None
    members: Members | None


class SqliteBook(Contents):
    """See rules.Book for what it answers. Its caller owes `write` at the end, and after COMMIT
    `committed`. It stands for the thread that writes."""

    def __init__(self, connection: sqlite3.Connection, unfolded: Unfolded) -> None:
        super().__init__(connection, unfolded)
        self._groups: dict[ConversationId, _Group] = {}
        self._growths: dict[AccountId, Growth] = {}
        """By the name of the log itself, never by an alias."""
        self._appended = Appended(journal.FORMAT, unfolded.arrival + 1, [], [], [])
        self._senders: dict[DeviceId, int] = {}
        self._items: dict[tuple[DeviceId, int], list[Item]] | None = None
        self.arrival = unfolded.arrival
        """Of the newest entry of the store."""
        self._written = 0
        self.fan_outs: dict[ConversationId, int] = {}
        """To how many logs the newest entry of a conversation went, where it was more than two."""

    @property
    def grown(self) -> frozenset[AccountId]:
        """The accounts whose logs got entries."""
        return frozenset([growth.row.account for growth in self._growths.values()])

    # ------------------------------------------------------------ what the rules ask

    def home(self, account: AccountId) -> AccountId | None:
        log = self._logs.get(account) or self.log(account)
        return None if log is None else log.account

    def members_of(self, conversation: ConversationId) -> Members | None:
        return self._group(conversation).members

    def find(self, account: AccountId, identity: Identity) -> Found | None:
        log = self.log(account)
        assert log is not None, "the account of a device has a log"
        return self.found(log, identity)

    def mark(self, account: AccountId, conversation: ConversationId) -> Seq:
        log = self.log(account)
        assert log is not None, "the account of a device has a log"
        row = self._connection.execute(_SQL["mark"], (log.log, conversation)).fetchone()
        return 0 if row is None else int(row[0])

    # ------------------------------------------------------------ with what it appended itself

    def runs(self, log: LogRow, after: Seq) -> Iterator[Run]:
        for run in super().runs(log, after):
            yield run
            after = run.last
        growth = self._growths.get(log.account)
        if growth is not None and after < growth.row.head:
            head, _, checked = growth.before
            yield Run(head + 1, checked, *growth.joined()).after(after)

    def entry(self, log: LogRow, seq: Seq) -> Entry | None:
        growth = self._growths.get(log.account)
        if growth is None:
            return super().entry(log, seq)
        place = seq - (growth.row.head + 1 - len(growth.entries))
        if place < 0:
            return super().entry(log, seq)
        if place >= len(growth.entries):
            return None
        return next(Run(seq, 0, growth.stamps[place], growth.entries[place]).walk())

    def items(self, identity: Identity) -> Iterator[Item]:
        if self._items is None:
            # Built by the first who asks: most transactions only hold new messages.
            self._items = {}
            for message in self._appended.messages:
                self._index(message)
        yield from self._items.get((identity.device, identity.number), ())
        yield from super().items(identity)

    def _index(self, message: Message) -> None:
        assert self._items is not None
        identity = (self._appended.senders[message.sender], message.number)
        item = Item(message.number, message.content, message.places)
        self._items.setdefault(identity, []).append(item)

    # ------------------------------------------------------------ rows

    def look_again(self, account: AccountId) -> None:
        """The row of this account's log was made or closed in this transaction."""
        self._unfolded.rows.pop(account, None)
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
            log = self._checked(LogRow(*fields))
            # What this transaction changed already is newer than the row.
            self._logs.setdefault(log.account, log)
            members[log.account] = Role.OWNER if owner else Role.MEMBER
        return _Group(row[0], members)

    # ------------------------------------------------------------ what is done

    def carry_out(
        self,
        ruling: Ruling,
        intent: Intent,
        record: Record,
        identity: tuple[DeviceId, int],
        content: bytes = b"",
    ) -> Seq:
        """Append to every log that the ruling names; the seq in the first one's. content: of a
        message that its device may send again."""
        header, body_hash = record.header, record.body_hash
        entry = header + record.body
        places: list[int] = []
        for account in ruling.logs:
            growth = self._growths.get(account) or self._growth(account)
            self.arrival = arrival = self.arrival + 1
            places += growth.row.log, growth.append(header, body_hash, entry, arrival)
        self._note(identity, content, record, entry, tuple(places))
        if len(places) > 4:
            self.fan_outs[intent.conversation] = len(places) // 2
        if ruling.members is not None:
            self.change_members(intent.conversation, ruling.members)
        if ruling.mark is not None:
            self._connection.execute(
                _SQL["save_mark"], (places[0], intent.conversation, ruling.mark)
            )
        return places[1]

    def append(self, account: AccountId, identity: Identity, record: Record) -> Seq:
        """Append to one log alone. Raises KeyError for an unknown account."""
        log = self.log(account)
        if log is None:
            raise KeyError(account)
        entry = record.header + record.body
        growth = self._growths.get(log.account) or self._growth(log.account)
        self.arrival += 1
        seq = growth.append(record.header, record.body_hash, entry, self.arrival)
        self._note((identity.device, identity.number), b"", record, entry, (log.log, seq))
        return seq

    def _growth(self, account: AccountId) -> Growth:
        """Of a log that nothing was appended to yet; account: its own name."""
        log = self.log(account)
        assert log is not None, "rulings name accounts that exist"
        assert log.account == account, "rulings name logs, never aliases"
        growth = self._growths[account] = Growth(log)
        return growth

    def _note(
        self,
        identity: tuple[DeviceId, int],
        content: bytes,
        record: Record,
        entry: bytes,
        places: tuple[int, ...],
    ) -> None:
        device, number = identity
        sender = self._senders.get(device)
        if sender is None:
            sender = self._senders[device] = len(self._senders)
            self._appended.senders.append(device)
        gone = record.body_hash if record.body == ERASED else None
        message = Message(sender, number, content, len(record.header), entry, places, gone)
        self._appended.messages.append(message)
        if self._items is not None:
            self._index(message)

    def confirm(self, cursor: Cursor) -> None:
        """Note a cursor, for the journal."""
        self._appended.cursors.append(cursor)

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

    def write(self) -> None:
        """Write what was appended and confirmed to the journal. Where the transaction fails in the
        end, its caller owes `abandoned`."""
        if self._appended.messages or self._appended.cursors:
            self._written = journal.write(self._connection, self._appended)

    def abandoned(self) -> None:
        """Nothing of it was written."""
        for growth in self._growths.values():
            growth.take_back()

    def committed(self) -> None:
        """What was written is durable: from now on everybody may see it."""
        self._unfolded.bytes += self._written
        self._unfolded.take(self._growths.values(), self._appended)
