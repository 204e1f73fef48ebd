"""A real server for the client's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from syncd.server.app import SERVICE, application
from syncd.server.service import Service
from tests.client.peer import serving


@dataclass
class Server:
    """The real server on loopback, and the service that it is."""

    url: str
    service: Service

    async def token(self, account: str = "alice", platform: str = "pc") -> str:
        """The credential of a new device."""
        made = await self.service.create_device(account, name="test", platform=platform)
        return made.token


@pytest.fixture(name="server")
async def real_server() -> AsyncIterator[Server]:
    app = application(store="memory:")
    async with serving(app) as url:
        yield Server(url, app[SERVICE])
        await app[SERVICE].drain()
