"""The door to what login needs, in SQLite: each call is one transaction of its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from syncd import errors
from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId
from syncd.persons import (
    Linking,
    Merged,
    Merging,
    PendingUnion,
    Remap,
    Remapped,
    SealedKey,
    SignedIn,
    SignIn,
    Standing,
    Subject,
    SubjectFacts,
    Union,
)
from syncd.storage import signing_in
from syncd.storage.contents import Contents
from syncd.storage.queries import load
from syncd.storage.register import ending
from syncd.storage.sqlite_register import SqliteRegister
from syncd.storage.transaction import snapshot, transact
from syncd.storage.unfolded import Unfolded

_SQL = load("sqlite")

Result = TypeVar("Result")


class Run(Protocol):
    """Carries a function to the thread of a connection."""

    def __call__(self, function: Callable[[sqlite3.Connection], Result]) -> Awaitable[Result]:
        """What `function` returns, given the connection."""


class SqlitePeople:
    """See people.People. insist_on_room: raises StorageError where no append is to be tried."""

    def __init__(
        self, write: Run, read: Run, unfolded: Unfolded, insist_on_room: Callable[[], None]
    ) -> None:
        self._write = write
        self._read = read
        self._unfolded = unfolded
        self._insist_on_room = insist_on_room

    async def sign_in(self, request: SignIn) -> SignedIn | Refusal:
        return await self._change(lambda register: signing_in.sign_in(register, request))

    async def merge(self, request: Merging) -> Merged | Refusal:
        return await self._change(lambda register: signing_in.merge(register, request))

    async def link(self, request: Linking) -> Refusal | None:
        return await self._change(lambda register: signing_in.link(register, request))

    async def unlink(self, account: AccountId, mine: Subject, removed: Subject) -> Refusal | None:
        def unlink(connection: sqlite3.Connection) -> Refusal | None:
            own = [each.subject for each in _subjects(connection, account)]
            refusal = signing_in.unlinkable(own, mine, removed)
            if refusal is None:
                connection.execute(_SQL["forget_subject"], removed)
                connection.execute(_SQL["remove_subject"], removed)
            return refusal

        return await self._write(lambda connection: transact(connection, unlink))

    async def replayed(self, grant: bytes) -> DeviceId | None:
        def replay(connection: sqlite3.Connection) -> DeviceId | None:
            row = connection.execute(_SQL["granted"], (grant,)).fetchone()
            if row is None:
                return None
            SqliteRegister(connection, self._unfolded).end_device(row[0], errors.SIGNED_OUT)
            return DeviceId(row[0])

        return await self._write(lambda connection: transact(connection, replay))

    async def sign_out(
        self, account: AccountId, keep: DeviceId | None, only: DeviceId | None = None
    ) -> tuple[DeviceId, ...]:
        def leave(connection: sqlite3.Connection) -> tuple[DeviceId, ...]:
            return _sign_out(connection, account, keep, only)

        return await self._write(lambda connection: transact(connection, leave))

    async def over(self, sessions: Mapping[DeviceId, int | None]) -> Mapping[DeviceId, Refusal]:
        pairs = json.dumps(list(sessions.items()))

        def look(connection: sqlite3.Connection) -> dict[DeviceId, Refusal]:
            rows = connection.execute(_SQL["over"], (pairs,)).fetchall()
            return {device: _ending(revoked, ended) for device, revoked, ended in rows}

        return await self._read(lambda connection: snapshot(connection, look))

    async def rename(self, account: AccountId, device: DeviceId, name: str) -> bool:
        def rename(connection: sqlite3.Connection) -> bool:
            log = Contents(connection, self._unfolded).log(account)
            row = (name, device, None if log is None else log.log)
            return connection.execute(_SQL["rename_device"], row).rowcount == 1

        return await self._write(lambda connection: transact(connection, rename))

    async def account_of(self, account: AccountId) -> AccountId | None:
        def look(connection: sqlite3.Connection) -> AccountId | None:
            log = Contents(connection, self._unfolded).log(account)
            return None if log is None else log.account

        return await self._ask(look)

    async def aliases(self, account: AccountId) -> tuple[AccountId, ...]:
        def look(connection: sqlite3.Connection) -> tuple[AccountId, ...]:
            log = Contents(connection, self._unfolded).log(account)
            if log is None or log.account != account:
                return ()
            rows = connection.execute(_SQL["aliases"], (log.log,)).fetchall()
            return tuple(AccountId(alias) for alias, _ in rows)

        return await self._ask(look)

    async def standing(self, account: AccountId) -> Standing | None:
        def look(connection: sqlite3.Connection) -> Standing | None:
            register = SqliteRegister(connection, self._unfolded)
            home = register.home(account)
            return None if home is None else register.person(home).standing

        return await self._ask(look)

    async def stand(self, account: AccountId, standing: Standing) -> tuple[DeviceId, ...] | None:
        def stand(connection: sqlite3.Connection) -> tuple[DeviceId, ...] | None:
            register = SqliteRegister(connection, self._unfolded)
            home = register.home(account)
            if home is None:
                return None
            register.stand(home, standing)
            gone = standing is Standing.GONE
            return _sign_out(connection, home, None, None) if gone else ()

        return await self._write(lambda connection: transact(connection, stand))

    async def subjects(self, account: AccountId) -> list[SubjectFacts]:
        return await self._ask(lambda connection: _subjects(connection, account))

    async def find(self, subject: Subject) -> AccountId | None:
        return await self._ask(
            lambda connection: SqliteRegister(connection, self._unfolded).whose(subject)
        )

    async def sealed_key(self, device: DeviceId) -> SealedKey | None:
        def look(connection: sqlite3.Connection) -> SealedKey | None:
            row = connection.execute(_SQL["sealed_key"], (device,)).fetchone()
            if row is None:
                return None
            account, issuer, name, sealed = row
            return SealedKey(account, Subject(issuer, name), sealed)

        return await self._ask(look)

    async def pending(self) -> list[PendingUnion]:
        def look(connection: sqlite3.Connection) -> list[PendingUnion]:
            return [
                PendingUnion(
                    account, Subject(issuer, name), _union(platform, linked), Union(platform, given)
                )
                for account, issuer, name, platform, linked, given in connection.execute(
                    _SQL["pending"]
                )
            ]

        return await self._ask(look)

    async def remap(self, platform: str, changes: Sequence[Remap]) -> Remapped:
        def remap(connection: sqlite3.Connection) -> Remapped:
            known = {name for (name,) in connection.execute(_SQL["unionids"], (platform,))}
            moved, unknown, taken = signing_in.remapped(changes, known)
            rows = [(change.new, platform, change.old) for change in moved]
            connection.executemany(_SQL["remap"], rows)
            SqliteRegister(connection, self._unfolded).settle_pending()
            return Remapped(len(moved), unknown, taken)

        return await self._write(lambda connection: transact(connection, remap))

    # ------------------------------------------------------------ transactions

    async def _change(self, procedure: Callable[[SqliteRegister], Result]) -> Result:
        def change(connection: sqlite3.Connection) -> Result:
            self._insist_on_room()
            register = SqliteRegister(connection, self._unfolded)

            def run(within: sqlite3.Connection) -> Result:
                result = procedure(register)
                register.write()
                return result

            try:
                result = transact(connection, run)
            except BaseException:
                register.abandoned()
                raise
            register.committed()
            return result

        return await self._write(change)

    async def _ask(self, question: Callable[[sqlite3.Connection], Result]) -> Result:
        return await self._read(lambda connection: snapshot(connection, question))


def _sign_out(
    connection: sqlite3.Connection,
    account: AccountId,
    keep: DeviceId | None,
    only: DeviceId | None,
) -> tuple[DeviceId, ...]:
    register = SqliteRegister(connection, Unfolded())
    if register.home(account) is None:
        return ()
    ending = [
        each.device
        for each in register.devices_of(account)
        if not each.revoked
        and each.ended is None
        and each.device != keep
        and only in (None, each.device)
    ]
    for device in ending:
        register.end_device(device, errors.SIGNED_OUT)
    return tuple(ending)


def _subjects(connection: sqlite3.Connection, account: AccountId) -> list[SubjectFacts]:
    log = Contents(connection, Unfolded()).log(account)
    if log is None:
        return []
    return [
        SubjectFacts(Subject(issuer, name), _union(platform, linked), _union(platform, pending))
        for issuer, name, platform, linked, pending in connection.execute(
            _SQL["subjects_of"], (log.log,)
        )
    ]


def _ending(revoked: int | None, ended: str | None) -> Refusal:
    if revoked is None or revoked:
        return errors.DEVICE_REVOKED
    return ending(ended) or errors.TOKEN_ROTATED


def _union(platform: Any, unionid: Any) -> Union | None:
    return None if platform is None or unionid is None else Union(platform, unionid)
