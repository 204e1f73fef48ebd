"""Reading and trimming logs in SQLite: synchronous functions over a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from syncd import chain, checksum
from syncd.heading import ERASED
from syncd.membership import Members, Role
from syncd.model import AccountId, Chain, ConversationId, Link, Page, ReadRequest, Seq
from syncd.storage import UNKNOWN_EPOCH
from syncd.storage.queries import load
from syncd.storage.sqlite_book import LogRow, find_log
from syncd.storage.transaction import damaged, snapshot, transact

_SQL = load("sqlite")
_PRIMARY_CODE = 0xFF  # of an extended error code


def read_pages(connection: sqlite3.Connection, requests: Sequence[ReadRequest]) -> list[Page]:
    """What the door's `read` promises, all pages from one snapshot."""
    return snapshot(
        connection, lambda within: [_page_or_damage(within, request) for request in requests]
    )


def _page_or_damage(connection: sqlite3.Connection, request: ReadRequest) -> Page:
    try:
        return _read_page(connection, request)
    except (TypeError, ValueError, OverflowError) as error:
        # A flipped bit in a row's own description changes the type or the size of a value.
        raise damaged(request.account, f"a row does not hold what was stored: {error}") from error
    except sqlite3.DatabaseError as error:
        # What Python itself cannot read of a row has no code of SQLite's.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        if code & _PRIMARY_CODE != sqlite3.SQLITE_CORRUPT:
            raise
        raise damaged(request.account, str(error)) from error


def _read_page(connection: sqlite3.Connection, request: ReadRequest) -> Page:
    log = find_log(connection, request.account)
    if log is None:
        log = LogRow(0, request.account, UNKNOWN_EPOCH, 0, chain.GENESIS, 0, chain.GENESIS, 0, 0)
    after, floor_chain = request.after, chain.shown(log.floor_link)
    if not log.floor <= after < log.head:
        return Page(log.epoch, log.floor, floor_chain, log.head, after, floor_chain, b"")
    to, size = after, 0
    pieces: list[bytes] = []
    rows = connection.execute(_SQL["page"], (log.log, after))
    for seq, encoded in rows:
        size += len(encoded)
        if size > request.bytes_max and pieces:
            break
        pieces.append(encoded)
        to = seq
    else:
        _require(log, to == log.head, to + 1)
    rows.close()
    entries = b"".join(pieces)
    ended, at = _sum_at(connection, log, to)
    whole = checksum.extend(_sum_at(connection, log, after)[0], entries) == ended
    if not whole or to - after != len(pieces):
        _look_at_each(connection, log, after, to)
    return Page(log.epoch, log.floor, floor_chain, log.head, to, at, entries)


def _sum_at(connection: sqlite3.Connection, log: LogRow, seq: Seq) -> tuple[int, Chain]:
    """The running checksum at `seq`, and the chain that it seals."""
    if seq == log.floor:
        return log.floor_sum, chain.shown(log.floor_link)
    row = connection.execute(_SQL["sum_at"], (log.log, seq)).fetchone()
    _require(log, row is not None, seq)
    return checksum.opened(*row), row[1]


def _require(log: LogRow, there: bool, seq: Seq) -> None:
    if not there:
        raise damaged(log.account, f"entry {seq} is missing")


def _look_at_each(connection: sqlite3.Connection, log: LogRow, after: Seq, to: Seq) -> None:
    """What a page is that its checksum as a whole does not confirm: it holds erased entries, after
    which the checksum begins anew, or damage. Names the first damaged entry, the same from wherever
    one reads, so that one damage is told as one."""
    seq, running = after, _sum_at(connection, log, after)[0]
    for here, shown, sealed, header, body in connection.execute(
        _SQL["entries_between"], (log.log, after, to)
    ):
        _require(log, here == seq + 1, seq + 1)
        seq, ended = here, checksum.opened(sealed, shown)
        if body != ERASED and checksum.extend(running, header + body) != ended:
            raise damaged(log.account, f"the checksum at or before entry {seq} does not fit")
        running = ended
    _require(log, seq == to, seq + 1)


def read_heads(
    connection: sqlite3.Connection, accounts: Sequence[AccountId]
) -> dict[AccountId, Seq]:
    """What the door's `heads` promises."""
    return snapshot(
        connection,
        lambda within: dict(within.execute(_SQL["heads"], (json.dumps(accounts),)).fetchall()),
    )


def read_members(connection: sqlite3.Connection, conversation: ConversationId) -> Members | None:
    """What the door's `members` promises."""

    def read(within: sqlite3.Connection) -> Members | None:
        group = within.execute(_SQL["group"], (conversation,)).fetchone()
        if group is None:
            return None
        return {
            AccountId(account): Role.OWNER if owner else Role.MEMBER
            for account, owner in within.execute(_SQL["roles"], group)
        }

    return snapshot(connection, read)


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
    floor_sum, _ = _sum_at(connection, log, floor)
    (arrival,) = connection.execute(_SQL["last_arrival"]).fetchone()
    connection.execute(_SQL["save_meta"], ("trimmed_at", str(arrival)))
    connection.execute(_SQL["drop_entries"], (log.log, floor))
    connection.execute(_SQL["trim_log"], (floor, Link(link), floor_sum, log.log))
    return floor
