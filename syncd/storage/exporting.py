"""Writes one account as a stream (transfer.py), from one snapshot, in constant memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from syncd import chain
from syncd.limits import BATCH_BYTES_MAX, REMEMBERED_MESSAGES
from syncd.model import AccountId, CursorScope, DeviceId
from syncd.storage.contents import Contents
from syncd.storage.cursors import cursor_key
from syncd.storage.database_file import Progress
from syncd.storage.folding import load as load_journal
from syncd.storage.queries import load
from syncd.storage.sent_runs import seq_in
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
from syncd.storage.unfolded import LogRow

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
    contents = Contents(connection, load_journal(connection))
    log = contents.own_log(account)
    if log is None:
        raise KeyError(account)
    digest = blake2b(digest_size=32)
    entries = devices = 0
    for record in _records(connection, contents, log):
        piece = framed(record)
        digest.update(piece)
        write(piece)
        if isinstance(record, Entries):
            entries += len(record.entries)
            told(entries, log.head - log.floor)
        devices += isinstance(record, DeviceRecord)
    write(framed(End(entries, devices, log.head_link, digest.digest())))
    return Exported(entries, devices)


def _records(connection: sqlite3.Connection, contents: Contents, log: LogRow) -> Iterator[Record]:
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
    yield from _entries(contents, log)
    yield from _devices(connection, contents, log)
    marks = connection.execute(_SQL["marks"], (log.log,))
    while found := marks.fetchmany(_MARKS_TOGETHER):
        yield Marks(found)


def _entries(contents: Contents, log: LogRow) -> Iterator[Entries]:
    """All entries, many at a time. Looks at each: what is damaged must not be taken for a copy."""
    seq, link = log.floor, log.floor_link
    erased = contents.erased_hashes(log)
    chunk: list[tuple[int, bytes, bytes, bytes]] = []
    size = 0
    for run in contents.runs(log, log.floor):
        for entry in run.walk():
            seq, header, body = entry.seq, entry.header, entry.body
            body_hash = contents.body_hash(log, entry, erased)
            link = chain.link(link, seq, header, body_hash)
            if chain.shown(link) != entry.stamp.chain:
                raise damaged(log.account, f"entry {seq} does not continue the chain")
            if chunk and size + entry.stamp.size > BATCH_BYTES_MAX:
                yield Entries(chunk)
                chunk, size = [], 0
            chunk.append((seq, header, body_hash, body))
            size += entry.stamp.size
    if chunk:
        yield Entries(chunk)
    if (seq, link) != (log.head, log.head_link):
        raise damaged(log.account, "its chain does not lead to its head")


def _devices(
    connection: sqlite3.Connection, contents: Contents, log: LogRow
) -> Iterator[DeviceRecord]:
    (scope,) = connection.execute(_SQL["meta"], ("cursor_scope",)).fetchone()
    found = connection.execute(_SQL["export_devices"], (log.log,)).fetchall()
    for device, name, platform, token_hash, *counted in found:
        credential, generation, revoked, sent, accepted, secret_hash, ended = counted
        key = cursor_key(CursorScope(scope), DeviceId(device), log.account, platform)
        answers = contents.answered(DeviceId(device), REMEMBERED_MESSAGES)
        yield DeviceRecord(
            device=device,
            name=name,
            platform=platform,
            token_hash=token_hash,
            credential=credential,
            generation=generation,
            revoked=bool(revoked),
            sent=contents.sent(DeviceId(device), sent),
            accepted=accepted + contents.unfolded_answers(DeviceId(device)),
            cursor=contents.cursor(key),
            answers=[
                (number, seq_in(item.places, log.log) or 0, item.content)
                for number, item in answers.items()
            ],
            secret_hash=secret_hash,
            ended=ended,
        )
