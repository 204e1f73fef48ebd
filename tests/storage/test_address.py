"""Tests of addresses of stores."""

from pathlib import Path

import pytest

from syncd.model import CursorScope
from syncd.storage import StoreRefused
from syncd.storage.address import MEMORY, open_storage
from syncd.storage.memory import MemoryStorage
from syncd.storage.sqlite import SqliteStorage


@pytest.mark.parametrize("scope", [None, *CursorScope])
async def test_an_address_is_memory_or_a_folder(tmp_path: Path, scope: CursorScope | None) -> None:
    for address, backend in ((MEMORY, MemoryStorage), (str(tmp_path / "store"), SqliteStorage)):
        storage = await open_storage(address, scope)
        assert isinstance(storage, backend)
        assert storage.cursor_scope is (scope or CursorScope.DEVICE)
        await storage.close()


async def test_other_schemes_are_refused() -> None:
    with pytest.raises(StoreRefused, match="postgres"):
        await open_storage("postgres://localhost/syncd")
