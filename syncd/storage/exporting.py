"""Writes one account as a stream (transfer.py), from one snapshot, in constant memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from syncd import chain, heading
from syncd.limits import BATCH_BYTES_MAX
from syncd.model import AccountId, CursorScope, DeviceId
from syncd.storage.cursors import cursor_key
from syncd.storage.database_file import Progress
from syncd.storage.queries import load
from syncd.storage.sqlite_book import LogRow, find_cursor, find_log
from syncd.storage.transaction import damaged
from syncd.storage.transfer import (
    FORMAT,
    VERSION,
    DeviceRecord,
    End,
    Entries,
    Head,
    Marks,
    Record,
    framed,
)

_SQL = load("sqlite")

_MARKS_TOGETHER = 1_000


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    entries: int
    devices: int


def export_account(
    connection: sqlite3.Connection,
    account: AccountId,
    write: Callable[[bytes], object],
    told: Progress = lambda done, whole: None,
) -> Exported:
    """Write the account to `write`, piece by piece. `connection` is in a snapshot, and only read.

    told: how many entries were written, and of how many.

    Raises KeyError for an unknown account, StorageError where its log is damaged, sqlite3.Error.
    """
    log = find_log(connection, account)
    if log is None:
        raise KeyError(account)
    digest = blake2b(digest_size=32)
    entries = devices = 0
    for record in _records(connection, log):
        piece = framed(record)
        digest.update(piece)
        write(piece)
        if isinstance(record, Entries):
            entries += len(record.entries)
            told(entries, log.head - log.floor)
        devices += isinstance(record, DeviceRecord)
    write(framed(End(entries, devices, log.head_link, digest.digest())))
    return Exported(entries, devices)


def _records(connection: sqlite3.Connection, log: LogRow) -> Iterator[Record]:
    yield Head(
        FORMAT,
        VERSION,
        log.account,
        log.epoch,
        log.floor,
        log.floor_link,
        log.floor_sum,
        log.head,
        log.head_link,
    )
    yield from _entries(connection, log)
    yield from _devices(connection, log)
    marks = connection.execute(_SQL["marks"], (log.log,))
    while found := marks.fetchmany(_MARKS_TOGETHER):
        yield Marks(found)


def _entries(connection: sqlite3.Connection, log: LogRow) -> Iterator[Entries]:
    """All entries, many at a time. Looks at each: what is damaged must not be taken for a copy."""
    seq, link = log.floor, log.floor_link
    chunk: list[tuple[int, bytes, bytes, bytes]] = []
    size = 0
    for found, header, body_hash, body in connection.execute(_SQL["export_entries"], (log.log,)):
        seq, link = seq + 1, chain.link(link, seq + 1, header, body_hash)
        if found != seq:
            raise damaged(log.account, f"entry {seq} is missing")
        if body != heading.ERASED and chain.hash_of(body) != body_hash:
            raise damaged(log.account, f"the body of entry {seq} is not the one that was accepted")
        size += len(header) + len(body)
        if chunk and size > BATCH_BYTES_MAX:
            yield Entries(chunk)
            chunk, size = [], len(header) + len(body)
        chunk.append((seq, header, body_hash, body))
    if chunk:
        yield Entries(chunk)
    if (seq, link) != (log.head, log.head_link):
        raise damaged(log.account, "its chain does not lead to its head")


def _devices(connection: sqlite3.Connection, log: LogRow) -> Iterator[DeviceRecord]:
    (scope,) = connection.execute(_SQL["meta"], ("cursor_scope",)).fetchone()
    found = connection.execute(_SQL["export_devices"], (log.log,)).fetchall()
    for number, device, name, platform, token_hash, *counted in found:
        credential, generation, revoked, sent, accepted, secret_hash, ended = counted
        key = cursor_key(CursorScope(scope), DeviceId(device), log.account, platform)
        yield DeviceRecord(
            device=device,
            name=name,
            platform=platform,
            token_hash=token_hash,
            credential=credential,
            generation=generation,
            revoked=bool(revoked),
            sent=sent,
            accepted=accepted,
            cursor=find_cursor(connection, key),
            answers=connection.execute(_SQL["remembered"], (number,)).fetchall(),
            secret_hash=secret_hash,
            ended=ended,
        )
