"""Looks once a second whether all who are connected still may be.

Whoever ends a right tells the sockets at once; but a word between two processes can get lost, and a
revocation must hold all the same. One look is for many sockets, and with very many of them the
looks are spread over the second, so that no read waits long behind one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from math import ceil

from syncd.limits import SESSIONS_LOOK_S, SESSIONS_PER_LOOK_MAX
from syncd.live_connections import LiveConnections
from syncd.model import DeviceId
from syncd.storage import StorageError
from syncd.storage.people import People

log = logging.getLogger(__name__)


async def watch_rights(people: People, live: LiveConnections) -> None:
    """For as long as the service runs: end every session whose right is over."""
    while True:
        looks = max(1, ceil(len(live) / SESSIONS_PER_LOOK_MAX))
        for sessions in live.sessions(SESSIONS_PER_LOOK_MAX):
            if sessions:
                await _look(people, live, sessions)
            await asyncio.sleep(SESSIONS_LOOK_S / looks)


async def _look(
    people: People, live: LiveConnections, sessions: Mapping[DeviceId, int | None]
) -> None:
    try:
        over = await people.over(sessions)
    except StorageError as error:
        log.error("! rights could not be looked up: %s", error)
        return
    if over:
        live.end_all(over, sessions)
