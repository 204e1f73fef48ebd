"""A simulated PC with somebody in front of it, who types and waits for words."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from client_sim import door
from client_sim.live_server import socket_url
from client_sim.prompt import Prompt
from client_sim.simulated_pc import PcSettings, SimulatedPc
from tests.client_sim.conftest import Running


class Desk:
    """A PC and what it said; `expect` waits for a line that begins with these words."""

    def __init__(self, settings: PcSettings, account: str = "") -> None:
        self.account = account
        self.said: list[str] = []
        self.all: list[str] = []
        self.pc = SimulatedPc(settings, self._hear)
        self.prompt = Prompt(self.pc, self._hear)
        self._spoke = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def _hear(self, line: str) -> None:
        self.said.append(line)
        self.all.append(line)
        task = asyncio.create_task(self._notify())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self) -> None:
        async with self._spoke:
            self._spoke.notify_all()

    async def expect(self, words: str) -> str:
        async with asyncio.timeout(10), self._spoke:
            await self._spoke.wait_for(lambda: any(map(lambda it: it.startswith(words), self.said)))
        found = next(line for line in self.said if line.startswith(words))
        self.said.clear()
        return found

    async def said_ever(self, line: str) -> None:
        async with asyncio.timeout(10), self._spoke:
            await self._spoke.wait_for(lambda: line in self.all)

    async def type(self, line: str, words: str) -> str:
        assert await self.prompt.obey(line)
        return await self.expect(words)

    async def shown(self, line: str) -> list[str]:
        """What a command says that says all before it ends."""
        self.said.clear()
        assert await self.prompt.obey(line)
        return list(self.said)


def new_account(name: str = "pc") -> str:
    return f"{name}-{secrets.token_hex(4)}"


@asynccontextmanager
async def desk(running: Running, account: str, store: Path | None = None) -> AsyncIterator[Desk]:
    """A new device of the account, offline."""
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "PC1", "pc")
    async with seated(running, made.token, account, store) as at:
        yield at


@asynccontextmanager
async def seated(
    running: Running, token: str, account: str = "", store: Path | None = None
) -> AsyncIterator[Desk]:
    """A device with this token, offline."""
    at = Desk(PcSettings(socket_url(running.url), token, store), account)
    try:
        yield at
    finally:
        await at.pc.close()
