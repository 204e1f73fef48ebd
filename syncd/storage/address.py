"""What the address of a store stands for: memory, or a folder of this machine."""

from __future__ import annotations

from pathlib import Path

from syncd.limits import UNFOLDED_MIB
from syncd.model import CursorScope
from syncd.storage import Storage, StoreRefused
from syncd.storage.memory import MemoryStorage
from syncd.storage.sqlite import open_sqlite

MEMORY = "memory:"


async def open_storage(
    address: str, scope: CursorScope | None = None, unfolded_mib: int = UNFOLDED_MIB
) -> Storage:
    """Open the store at `address`: `memory:`, or the path of a folder, made when there is none.

    scope: what is expected of the store; None takes the store as it was made, a new one as DEVICE.
    unfolded_mib: how much of a store in a folder may wait in its journal.

    Raises StoreRefused.
    """
    if address == MEMORY:
        return MemoryStorage(scope or CursorScope.DEVICE)
    if "://" in address:
        raise StoreRefused(f"no backend serves {address}")
    return await open_sqlite(Path(address), scope, journal_bytes_max=unfolded_mib * 1024 * 1024)
