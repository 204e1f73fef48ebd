"""One installation of a client in a play: its store file, its logins, and what its user saw."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path

from client_sim.measured import Holding, Line
from client_sim.shelves import last_unfinished, line_of
from syncd.client import ClientError, Device, ServerSkipped, SqliteStore, connect
from syncd.client.store import ClientStore
from syncd.model import Position, Seq

SYNC_TIMEOUT_S = 10.0
"""What a login has not brought by then will never come: loopback takes milliseconds."""


class Installation:
    """A PC or a phone: logs in and out, any number of times, with one store file.

    lines: every entry that was shown to its user, in the order in which it was.
    start: where the server began at the last login.
    The owner logs it out in every case. What goes wrong is measured, never raised.
    """

    def __init__(
        self, name: str, platform: str, url: str, token: str, store: Path, *, verify_start: bool
    ) -> None:
        self.name, self.platform = name, platform
        self.url, self.token, self.store = url, token, store
        self.device_id = ""
        self.lines: list[Line] = []
        self.check: list[str] = []
        self.trouble: list[str] = []
        self.position: Position | None = None
        self.start: Seq | None = None
        self.verify_start = verify_start
        self._stack = AsyncExitStack()
        self._device: Device | None = None
        self._reading: asyncio.Task[None] | None = None
        self._shown = asyncio.Condition()

    @property
    def online(self) -> bool:
        """Whether it is between login and logout."""
        return self._device is not None

    async def login(self) -> int:
        """Connect and wait until everything that the server has for us was shown; how many."""
        before = len(self.lines)
        store = SqliteStore(self.store)
        asked = connect(self.url, token=self.token, store=store, verify_start=self.verify_start)
        device = self._device = await self._stack.enter_async_context(asked)
        self._reading = asyncio.create_task(self._read(device))
        await self._attempt(self._sync(device, store), "what it missed")
        if device.skipped is not None:
            self.check.append(str(device.skipped))
        self.start = None if device.verdict is None else device.verdict.start
        self.position = device.position
        return len(self.lines) - before

    async def wait_shown(self, seq: Seq) -> None:
        """Wait until the entry at `seq` was shown."""
        await self._attempt(self._reach(seq), f"seq {seq}")
        assert self._device is not None
        self.position = self._device.position

    async def logout(self) -> None:
        """Acknowledge what was stored, disconnect, keep the store."""
        device, self._device = self._device, None
        reading, self._reading = self._reading, None
        if device is not None:
            self.position = device.position
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await self._stack.aclose()

    def holding(self) -> Holding:
        """What was measured so far."""
        return Holding(
            self.name,
            self.platform,
            tuple(self.lines),
            self.position,
            tuple(self.check),
            tuple(self.trouble),
        )

    async def _read(self, device: Device) -> None:
        async for item in device:
            async with self._shown:
                self.lines.append(line_of(item.seq, item.entry))
                self._shown.notify_all()

    async def _sync(self, device: Device, store: ClientStore) -> None:
        await device.caught_up()
        await self._reach(await last_unfinished(store))

    async def _reach(self, seq: Seq) -> None:
        async with self._shown:
            await self._shown.wait_for(lambda: (self.lines[-1].seq if self.lines else 0) >= seq)

    async def _attempt(self, waiting: Coroutine[None, None, None], what: str) -> None:
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_S):
                await waiting
        except TimeoutError:
            self.trouble.append(f"did not get {what} within {SYNC_TIMEOUT_S:.0f} s")
        except ServerSkipped as skipped:
            self.check.append(str(skipped))
        except ClientError as error:
            self.trouble.append(str(error))
