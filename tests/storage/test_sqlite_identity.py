"""Tests of identity's rows in SQLite, where the contract's tests do not reach."""

import random
import sqlite3
from collections.abc import Iterator

import pytest

from syncd.model import CursorScope
from syncd.storage import StorageError
from syncd.storage.migrate import migrate
from syncd.storage.sqlite_identity import (
    add_key,
    change_credential,
    create_account,
    create_device,
    device_by_token,
    devices,
    key_name,
)

from .works import ALICE, LOST, NEW_TOKEN, NOBODY, PHONE, PHONE_TOKEN, TABLET, TABLET_TOKEN


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:", isolation_level=None)
    migrate(opened)
    create_account(opened, ALICE, random.Random(1).randbytes)
    create_device(opened, ALICE, PHONE, "name", "pc", token_hash=PHONE_TOKEN)
    yield opened
    opened.close()


def test_an_epoch_is_drawn_where_the_caller_says(connection: sqlite3.Connection) -> None:
    [found] = devices(connection, CursorScope.DEVICE, ALICE)
    assert found.epoch == random.Random(1).randbytes(8)


def test_what_is_refused_leaves_no_transaction_and_no_row(connection: sqlite3.Connection) -> None:
    scope = CursorScope.DEVICE
    add_key(connection, "backend", b"hash")
    create_device(connection, ALICE, TABLET, "name", "pc", token_hash=TABLET_TOKEN)
    for refused in (
        lambda: add_key(connection, "backend", b"other"),
        lambda: create_device(connection, NOBODY, LOST, "name", "pc", token_hash=NEW_TOKEN),
        lambda: create_device(connection, ALICE, LOST, "name", "pc", token_hash=PHONE_TOKEN),
        lambda: change_credential(connection, scope, LOST, None),
        lambda: change_credential(connection, scope, PHONE, TABLET_TOKEN),
    ):
        with pytest.raises(KeyError):
            refused()
        assert not connection.in_transaction
    assert key_name(connection, b"other") is None
    assert [each.device for each in devices(connection, scope, ALICE)] == [PHONE, TABLET]


def test_a_failing_store_is_not_taken_for_a_missing_row(connection: sqlite3.Connection) -> None:
    connection.execute("DROP TABLE cursors")
    with pytest.raises(StorageError, match="no such table"):
        device_by_token(connection, CursorScope.DEVICE, PHONE_TOKEN)
