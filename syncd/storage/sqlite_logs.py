"""Reading and trimming logs in SQLite: synchronous functions over a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from syncd import chain
from syncd.model import AccountId, Chain, Link, Page, ReadRequest, Seq
from syncd.storage import UNKNOWN_EPOCH
from syncd.storage.queries import load
from syncd.storage.sqlite_commit import LogRow, find_log
from syncd.storage.transaction import damaged, snapshot, transact

_SQL = load("sqlite")


def read_pages(connection: sqlite3.Connection, requests: Sequence[ReadRequest]) -> list[Page]:
    """What the door's `read` promises, all pages from one snapshot."""
    return snapshot(
        connection, lambda within: [_read_page(within, request) for request in requests]
    )


def _read_page(connection: sqlite3.Connection, request: ReadRequest) -> Page:
    log = find_log(connection, request.account)
    if log is None:
        log = LogRow(0, request.account, UNKNOWN_EPOCH, 0, chain.GENESIS, 0, chain.GENESIS)
    floor_chain = chain.shown(log.floor_link)
    to, at, size = request.after, floor_chain, 0
    pieces: list[bytes] = []
    if log.floor <= request.after < log.head:
        rows = connection.execute(_SQL["entries_after"], (log.log, request.after))
        for seq, shown, header, body in rows:
            size += len(header) + len(body)
            if pieces and size > request.bytes_max:
                break
            if seq != to + 1:
                raise damaged(log.account, f"entry {to + 1} is missing")
            to, at = seq, shown
            pieces += (header, body)
        else:
            if to != log.head:
                raise damaged(log.account, f"entry {to + 1} is missing")
        rows.close()
    return Page(log.epoch, log.floor, floor_chain, log.head, to, Chain(at), b"".join(pieces))


def read_heads(
    connection: sqlite3.Connection, accounts: Sequence[AccountId]
) -> dict[AccountId, Seq]:
    """What the door's `heads` promises."""
    return snapshot(
        connection,
        lambda within: dict(within.execute(_SQL["heads"], (json.dumps(accounts),)).fetchall()),
    )


def trim_log(connection: sqlite3.Connection, account: AccountId, before: Seq) -> Seq:
    """What the door's `trim` promises. Walks the chain over what is dropped, to keep its end."""
    return transact(connection, lambda within: _trim(within, account, before))


def _trim(connection: sqlite3.Connection, account: AccountId, before: Seq) -> Seq:
    log = find_log(connection, account)
    if log is None:
        raise KeyError(account)
    floor = min(before - 1, log.head)
    if floor <= log.floor:
        return log.floor
    seq, link = log.floor, log.floor_link
    for found, shown, header, body_hash in connection.execute(
        _SQL["links_until"], (log.log, floor)
    ):
        seq, link = seq + 1, chain.link(link, seq + 1, header, body_hash)
        if found != seq or shown != chain.shown(link):
            raise damaged(account, f"entry {seq} does not continue the chain")
    if seq != floor:
        raise damaged(account, f"entry {seq + 1} is missing")
    connection.execute(_SQL["drop_entries"], (log.log, floor))
    connection.execute(_SQL["trim_log"], (floor, Link(link), log.log))
    return floor
