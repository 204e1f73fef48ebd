"""The register of persons over a SQLite transaction: what register.Register promises."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from syncd import chain, checksum, heading
from syncd.errors import Refusal
from syncd.limits import GRANTS_REMEMBERED
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
from syncd.storage.register import ENDINGS, Copy, Installed, NewDevice
from syncd.storage.sqlite_book import LogRow, SqliteBook
from syncd.storage.transaction import damaged

_SQL = load("sqlite")

_GRAFT_ROWS = 500
"""Entries that a merge holds in memory at a time."""


class SqliteRegister:
    """Of one transaction. Its caller owes `write` at the end. `draw` gives the bytes of epochs."""

    def __init__(
        self, connection: sqlite3.Connection, draw: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._connection = connection
        self._draw = draw
        self._book = SqliteBook(connection)

    def write(self) -> None:
        """Write what the logs got."""
        self._book.write()

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
        return self._run("answers", device).fetchall()

    def rewrite_answers(self, device: DeviceId, places: Iterable[tuple[int, Seq]]) -> None:
        rows = [(seq, device, number) for number, seq in places]
        self._connection.executemany(_SQL["rewrite_answer"], rows)

    def add_grant(self, grant: bytes, device: DeviceId) -> None:
        self._run("add_grant", grant, device)
        self._run("drop_grants", GRANTS_REMEMBERED)

    # ------------------------------------------------------------ logs

    def append(self, account: AccountId, identity: Identity, record: Record) -> Seq:
        return self._book.append(account, identity, record)

    def copies(self, guest: AccountId, account: AccountId) -> Iterator[Copy]:
        try:
            yield from self._copies(self._log(guest), self._log(account))
        except (TypeError, ValueError, OverflowError, sqlite3.DatabaseError) as error:
            raise damaged(guest, f"not everything can be read: {error}") from error

    def _copies(self, log: LogRow, into: LogRow) -> Iterator[Copy]:
        """The chain is walked, too: the checksum does not cover the hash of an erased body."""
        seq, running, link = log.floor, log.floor_sum, log.floor_link
        rows = self._run("copies", into.log, log.log)
        for here, shown, sealed, header, body_hash, body, held, copied in _one_each(rows):
            seq, after = seq + 1, checksum.opened(sealed, shown)
            link = chain.link(link, seq, header, body_hash)
            whole = body == heading.ERASED or checksum.extend(running, header + body) == after
            if here != seq or not whole or chain.shown(link) != shown:
                raise damaged(log.account, f"entry {seq} is missing or was changed")
            running = after
            # Two devices may share an index key; copies of one message have one header.
            yield Copy(here, heading.unpack(header), held if copied == header else None)
        if seq != log.head:
            raise damaged(log.account, f"entry {seq + 1} is missing")

    def graft(self, guest: AccountId, account: AccountId, after: Seq) -> Iterator[Seq]:
        log = self._log(guest)
        while rows := self._run("grafted", log.log, after, _GRAFT_ROWS).fetchall():
            for seq, header, body_hash, body in rows:
                after = seq
                identity = heading.unpack(header).identity
                if self.find(account, identity) is None:
                    self.append(account, identity, Record(header, body, body_hash))
                    yield seq
            self._book.insert_entries()

    def marks(self, account: AccountId) -> dict[ConversationId, Seq]:
        return dict(self._run("marks", self._log(account).log).fetchall())

    def save_mark(self, account: AccountId, conversation: ConversationId, seq: Seq) -> None:
        self._run("save_mark", self._log(account).log, conversation, seq)

    def find(self, account: AccountId, identity: Identity) -> Seq | None:
        found = self._book.find(account, identity)
        return None if found is None else found.seq

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
        None if ended is None else ENDINGS[ended],
        secret_hash,
        None if issuer is None else Subject(issuer, name),
    )


def _one_each(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """One row an entry, though several of the account's entries may have its index key."""
    for _, same in groupby(rows, key=itemgetter(0)):
        several = list(same)
        header = several[0][3]
        yield next((row for row in several if row[-1] == header), several[0])
