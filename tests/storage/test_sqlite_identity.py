"""Tests of identity's rows in SQLite, where the contract's tests do not reach."""

import random
import sqlite3
from collections.abc import Iterator

import pytest

from syncd.model import CursorScope, Work
from syncd.storage import StorageError
from syncd.storage.folding import Fold, load
from syncd.storage.migrate import migrate
from syncd.storage.sqlite_commit import commit_work
from syncd.storage.sqlite_identity import (
    add_key,
    change_credential,
    create_account,
    create_device,
    devices,
    devices_by_token,
    key_name,
)
from syncd.storage.unfolded import Unfolded

from .works import (
    ALICE,
    BOB,
    LOST,
    NEW_TOKEN,
    NOBODY,
    PHONE,
    PHONE_TOKEN,
    TABLET,
    TABLET_TOKEN,
    mark,
    sending,
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    create_account(opened, ALICE, random.Random(1).randbytes)
    create_device(opened, ALICE, PHONE, "name", "pc", token_hash=PHONE_TOKEN)
    yield opened
    opened.close()


def test_an_epoch_is_drawn_where_the_caller_says(connection: sqlite3.Connection) -> None:
    [found] = devices(connection, Unfolded(), CursorScope.DEVICE, ALICE)
    assert found.epoch == random.Random(1).randbytes(8)


def test_what_is_refused_leaves_no_transaction_and_no_row(connection: sqlite3.Connection) -> None:
    scope, nothing = CursorScope.DEVICE, Unfolded()
    add_key(connection, "backend", b"hash")
    create_device(connection, ALICE, TABLET, "name", "pc", token_hash=TABLET_TOKEN)
    for refused in (
        lambda: add_key(connection, "backend", b"other"),
        lambda: create_device(connection, NOBODY, LOST, "name", "pc", token_hash=NEW_TOKEN),
        lambda: create_device(connection, ALICE, LOST, "name", "pc", token_hash=PHONE_TOKEN),
        lambda: change_credential(connection, nothing, scope, LOST, None),
        lambda: change_credential(connection, nothing, scope, PHONE, TABLET_TOKEN),
    ):
        with pytest.raises(KeyError):
            refused()
        assert not connection.in_transaction
    assert key_name(connection, b"other") is None
    assert [each.device for each in devices(connection, nothing, scope, ALICE)] == [PHONE, TABLET]


def test_a_failing_store_is_not_taken_for_a_missing_row(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE cursors")
    with pytest.raises(StorageError, match="no such table"):
        devices_by_token(connection, Unfolded(), CursorScope.DEVICE, [PHONE_TOKEN])


def test_what_only_the_journal_knows_of_a_device_is_told(connection: sqlite3.Connection) -> None:
    scope, unfolded = CursorScope.DEVICE, Unfolded()
    create_account(connection, BOB)
    commit_work(connection, unfolded, sending(3, 5), scope)
    [before] = devices(connection, unfolded, scope, ALICE)
    work = Work(cursors=(mark(before.epoch, 1),), submissions=sending(7).submissions)
    commit_work(connection, unfolded, work, scope)
    [told] = devices(connection, unfolded, scope, ALICE)
    assert (told.sent, told.cursor, told.head) == (7, 1, 3)
    fold = Fold(connection, unfolded)
    while not fold.done:
        fold.step(1)
        assert devices(connection, unfolded, scope, ALICE) == [told]
        assert devices(connection, load(connection), scope, ALICE) == [told]
        asked = [NEW_TOKEN, PHONE_TOKEN, PHONE_TOKEN]
        assert devices_by_token(connection, unfolded, scope, asked) == [None, told, told]
