"""Accounts, devices and API keys in SQLite: synchronous functions over a connection.

Each does what the door's method of the same name promises, where nothing else is said.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

from syncd import chain
from syncd.model import EPOCH_BYTES, AccountId, CursorScope, Device, DeviceId
from syncd.storage.contents import Contents
from syncd.storage.cursors import cursor_key
from syncd.storage.queries import load
from syncd.storage.register import ending
from syncd.storage.transaction import believing, snapshot, transact
from syncd.storage.unfolded import Unfolded

_SQL = load("sqlite")

Result = TypeVar("Result")


def create_account(
    connection: sqlite3.Connection, account: AccountId, draw: Callable[[int], bytes] = os.urandom
) -> bool:
    """`draw` gives the random bytes of the epoch."""

    def create(within: sqlite3.Connection) -> bool:
        row = (account, draw(EPOCH_BYTES), chain.GENESIS, chain.GENESIS)
        return within.execute(_SQL["create_log"], row).rowcount == 1

    return transact(connection, create)


def create_device(
    connection: sqlite3.Connection,
    account: AccountId,
    device: DeviceId,
    name: str,
    platform: str,
    *,
    token_hash: bytes,
) -> None:
    def create(within: sqlite3.Connection) -> None:
        log = Contents(within, Unfolded()).log(account)
        if log is None:
            raise KeyError(account)
        _insist(within, "create_device", (device, log.log, name, platform, token_hash), device)

    transact(connection, create)


def devices_by_token(
    connection: sqlite3.Connection,
    unfolded: Unfolded,
    scope: CursorScope,
    token_hashes: Sequence[bytes],
) -> list[Device | None]:
    """For each of the hashes what the door's `device_by_token` promises."""

    def read(within: sqlite3.Connection) -> list[Device | None]:
        contents = Contents(within, unfolded)
        found = [_seen(contents, within, scope, ("device_by_token", each)) for each in token_hashes]
        return [devices[0] if devices else None for devices in found]

    return _steady(connection, unfolded, read)


def devices(
    connection: sqlite3.Connection, unfolded: Unfolded, scope: CursorScope, account: AccountId
) -> list[Device]:
    def read(within: sqlite3.Connection) -> list[Device]:
        contents = Contents(within, unfolded)
        log = contents.log(account)
        return [] if log is None else _seen(contents, within, scope, ("devices", log.account))

    return _steady(connection, unfolded, read)


def change_credential(
    connection: sqlite3.Connection,
    unfolded: Unfolded,
    scope: CursorScope,
    device: DeviceId,
    token_hash: bytes | None,
) -> Device:
    def change(within: sqlite3.Connection) -> Device:
        if token_hash is None:
            within.execute(_SQL["revoke"], (device,))
        else:
            _insist(within, "rotate_token", (token_hash, device), device)
        found = _seen(Contents(within, unfolded), within, scope, ("device", device))
        if not found:
            raise KeyError(device)
        return found[0]

    with believing():
        return transact(connection, change)


def add_key(connection: sqlite3.Connection, name: str, key_hash: bytes) -> None:
    transact(connection, lambda within: _insist(within, "add_key", (name, key_hash), name))


def key_name(connection: sqlite3.Connection, key_hash: bytes) -> str | None:
    row = snapshot(
        connection, lambda within: within.execute(_SQL["key_name"], (key_hash,)).fetchone()
    )
    return None if row is None else str(row[0])


def _insist(
    connection: sqlite3.Connection, query: str, parameters: tuple[object, ...], key: str
) -> None:
    """Run `query`; what must be unique and is taken is a KeyError of `key`."""
    try:
        connection.execute(_SQL[query], parameters)
    except sqlite3.IntegrityError as error:
        raise KeyError(key) from error


def _steady(
    connection: sqlite3.Connection,
    unfolded: Unfolded,
    read: Callable[[sqlite3.Connection], Result],
) -> Result:
    """Read a snapshot beside what a fold may be moving into it; once more where it did."""
    while True:
        steps = unfolded.steps
        with believing():
            found = snapshot(connection, read)
        if unfolded.steps == steps:
            return found


def _seen(
    contents: Contents,
    connection: sqlite3.Connection,
    scope: CursorScope,
    question: tuple[str, str | bytes],
) -> list[Device]:
    """The devices that a query finds by its parameter, each with its cursor under the scope's
    key."""
    query, parameter = question
    found = []
    for row in connection.execute(_SQL[query], (parameter,)).fetchall():
        device, account, name, platform, credential, generation, sent, revoked, *log = row
        epoch, head, verdict, ended = log
        saved = contents.cursor(cursor_key(scope, device, account, platform))
        cursor = saved[1] if saved and saved[0] == epoch else 0
        found.append(
            Device(
                device=device,
                account=account,
                name=name,
                platform=platform,
                credential=credential,
                generation=generation,
                sent=contents.sent(device, sent),
                revoked=bool(revoked),
                epoch=epoch,
                cursor=cursor,
                head=contents.head(account, head),
                verdict=verdict,
                ended=ending(ended),
            )
        )
    return found
