"""Reading and trimming logs in SQLite: synchronous functions over a connection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import suppress

from syncd import chain, checksum, heading
from syncd.membership import Members, Role
from syncd.model import (
    AccountId,
    Chain,
    ConversationId,
    DeviceId,
    Link,
    Page,
    ReadRequest,
    Seq,
)
from syncd.storage import UNKNOWN_EPOCH, Damaged
from syncd.storage.contents import Contents
from syncd.storage.pages import Run, drop_body_hashes, drop_until, runs
from syncd.storage.queries import load
from syncd.storage.sent_runs import drop_items
from syncd.storage.transaction import CHANGED, damaged, definite, snapshot, transact
from syncd.storage.unfolded import LogRow, Tail, Unfolded

_SQL = load("sqlite")


def recent_page(unfolded: Unfolded, request: ReadRequest) -> Page | None:
    """A page from memory alone, for any thread; None where the newest entries do not suffice."""
    log, tail = unfolded.rows.get(request.account), unfolded.tails.get(request.account)
    after = request.after
    if log is None or tail is None or after < tail.first - 1:
        return None
    head, floor_chain = tail.head, chain.shown(log.floor_link)
    if after >= head:
        return Page(log.epoch, log.floor, floor_chain, head, after, floor_chain, b"")
    pieces = tail.some(after, head, request.bytes_max)
    to = after + len(pieces)
    at = tail.stamp(to).chain
    return Page(log.epoch, log.floor, floor_chain, head, to, at, b"".join(pieces))


def read_pages(
    connection: sqlite3.Connection, unfolded: Unfolded, requests: Sequence[ReadRequest]
) -> list[Page]:
    """What the door's `read` promises, all pages from one snapshot."""
    # Before the snapshot: what a tail does not hold any more is in its pages then.
    tails = [unfolded.tails.get(request.account) for request in requests]
    return snapshot(
        connection,
        lambda within: [
            _page_or_damage(within, tail, request)
            for tail, request in zip(tails, requests, strict=True)
        ],
    )


def _page_or_damage(
    connection: sqlite3.Connection, tail: Tail | None, request: ReadRequest
) -> Page:
    try:
        return _read_page(connection, tail, request)
    except CHANGED as error:
        raise damaged(request.account, f"a row does not hold what was stored: {error}") from error
    except sqlite3.Error as error:
        meant = definite(error)
        if isinstance(meant, Damaged):
            meant = damaged(request.account, str(error))
        raise meant from error


def _read_page(connection: sqlite3.Connection, tail: Tail | None, request: ReadRequest) -> Page:
    row = connection.execute(_SQL["log"], (request.account,)).fetchone()
    if row is None:
        log = LogRow(0, request.account, UNKNOWN_EPOCH, 0, chain.GENESIS, 0, chain.GENESIS, 0, 0)
    else:
        log = LogRow(*row)
    head = log.head if tail is None else max(log.head, tail.head)
    after, floor_chain = request.after, chain.shown(log.floor_link)
    if not log.floor <= after < head:
        return Page(log.epoch, log.floor, floor_chain, head, after, floor_chain, b"")
    # Where folds came between the tail and the snapshot the log may go on behind the tail's end.
    if tail is not None and tail.first - 1 <= after < tail.head:
        pieces = tail.some(after, min(head, tail.head), request.bytes_max)
        to = after + len(pieces)
        at = tail.stamp(to).chain
    else:
        to, at, pieces = _folded(connection, log, request)
        room = request.bytes_max - sum(map(len, pieces))
        if tail is not None and tail.first - 1 <= to < min(head, tail.head):
            rest = tail.some(to, min(head, tail.head), room)
            if len(rest[0]) <= room:
                pieces += rest
                to += len(rest)
                at = tail.stamp(to).chain
    return Page(log.epoch, log.floor, floor_chain, head, to, at, b"".join(pieces))


