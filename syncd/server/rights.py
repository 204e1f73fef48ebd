"""Looks once a second whether all who are connected still may be.

Whoever ends a right tells the sockets at once; but a word between two processes can get lost, and a
revocation must hold all the same. One look is for many sockets.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from syncd.limits import SESSIONS_LOOK_S
from syncd.live_connections import LiveConnections, sessions_of
from syncd.model import DeviceId
from syncd.server.rounds import in_parts
from syncd.storage import StorageError
from syncd.storage.people import People

log = logging.getLogger(__name__)


async def watch_rights(people: People, live: LiveConnections) -> None:
    """For as long as the service runs: end every session whose right is over."""
    async for connections in in_parts(live.all, SESSIONS_LOOK_S):
        sessions = sessions_of(connections)
        if sessions:
            await _look(people, live, sessions)


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
