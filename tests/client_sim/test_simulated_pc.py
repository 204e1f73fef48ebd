"""The simulated PC, in this process, against the real server: every command."""

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from client_sim import door
from client_sim.link import Link
from client_sim.live_server import socket_url
from client_sim.simulated_pc import COMMANDS, PcSettings, SimulatedPc
from tests.client_sim.conftest import Running


class Desk:
    """A PC and what it said; `expect` waits for a line that begins with these words."""

    def __init__(self, settings: PcSettings) -> None:
        self.said: list[str] = []
        self.all: list[str] = []
        self.pc = SimulatedPc(settings, self._hear)
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

    async def type(self, line: str, words: str) -> str:
        assert await self.pc.obey(line)
        return await self.expect(words)


async def desk(running: Running, store: Path | None, *, verify_start: bool = True) -> Desk:
    account = f"pc-{secrets.token_hex(4)}"
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "PC1", "pc")
    url = socket_url(running.url)
    made_desk = Desk(PcSettings(url, made.token, store, verify_start=verify_start))
    made_desk.account = account
    return made_desk


@pytest.mark.parametrize("durable", [True, False])
async def test_send_offline_online_state_wipe(
    running: Running, tmp_path: Path, durable: bool
) -> None:
    at = await desk(running, tmp_path / "pc.db" if durable else None)
    account = at.account
    try:
        await at.type("online", "= caught up at 0")
        await at.type(f"send {account} first", f"[1] {account} to {account}: first")
        await at.type("offline", "= offline")
        await at.type(f"send {account} second one", "= queued")
        await at.type("state", "= outbox 1")
        await at.type("online", f"[2] {account} to {account}: second one")
        await at.type("state", "= cursor 2 (epoch ")
        await at.type("wipe", f"[2] {account} to {account}: second one")
        await at.type("help", "= send ACCOUNT TEXT")
        assert not await at.pc.obey("quit")
    finally:
        await at.pc.close()


async def test_what_makes_no_sense_is_said(running: Running) -> None:
    at = await desk(running, None)
    try:
        await at.type("dance", "! no such command: dance")
        await at.type("send", "! send ACCOUNT TEXT")
        await at.type("send nobody hello", "! nobody knows yet whose PC this is")
        assert await at.pc.obey("  ")
        await at.type("offline", "= already offline")
        await at.type("online", "= caught up at 0")
        await at.type("online", "= already online")
        await at.type("send no-such-account-here hello", "! refused: unknown_account")
    finally:
        await at.pc.close()


async def test_a_token_that_is_not_known(running: Running) -> None:
    at = Desk(PcSettings(socket_url(running.url), "sd_wrong"))
    try:
        await at.type("online", "! 4503 not_authenticated")
        assert at.pc.failed
    finally:
        await at.pc.close()


async def test_the_line_goes_and_comes_back(running: Running) -> None:
    account = f"pc-{secrets.token_hex(4)}"
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "PC1", "pc")
    async with AsyncExitStack() as cable:
        link = await cable.enter_async_context(
            Link("127.0.0.1", int(running.url.rsplit(":", 1)[1]))
        )
        at = Desk(PcSettings(f"ws://127.0.0.1:{link.port}/v1/sync", made.token))
        try:
            assert await at.pc.obey("online")
            assert at.said == ["= connecting"]
            await at.expect("= caught up at 0")
            assert at.all[:2] == ["= connecting", "= online"]
            await cable.aclose()
            failed = (
                f"! cannot reach http://127.0.0.1:{link.port}: connection refused; trying again"
            )
            assert await at.expect("! cannot reach") == failed
            assert at.all[-2:] == ["! connection lost; trying again", failed]
            await at.type(f"send {account} later", "= queued; it waits in the outbox")
            await at.type("state", "= outbox 1")
        finally:
            await at.pc.close()


def test_every_command_says_what_it_does() -> None:
    assert set(COMMANDS) == {
        "send", "offline", "online", "crash", "wipe", "state", "help", "quit"
    }  # fmt: skip
    assert all(each.meaning for each in COMMANDS.values())
