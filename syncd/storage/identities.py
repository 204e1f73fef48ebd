"""How an identity is indexed: by the first 64 bits of the device's id, as SQL's integers are."""

from __future__ import annotations

from functools import lru_cache

from syncd.model import DeviceId


@lru_cache(maxsize=16_384)  # asked for every message; a device sends many
def sender_key(device: DeviceId) -> int:
    """What stands in an entry's column `sender`. Two devices may share it, so whoever finds an
    entry by it still compares the device in the entry's header."""
    return int.from_bytes(bytes.fromhex(device[:16]), "big", signed=True)
