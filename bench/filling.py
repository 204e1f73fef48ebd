"""Fills a store through the storage door, in a process of its own that dies without closing it.

    python -m bench.filling FOLDER accounts COUNT        accounts account0000000 ... without entries
    python -m bench.filling FOLDER entries COUNT EACH    the same, each with a device; then messages
                                                         of 120 bytes between pairs drawn at random,
                                                         until every log holds EACH on average

Accounts are added by the store's own statement, many in a transaction: over HTTP a million would
take an hour. Messages go through `commit`, 2,048 of as many senders in each. The last line is one
JSON object of what it took.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import sys
from functools import partial
from pathlib import Path
from time import perf_counter

from rich.progress import track

from bench.processes import resident_kib
from bench.raw_client import BODY_BYTES
from syncd import chain
from syncd.model import (
    EPOCH_BYTES,
    AccountId,
    DeviceId,
    Draft,
    Intent,
    Kind,
    Submission,
    Work,
    direct,
)
from syncd.storage.queries import load
from syncd.storage.sqlite import JOURNAL_BYTES_MAX, SqliteStorage, open_sqlite
from syncd.storage.transaction import transact
from syncd.wire.codec import content_of, pack_entry
from syncd.wire.frames import Message

TOGETHER = 2_048
_ACCOUNTS_TOGETHER = 50_000
_TIME_MS = 1_700_000_000_000

_SQL = load("sqlite")
_CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"


def account(place: int) -> AccountId:
    """The name of one of the accounts."""
    return AccountId(f"account{place:07}")


def device(place: int) -> DeviceId:
    """The id of its device."""
    return DeviceId(f"{place + 1:024x}")


def written_bytes(pid: int) -> int:
    """What the process has caused to be written to the disk so far."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


async def add_accounts(storage: SqliteStorage, count: int, *, devices: bool) -> None:
    """Add accounts that the store does not have, each with a device if wanted."""
    for begin in track(range(0, count, _ACCOUNTS_TOGETHER), "accounts"):
        places = range(begin, min(count, begin + _ACCOUNTS_TOGETHER))
        # No public call adds more than one.
        await storage._run(storage._writer, partial(_add, places=places, devices=devices))


def _add(connection: sqlite3.Connection, places: range, devices: bool) -> None:
    ends = (chain.GENESIS, chain.GENESIS)
    logs = [(account(place), os.urandom(EPOCH_BYTES), *ends) for place in places]
    rows = [(device(place), place + 1, "", "pc", os.urandom(32)) for place in places]

    def write(within: sqlite3.Connection) -> None:
        within.executemany(_SQL["create_log"], logs)
        if devices:
            within.executemany(_SQL["create_device"], rows)

    transact(connection, write)


async def add_entries(storage: SqliteStorage, accounts: int, each: int) -> dict[str, float]:
    """Send until every log holds `each` entries on average; what it took."""
    numbers = [0] * accounts
    works = accounts * each // 2 // TOGETHER
    written, seconds, largest = written_bytes(os.getpid()), 0.0, 0
    for _ in track(range(works), "messages"):
        work = _work(numbers)
        begin = perf_counter()
        await storage.commit(work)
        seconds += perf_counter() - begin
        largest = max(largest, storage._unfolded.bytes)
    sends = works * TOGETHER
    resident = resident_kib(os.getpid()) / 1024
    journal = storage._unfolded.bytes
    # What is in the journal will be folded some day: its part of the writing counts, too.
    copy = perf_counter()
    await storage._write_settled(lambda connection: connection.execute(_CHECKPOINT).fetchall())
    settling = perf_counter() - copy
    written, payload = written_bytes(os.getpid()) - written, sends * 2 * BODY_BYTES
    # What a server finds that starts after a kill: a journal that is almost full.
    for _ in track(range(min(works, 200)), "journal"):
        await storage.commit(_work(numbers))
        if storage._unfolded.bytes > 0.9 * JOURNAL_BYTES_MAX:
            break
    return {
        "journal_at_kill_mib": storage._unfolded.bytes / 2**20,
        "sends_per_s": sends / seconds,
        "write_bytes_per_byte": written / payload,
        "journal_mib": largest / 2**20,
        "journal_left_mib": journal / 2**20,
        "settling_s": settling,
        "resident_mib": resident,
    }


def _work(numbers: list[int]) -> Work:
    pairs = [
        (random.randrange(len(numbers)), random.randrange(len(numbers))) for _ in range(TOGETHER)
    ]
    return Work(submissions=tuple(submission(numbers, *pair) for pair in pairs))


def submission(numbers: list[int], sender: int, receiver: int) -> Submission:
    """The next message of one account's device to another account; numbers: each sender's last."""
    numbers[sender] += 1
    conversation = direct(account(sender), account(receiver))
    body = random.randbytes(BODY_BYTES)
    message = Message(numbers[sender], Kind.MESSAGE, conversation, None, body)
    record = pack_entry(message, account(sender), device(sender), _TIME_MS)
    intent = Intent(Kind.MESSAGE, conversation)
    draft = Draft(
        account(sender), device(sender), message.number, content_of(message, record), intent, record
    )
    return Submission(device(sender), 0, (draft,))


async def _fill(folder: Path, what: str, numbers: list[int]) -> dict[str, float]:
    storage = await open_sqlite(folder)
    await add_accounts(storage, numbers[0], devices=what == "entries")
    return {} if what == "accounts" else await add_entries(storage, *numbers)


if __name__ == "__main__":
    folder, what, *rest = sys.argv[1:]
    print(
        json.dumps(asyncio.run(_fill(Path(folder), what, [int(each) for each in rest]))), flush=True
    )
    os._exit(0)  # as a process that is killed: nothing is closed, nothing is folded