def _folded(
    connection: sqlite3.Connection, log: LogRow, request: ReadRequest
) -> tuple[Seq, Chain, list[bytes]]:
    """What pages hold of it."""
    pieces: list[bytes] = []
    to, room = request.after, request.bytes_max
    shown = chain.shown(log.floor_link)
    for run in runs(connection, log.log, request.after):
        if pieces and len(run.entries) > room and run.stamp(run.first).size > room:
            break
        part = run.upto(room)
        if part.first != to + 1:
            raise damaged(log.account, f"entry {to + 1} is missing")
        if not part.is_whole():
            _look_at_each(log, part)
        pieces.append(part.entries)
        to, shown = part.last, part.stamp(part.last).chain
        room -= len(part.entries)
        if room <= 0 or part.last != run.last:
            break
    if not pieces:
        raise damaged(log.account, f"entry {to + 1} is missing")
    return to, shown, pieces


def _look_at_each(log: LogRow, run: Run) -> None:
    """What a run is that its checksum as a whole does not confirm: it holds erased entries, after
    which the checksum begins anew, or damage. Names the first damaged entry, the same from wherever
    one reads, so that one damage is told as one."""
    seq = run.first_damaged()
    if seq is not None:
        raise damaged(log.account, f"the checksum at or before entry {seq} does not fit")


def read_heads(
    connection: sqlite3.Connection, unfolded: Unfolded, accounts: Sequence[AccountId]
) -> dict[AccountId, Seq]:
    """What the door's `heads` promises."""
    tails = [(account, unfolded.tails.get(account)) for account in accounts]
    recent = {account: tail.head for account, tail in tails if tail is not None}
    rest = json.dumps([account for account in accounts if account not in recent])
    if len(recent) < len(accounts):
        recent.update(
            snapshot(connection, lambda within: within.execute(_SQL["heads"], (rest,)).fetchall())
        )
    return recent


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


def trim_log(
    connection: sqlite3.Connection, account: AccountId, before: Seq, remembered: int
) -> Seq:
    """What the door's `trim` promises, of a store whose pages hold everything. Walks the chain over
    what is dropped, to keep its end. remembered: how many answers a device's retries may need."""
    try:
        return transact(connection, lambda within: _trim(within, account, before, remembered))
    except CHANGED as error:
        raise damaged(account, f"a row does not hold what was stored: {error}") from error


def _trim(connection: sqlite3.Connection, account: AccountId, before: Seq, remembered: int) -> Seq:
    contents = Contents(connection, Unfolded())
    log = contents.own_log(account)
    if log is None:
        raise KeyError(account)
    floor = min(before - 1, log.head)
    if floor <= log.floor:
        return log.floor
    link, senders = _walk_until(contents, log, floor)
    stamp = contents.stamp_at(log, floor)
    assert stamp is not None, "it was walked over"
    drop_until(connection, log.log, floor)
    drop_body_hashes(connection, log.log, floor)
    ended = checksum.opened(stamp.sealed, stamp.chain)
    connection.execute(_SQL["trim_log"], (floor, link, ended, log.log))
    own = [DeviceId(device) for (device,) in connection.execute(_SQL["devices_of"], (log.log,))]
    for device in (*own, *senders):
        drop_items(connection, device, remembered)
    return floor


def _walk_until(contents: Contents, log: LogRow, floor: Seq) -> tuple[Link, set[DeviceId]]:
    """The link at the new floor, and who sent what is dropped without being a device. Raises
    StorageError where the chain does not hold."""
    seq, link = log.floor, log.floor_link
    erased, senders = contents.erased_hashes(log), set()
    for run in contents.runs(log, log.floor):
        for entry in run.walk():
            seq = entry.seq
            link = chain.link(link, seq, entry.header, contents.body_hash(log, entry, erased))
            if entry.stamp.chain != chain.shown(link):
                raise damaged(log.account, f"entry {seq} does not continue the chain")
            with suppress(ValueError):  # a header that nobody can read names nobody
                senders.add(heading.unpack(entry.header).device)
            if seq == floor:
                return link, {each for each in senders if not contents.is_a_device(each)}
    raise damaged(log.account, f"entry {seq + 1} is missing")
