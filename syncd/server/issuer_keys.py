"""The keys of issuers over HTTP: from the URLs of the operator's table and from nowhere else."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import ClientError, ClientSession

from syncd.limits import UPSTREAM_ANSWER_BYTES_MAX, UPSTREAM_TIMEOUT_S
from syncd.server.outgoing import get

log = logging.getLogger(__name__)


class KeysOverHttp:
    """See issuers.KeySource."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def fetch(self, url: str) -> bytes | None:
        """The JWK set at a URL; None where it cannot be had."""
        try:
            async with asyncio.timeout(UPSTREAM_TIMEOUT_S):
                return await get(self._session, url, {}, UPSTREAM_ANSWER_BYTES_MAX)
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            log.error("! the keys at %s did not come: %s", url, type(error).__name__)
            return None
