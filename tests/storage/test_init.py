"""Tests of the door itself: what its errors carry, and that every backend fits it."""

import inspect

import pytest

from syncd import errors
from syncd.storage import Storage, StorageError
from syncd.storage.memory import MemoryStorage
from syncd.storage.sqlite import SqliteStorage


def test_an_error_says_whether_anything_may_have_happened() -> None:
    unknown = StorageError("COMMIT failed", definite=False)
    assert (str(unknown), unknown.definite, unknown.refusal) == ("COMMIT failed", False, None)
    full = StorageError("full", definite=True, refusal=errors.STORAGE_FULL)
    assert (full.definite, full.refusal) == (True, errors.STORAGE_FULL)


@pytest.mark.parametrize("backend", [MemoryStorage, SqliteStorage])
def test_backends_have_the_signatures_of_the_door(backend: type) -> None:
    for name, member in inspect.getmembers(Storage, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(backend, name)) == inspect.signature(member), name
