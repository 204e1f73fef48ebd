"""The register of persons over a SQLite transaction: what register.Register promises."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from syncd import chain, checksum, heading
from syncd.errors import Refusal
from syncd.limits import GRANTS_REMEMBERED, REMEMBERED_MESSAGES
from syncd.membership import Members
from syncd.model import (
    EPOCH_BYTES,
    AccountId,
    ConversationId,
    DeviceId,
    Identity,
    Record,
    Seq,
)
from syncd.persons import Standing, Subject, Union
from syncd.storage.logins import Person
from syncd.storage.queries import load
from syncd.storage.register import Copy, Installed, NewDevice, ending
from syncd.storage.sent_runs import seq_in
from syncd.storage.sqlite_book import SqliteBook
from syncd.storage.transaction import CHANGED, damaged
from syncd.storage.unfolded import LogRow, Unfolded

_SQL = load("sqlite")


class SqliteRegister:
    """Of one transaction. Its caller owes `write` at the end, and after COMMIT `committed`. `draw`
    gives the bytes of epochs."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        unfolded: Unfolded,
        draw: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._connection = connection
        self._draw = draw
        self._book = SqliteBook(connection, unfolded)

    def write(self) -> None:
        """Write what the logs got."""
        self._book.write()

    def abandoned(self) -> None:
        """Nothing of it was written."""
        self._book.abandoned()

    def committed(self) -> None:
        """What was written is durable."""
        self._book.committed()

    @property
    def grown(self) -> frozenset[AccountId]:
        return frozenset(self._book.grown)

    def _run(self, query: str, *parameters: object) -> sqlite3.Cursor:
        return self._connection.execute(_SQL[query], parameters)

    def _one(self, query: str, *parameters: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._run(query, *parameters).fetchone()
        return row

    def _log(self, account: AccountId) -> LogRow:
        log = self._book.log(account)
        if log is None:
            raise KeyError(account)
        return log

    # ------------------------------------------------------------ accounts

    def home(self, account: AccountId) -> AccountId | None:
        return self._book.home(account)

    def person(self, account: AccountId) -> Person:
        log = self._log(account)
        row = self._one("standing", log.log)
        assert row is not None
        links = dict(self._run("links_of", log.log).fetchall())
        return Person(log.account, Standing(row[0]), links)

    def create_account(self, account: AccountId) -> None:
        row = (account, self._draw(EPOCH_BYTES), chain.GENESIS, chain.GENESIS)
        if self._run("create_log", *row).rowcount != 1:
            raise KeyError(account)
        self._book.look_again(account)

    def stand(self, account: AccountId, standing: Standing) -> None:
        """Set how an account stands."""
        self._run("stand", standing.value, self._log(account).log)

    def close_log(self, guest: AccountId, account: AccountId) -> None:
        closed, into = self._log(guest).log, self._log(account).log
        self._run("close_log", into, closed)
        self._book.look_again(guest)

    # ------------------------------------------------------------ subjects and links

    def whose(self, subject: Subject) -> AccountId | None:
        row = self._one("subject", *subject)
        return None if row is None else AccountId(row[1])

    def owner(self, union: Union) -> AccountId | None:
        row = self._one("owner", *union)
        return None if row is None else AccountId(row[0])

    def add_subject(self, subject: Subject, account: AccountId) -> None:
        self._run("add_subject", *subject, self._log(account).log)

    def note(
        self, subject: Subject, sealed_key: bytes | None, platform: str | None, pending: str | None
    ) -> None:
        if sealed_key is not None:
            self._run("keep_key", sealed_key, *subject)
        if platform is not None:
            self._run("note_union", platform, pending, *subject)

    def add_link(self, union: Union, account: AccountId) -> None:
        self._run("add_link", *union, self._log(account).log)

    def move_subjects(self, guest: AccountId, account: AccountId) -> None:
        logs = self._log(account).log, self._log(guest).log
        self._run("move_subjects", *logs)
        self._run("move_links", *logs)

    def settle_pending(self) -> None:
        self._run("settle_pending")

    # ------------------------------------------------------------ devices

    def device(self, device: DeviceId) -> Installed | None:
        row = self._one("installed", device)
        return None if row is None else _installed(row)

    def devices_of(self, account: AccountId) -> list[Installed]:
        return [_installed(row) for row in self._run("installed_of", self._log(account).log)]

    def add_device(self, new: NewDevice, account: AccountId, subject: Subject | None) -> None:
        log = self._log(account).log
        row = (new.device, log, new.name, new.platform, new.token_hash)
        self._insist("create_device", row, new.device)
        self._run("prove_device", new.secret_hash, new.device)
        self._sign_in(new.device, subject)

    def renew_device(self, device: DeviceId, token_hash: bytes, subject: Subject | None) -> None:
        self._insist("rotate_token", (token_hash, device), device)
        self._sign_in(device, subject)

    def _insist(self, query: str, row: tuple[object, ...], key: str) -> None:
        try:
            self._run(query, *row)
        except sqlite3.IntegrityError as error:
            raise KeyError(key) from error

    def _sign_in(self, device: DeviceId, subject: Subject | None) -> None:
        if subject is not None:
            self._run("sign_device_in", *subject, device)

    def end_device(self, device: DeviceId, why: Refusal) -> None:
        self._run("end_device", why.name, device)

    def move_devices(self, guest: AccountId, account: AccountId) -> None:
        self._run("move_devices", self._log(account).log, self._log(guest).log)

    def remembered(self, device: DeviceId) -> list[tuple[int, Seq]]:
        installed = self.device(device)
        assert installed is not None, "who asks has found it"
        log = self._log(installed.account).log
        items = self._book.answered(device, REMEMBERED_MESSAGES)
        return [(number, seq_in(item.places, log) or 0) for number, item in items.items()]

    def rewrite_answers(self, device: DeviceId, places: Iterable[tuple[int, Seq]]) -> None:
        """There is nothing to rewrite: an answer is the place in the log that the device has now,
        and the copies that a merge makes note theirs."""

    def add_grant(self, grant: bytes, device: DeviceId) -> None:
        self._run("add_grant", grant, device)
        self._run("drop_grants", GRANTS_REMEMBERED)

    # ------------------------------------------------------------ logs

    def append(self, account: AccountId, identity: Identity, record: Record) -> Seq:
        return self._book.append(account, identity, record)

    def copies(self, guest: AccountId, account: AccountId) -> Iterator[Copy]:
        try:
            yield from self._copies(self._log(guest), self._log(account))
        except (*CHANGED, sqlite3.DatabaseError) as error:
            raise damaged(guest, f"not everything can be read: {error}") from error

    def _copies(self, log: LogRow, into: LogRow) -> Iterator[Copy]:
        """The chain is walked, too: the checksum does not cover the hash of an erased body."""
        seq, link = log.floor, log.floor_link
        running, erased = log.floor_sum, self._book.erased_hashes(log)
        for run in self._book.runs(log, log.floor):
            if run.before != running or run.first_damaged() is not None:
                raise damaged(log.account, f"entry {run.first} or one behind it was changed")
            for entry in run.walk():
                seq, stamp = entry.seq, entry.stamp
                body_hash = self._book.body_hash(log, entry, erased)
                link = chain.link(link, seq, entry.header, body_hash)
                if chain.shown(link) != stamp.chain:
                    raise damaged(log.account, f"entry {seq} is missing or was changed")
                found = heading.unpack(entry.header)
                yield Copy(seq, found, self._book.seq_of(into, found.identity))
                running = checksum.opened(stamp.sealed, stamp.chain)
        if seq != log.head:
            raise damaged(log.account, f"entry {seq + 1} is missing")

    def graft(self, guest: AccountId, account: AccountId, after: Seq) -> Iterator[Seq]:
        log = self._log(guest)
        erased = self._book.erased_hashes(log)
        for run in self._book.runs(log, max(after, log.floor)):
            for entry in run.walk():
                identity = heading.unpack(entry.header).identity
                if self.find(account, identity) is None:
                    body_hash = self._book.body_hash(log, entry, erased)
                    self.append(account, identity, Record(entry.header, entry.body, body_hash))
                    yield entry.seq

    def marks(self, account: AccountId) -> dict[ConversationId, Seq]:
        return dict(self._run("marks", self._log(account).log).fetchall())

    def save_mark(self, account: AccountId, conversation: ConversationId, seq: Seq) -> None:
        self._run("save_mark", self._log(account).log, conversation, seq)

    def find(self, account: AccountId, identity: Identity) -> Seq | None:
        return self._book.seq_of(self._log(account), identity)

    def groups_of(self, account: AccountId) -> list[ConversationId]:
        return [name for (name,) in self._run("groups_of", self._log(account).log)]

    def members(self, conversation: ConversationId) -> Members:
        members = self._book.members_of(conversation)
        assert members is not None, "who asks found a member of it"
        return members

    def set_members(self, conversation: ConversationId, members: Members) -> None:
        self._book.change_members(conversation, members)


def _installed(row: tuple[Any, ...]) -> Installed:
    device, account, credential, revoked, ended, secret_hash, issuer, name = row
    return Installed(
        device,
        account,
        credential,
        bool(revoked),
        ending(ended),
        secret_hash,
        None if issuer is None else Subject(issuer, name),
    )
