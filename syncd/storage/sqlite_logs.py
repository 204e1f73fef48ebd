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
    floor_chain = chain.shown(log.floor_link)
    to, at, size = request.after, floor_chain, 0
    pieces: list[bytes] = []
    if log.floor <= request.after < log.head:
        # The running checksum at the start of what is not verified yet, and where that is.
        begun, verified = _sum_at(connection, log, request.after), 0
        sealed = checksum.sealed(begun, Chain(at))
        rows = connection.execute(_SQL["entries_after"], (log.log, request.after))
        for seq, shown, sealed_here, header, body in rows:
            size += len(header) + len(body)
            if pieces and size > request.bytes_max:
                break
            if seq != to + 1:
                raise damaged(log.account, f"entry {to + 1} is missing")
            if body == ERASED:
                ended = checksum.opened(sealed, Chain(at))
                _verify(connection, log, request.after, pieces[verified:], begun, ended)
                begun, verified = checksum.opened(sealed_here, shown), len(pieces) + 2
            to, at, sealed = seq, shown, sealed_here
            pieces += (header, body)
        else:
            if to != log.head:
                raise damaged(log.account, f"entry {to + 1} is missing")
        rows.close()
        ended = checksum.opened(sealed, Chain(at))
        _verify(connection, log, request.after, pieces[verified:], begun, ended)
    return Page(log.epoch, log.floor, floor_chain, log.head, to, Chain(at), b"".join(pieces))


def _sum_at(connection: sqlite3.Connection, log: LogRow, seq: Seq) -> int:
    if seq == log.floor:
        return log.floor_sum
    row = connection.execute(_SQL["sum_at"], (log.log, seq)).fetchone()
    if row is None:
        raise damaged(log.account, f"entry {seq} is missing")
    return checksum.opened(*row)


def _verify(
    connection: sqlite3.Connection,
    log: LogRow,
    after: Seq,
    pieces: list[bytes],
    begun: int,
    ended: int,
) -> None:
    if checksum.extend(begun, b"".join(pieces)) != ended:
        seq = _misfit(connection, log, after)
        raise damaged(log.account, f"the checksum at or before entry {seq} does not fit")


def _misfit(connection: sqlite3.Connection, log: LogRow, after: Seq) -> Seq:
    """The first entry that does not continue the checksum: the same from wherever one reads, so
    that one damage is told as one."""
    running = _sum_at(connection, log, after)
    for seq, shown, sealed, header, body in connection.execute(
        _SQL["entries_after"], (log.log, after)
    ):
        ended = checksum.opened(sealed, shown)
        if body != ERASED and checksum.extend(running, header + body) != ended:
            return int(seq)
        running = ended
    return after


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
    floor_sum = _sum_at(connection, log, floor)
    (arrival,) = connection.execute(_SQL["last_arrival"]).fetchone()
    connection.execute(_SQL["save_meta"], ("trimmed_at", str(arrival)))
    connection.execute(_SQL["drop_entries"], (log.log, floor))
    connection.execute(_SQL["trim_log"], (floor, Link(link), floor_sum, log.log))
    return floor
