"""How fast does a device that was never online get everything that it missed?

A new device of an account with a long log connects through the SDK with its memory store, as an
application would; the time runs from before the connect to the last entry handed to the
application. The log's bodies have 120 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.processes import ServerFailed, Stretch, Target
from bench.raw_client import BODY_BYTES, Credential
from syncd import client


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What one device reached."""

    per_s: float
    during: Stretch


async def measure(target: Target, credential: Credential, entries: int) -> CaughtUp:
    """Entries handed to the application per second, of a log that holds `entries`."""
    with Stretch(target) as during:
        async with client.connect(target.sync_url, token=credential.token) as device:
            handed = 0
            async for item in device:
                handed += 1
                if item.seq == entries:
                    break
            during.stop()
    if handed != entries or len(item.entry.body or b"") != BODY_BYTES:
        raise ServerFailed(f"{handed} entries came where {entries} are")
    return CaughtUp(entries / during.seconds, during)
