"""A store in files with something of everything in it, made through the door with real entries."""

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from syncd import chain, heading
from syncd.heading import Heading
from syncd.membership import Action, Change
from syncd.model import (
    Accepted,
    AccountId,
    ConversationId,
    CursorMark,
    DeviceId,
    Draft,
    Identity,
    Intent,
    Kind,
    ReadRequest,
    Record,
    Submission,
    Work,
    direct,
)
from syncd.storage import Storage
from syncd.storage.database_file import DATABASE_NAME
from syncd.storage.sqlite import open_sqlite

from .works import ALICE, BOB, LAPTOP, PHONE, populate

GROUP = ConversationId("friends")
TALK = direct(ALICE, BOB)
TAKEN_MS = 1_700_000_000_000


def draft(
    number: int,
    body: bytes,
    *,
    kind: Kind = Kind.MESSAGE,
    conversation: ConversationId = TALK,
    target: Identity | None = None,
    change: Change | None = None,
    sender: tuple[AccountId, DeviceId] = (ALICE, PHONE),
) -> Draft:
    account, device = sender
    shown = Heading(int(kind), conversation, account, device, number, target, TAKEN_MS + number)
    encoded = b"\xc5" + len(body).to_bytes(2, "big") + body  # MessagePack's bin 16
    record = Record(heading.pack(shown), encoded, chain.hash_of(encoded))
    intent = Intent(kind, conversation, target, change)
    return Draft(account, device, number, chain.hash_of(record.header + body)[:16], intent, record)


async def send(storage: Storage, *drafts: Draft) -> None:
    """Every draft is accepted."""
    work = Work(submissions=tuple(Submission(each.device, 0, (each,)) for each in drafts))
    done = await storage.commit(work)
    for answered in done.submissions:
        assert isinstance(answered, tuple), answered
        assert all(isinstance(outcome, Accepted) for outcome in answered), answered


async def fill(storage: Storage) -> None:
    """Messages both ways, an edit, a group, a mark, a cursor, a trimmed log, an erased body."""
    await populate(storage)
    bobs = (BOB, LAPTOP)
    create = Change(Action.CREATE, (ALICE, BOB))
    await send(storage, *(draft(number, b"message %d" % number) for number in range(1, 9)))
    await send(storage, draft(9, b"create", kind=Kind.SYSTEM, conversation=GROUP, change=create))
    await send(storage, draft(10, b"to all", conversation=GROUP), draft(1, b"back", sender=bobs))
    await send(storage, draft(11, b"better", kind=Kind.EDIT, target=Identity(PHONE, 7)))
    await send(storage, draft(2, b"", kind=Kind.READ, target=Identity(PHONE, 8), sender=bobs))
    await send(storage, draft(12, b"long " * 2_000), draft(13, b"last"))
    [page] = await storage.read([ReadRequest(ALICE, 0, 1)])
    await storage.commit(Work(cursors=(CursorMark(ALICE, PHONE, 0, page.epoch, 5),)))
    await storage.trim(ALICE, 4)
    await storage.erase(ALICE, 6)


def make_store(folder: Path, make: Callable[[Storage], Awaitable[None]] = fill) -> Path:
    """A store in `folder`, closed; its database file."""

    async def run() -> None:
        storage = await open_sqlite(folder)
        try:
            await make(storage)
        finally:
            await storage.close()

    asyncio.run(run())
    return folder / DATABASE_NAME


async def unfolded(storage: Storage) -> None:
    """Something of everything, and behind it what only the journal knows: messages, answers and a
    cursor. Trimming and erasing had folded what was there before."""
    await fill(storage)
    await send(storage, draft(14, b"unfolded"), draft(3, b"too", sender=(BOB, LAPTOP)))
    await send(storage, draft(15, b"to all again", conversation=GROUP))
    [page] = await storage.read([ReadRequest(ALICE, 3, 1)])
    await storage.commit(Work(cursors=(CursorMark(ALICE, PHONE, 0, page.epoch, 15),)))


def killed_store(folder: Path) -> Path:
    """The files that a process left that was killed; its database file."""
    folder.mkdir()

    async def run() -> None:
        storage = await open_sqlite(folder / "living")
        await unfolded(storage)
        with closing(sqlite3.connect(folder / "living" / DATABASE_NAME)) as connection:
            assert connection.execute("SELECT count(*) FROM journal").fetchone() == (3,)
        for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal"):
            shutil.copy(folder / "living" / name, folder / name)
        await storage.close()

    asyncio.run(run())
    shutil.rmtree(folder / "living")
    return folder / DATABASE_NAME


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in the folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def served(folder: Path, *accounts: AccountId) -> list[tuple[int, int, bytes]]:
    """What a server would serve of these logs: floor, head, bytes. Raises what it would raise."""

    async def run() -> list[tuple[int, int, bytes]]:
        storage = await open_sqlite(folder)
        try:
            floors = await storage.read([ReadRequest(each, 0, 1) for each in accounts])
            requests = [
                ReadRequest(each, page.floor, 10_000_000)
                for each, page in zip(accounts, floors, strict=True)
            ]
            pages = await storage.read(requests)
            return [(page.floor, page.head, page.entries) for page in pages]
        finally:
            await storage.close()

    return asyncio.run(run())
