"""What is looked at now and then, whatever anybody said: heads that moved, sockets that stall.

A look at ten thousand devices at once would hold up everybody for tens of milliseconds. So a round
goes by all of them in parts, spread over its time.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from math import ceil
from typing import Final, TypeVar

from syncd.limits import LOOKED_AT_ONCE, POLL_INTERVAL_S
from syncd.live_connections import LiveConnections
from syncd.storage import Storage, StorageError
from syncd.wakeups import Wakeups

log = logging.getLogger(__name__)

_STALL_ROUND_S: Final = 5.0
"""How late a stalled socket may be noticed: the bound itself is 30 s."""

Somebody = TypeVar("Somebody")


async def in_parts(
    everybody: Callable[[], Sequence[Somebody]], round_s: float
) -> AsyncIterator[Sequence[Somebody]]:
    """Without an end: parts of those who are there when a round begins, so that whoever stays comes
    up in each round. A round takes so many seconds at most; the last part may be empty."""
    while True:
        them = everybody()
        parts = max(1, ceil(len(them) / LOOKED_AT_ONCE))
        for first in range(0, parts * LOOKED_AT_ONCE, LOOKED_AT_ONCE):
            yield them[first : first + LOOKED_AT_ONCE]
            # Jittered, so that many nodes on one store do not look in step.
            await asyncio.sleep(round_s / parts * random.uniform(0.75, 1.0))


async def watch_heads(storage: Storage, wakeups: Wakeups) -> None:
    """For as long as the service runs: wake whose log moved. Makes a lost wake-up harmless."""
    async for accounts in in_parts(wakeups.accounts, POLL_INTERVAL_S):
        try:
            heads = await storage.heads(accounts)
        except StorageError as error:
            log.error("! heads could not be read: %s", error)
        else:
            wakeups.wake(wakeups.moved(heads))


async def watch_stalls(live: LiveConnections) -> None:
    """For as long as the service runs: close whoever accepted no byte for too long."""
    loop = asyncio.get_running_loop()
    async for connections in in_parts(live.all, _STALL_ROUND_S):
        for connection in connections:
            connection.look_for_stall(loop.time())
