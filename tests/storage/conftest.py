"""Fixtures: every backend behind the one door."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from syncd.limits import REMEMBERED_MESSAGES
from syncd.model import AccountId, CursorScope, Epoch
from syncd.storage import Storage, unfolded
from syncd.storage.memory import MemoryStorage
from syncd.storage.sqlite import JOURNAL_BYTES_MAX, SqliteStorage, open_sqlite

from .works import populate

OpenBackend = Callable[..., Awaitable[Storage]]
RenewEpoch = Callable[[Storage, AccountId, Epoch], Awaitable[None]]


@pytest.fixture(scope="package", autouse=True)
def marked_tails() -> Iterator[None]:
    """Tails of tests are short: with a mark after every transaction they are folded in parts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unfolded, "MARKED_ENTRIES", 1)
        yield


@pytest.fixture(params=["memory", "sqlite", "sqlite-folding"])
async def open_backend(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[OpenBackend]:
    """Opens a new store with Alice's and Bob's devices: `open_backend(scope, remembered)`."""
    async with AsyncExitStack() as stack:

        async def open_one(
            scope: CursorScope = CursorScope.DEVICE, remembered: int = REMEMBERED_MESSAGES
        ) -> Storage:
            storage: Storage
            if request.param == "memory":
                storage = MemoryStorage(scope, remembered)
            else:
                folder = tmp_path / scope.value
                # The journal is folded after every commit, or never.
                limit = 0 if request.param == "sqlite-folding" else JOURNAL_BYTES_MAX
                storage = await open_sqlite(
                    folder, scope, remembered=remembered, journal_bytes_max=limit
                )
            stack.push_async_callback(storage.close)
            await populate(storage)
            return storage

        yield open_one


@pytest.fixture
async def storage(open_backend: OpenBackend) -> Storage:
    return await open_backend()


@pytest.fixture
def renew_epoch() -> RenewEpoch:
    """Gives a log another epoch, as a restore does, past the door: the door has no word for it."""

    async def renew(storage: Storage, account: AccountId, epoch: Epoch) -> None:
        if isinstance(storage, MemoryStorage):
            storage._logs[account].epoch = epoch
            return
        assert isinstance(storage, SqliteStorage)

        def update(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE logs SET epoch = ? WHERE account = ?", (epoch, account))
            storage._unfolded.rows.clear()

        await storage._run(storage._writer, update)

    return renew
