"""A simulated PC that obeys command lines: one device against any running server.

What it says can be read by people and by scripts:

    [12] alice: hello        the entry at seq 12, sent by alice
    [13] bob to alice: hi    one that this PC's own account sent
    = ...                    something happened or was asked for
    ! ...                    something is wrong
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from client_sim.door import cannot_reach
from client_sim.live_server import http_url
from client_sim.phrases import in_words, place_in_words, printable, sender_of
from client_sim.shelves import last_unfinished
from syncd.client import (
    ClientError,
    ClientStore,
    Device,
    Kind,
    MemoryStore,
    Pending,
    SendRefused,
    SqliteStore,
    connect,
)
from syncd.client.store import Outgoing
from syncd.limits import WINDOW_BYTES_DEFAULT
from syncd.model import AccountId, Position, direct, is_account
from syncd.protocol import client_commands as news
from syncd.protocol.client_events import Marked
from syncd.wire.frames import Verdict

CRASH_STATUS = 137
"""What a shell reports of a program that was killed with -9."""
ANSWER_TIMEOUT_S = 5.0
"""How long `send` holds the prompt; the message stays in the outbox whatever comes."""
FAREWELL_TIMEOUT_S = 10.0
"""At the end of piped input: how long to wait for what was missed."""
LOOK_S = 0.2
"""How often it is looked whether the connection is still there: nobody tells."""
WITHOUT_LINE = ("waiting", "connecting", "greeting")
STORE_SIDE_FILES = ("", "-wal", "-shm", "-journal")

Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PcSettings:
    """Where this PC belongs and what proves it. Without `store` it keeps all in memory."""

    url: str
    token: str
    store: Path | None = None
    window: int = WINDOW_BYTES_DEFAULT
    verify_start: bool = True


class SimulatedPc:
    """One PC: feed `obey` with command lines. It begins offline; `close` it in every case."""

    def __init__(self, settings: PcSettings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._store = self._empty_store()
        self._stack = contextlib.AsyncExitStack()
        self._device: Device | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._account: AccountId | None = None
        self._position: Position | None = None
        self._verdict: Verdict | None = None
        self._shown = 0
        self._screen = asyncio.Condition()
        # The line to the server; while the first attempt is under way it is neither.
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self.failed = False
        """Whether the last session ended by itself, for a reason that stays."""

    # -------------------------------------------------------- commands

    async def obey(self, line: str) -> bool:
        """Carry out one command line; False when it was the last one."""
        name, _, rest = line.strip().partition(" ")
        if not name:
            return True
        command = COMMANDS.get(name)
        if command is None:
            self._say(f"! no such command: {name}; try help")
            return True
        try:
            return await command.act(self, rest.strip())
        except ClientError as error:
            self._say(f"! {error}")
            return True

    async def online(self, rest: str = "") -> bool:
        """Connect; what was missed comes by itself."""
        if self._device is not None:
            self._say("= already online" if self._up.is_set() else "= already connecting")
            return True
        self.failed = False
        self._up.clear()
        self._down.clear()
        self._say("= connecting")
        asked = self._settings
        device = self._device = await self._stack.enter_async_context(
            connect(
                asked.url,
                token=asked.token,
                store=self._store,
                window=asked.window,
                verify_start=asked.verify_start,
                hear=self._hear,
            )
        )
        self._keep(self._watch(device))
        self._keep(self._look(device))
        return True

    async def offline(self, rest: str = "") -> bool:
        """Disconnect; the store stays, and so does what waits in the outbox."""
        if self._device is None:
            self._say("= already offline")
            return True
        await self._disconnect()
        self._say("= offline")
        return True

    async def send(self, rest: str) -> bool:
        """Send a text; offline it goes into the outbox."""
        account, _, text = rest.partition(" ")
        if not is_account(account) or not text:
            self._say("! send ACCOUNT TEXT")
            return True
        if self._device is not None:
            await self._send(self._device, account, text.encode())
        else:
            await self._queue(account, text.encode())
        return True

    async def crash(self, rest: str = "") -> bool:
        """End this process at once: nothing is acknowledged, saved or closed."""
        self._say("= crash")
        os._exit(CRASH_STATUS)

    async def wipe(self, rest: str = "") -> bool:
        """Forget the store: this device holds nothing any more."""
        was_online = self._device is not None
        await self._disconnect()
        _forget(self._settings.store)
        self._store, self._shown, self._position = self._empty_store(), 0, None
        self._say("= wiped: it holds nothing now")
        return await self.online() if was_online else True

    async def state(self, rest: str = "") -> bool:
        """Say where it stands."""
        device, verdict = self._device, self._verdict
        self._note()
        position = self._position
        head = max(position.seq, verdict.head) if position and verdict else None
        place = "nothing" if position is None else place_in_words(position)
        self._say(f"= {'offline' if device is None else device.state}")
        self._say(f"= account {self._account}, device {verdict.device if verdict else None}")
        self._say(f"= cursor {place}, head {'unknown' if head is None else head}")
        self._say(f"= verdict {'none yet' if verdict is None else in_words(verdict)}")
        pending = await device.pending() if device is not None else await self._pending()
        self._say(f"= outbox {len(pending)}")
        for each in pending:
            name = "without a number" if each.number is None else f"number {each.number}"
            self._say(f"=   {name} {each.state.value}: {printable(each.outgoing.body)}")
        return True

    async def help(self, rest: str = "") -> bool:
        """Name all commands."""
        for name, command in COMMANDS.items():
            self._say(f"= {' '.join((name, command.arguments)):<18} {command.meaning}")
        return True

    async def quit(self, rest: str = "") -> bool:
        """Acknowledge, disconnect, end."""
        return False

    async def close(self) -> None:
        """Disconnect if need be. Idempotent."""
        await self._disconnect()

    async def wait_current(self) -> None:
        """Wait until everything that the server has for this PC was shown (bounded), or the
        server is out of reach."""
        device = self._device
        if device is None:
            return
        with contextlib.suppress(ClientError, TimeoutError):
            async with asyncio.timeout(FAREWELL_TIMEOUT_S):
                await self._while_in_reach(self._caught_up(device))

    # -------------------------------------------------------- what comes

    async def _watch(self, device: Device) -> None:
        try:
            async for item in device:
                sender = sender_of(item.entry, device.account)
                self._say(f"[{item.seq}] {sender}: {printable(item.entry.body or b'')}")
                async with self._screen:
                    self._shown = item.seq
                    self._screen.notify_all()
        except ClientError as error:
            self.failed = True
            self._down.set()
            self._say(f"! {error}")
            # Not from here: closing waits for this very task.
            self._keep(self._give_up(device))

    async def _give_up(self, device: Device) -> None:
        if self._device is device:
            await self._disconnect()
            self._say("= offline")

    def _hear(self, told: news.News) -> None:
        match told:
            case news.Judged(verdict):
                self._verdict, self._account = verdict, verdict.account
                if self._up.is_set():
                    self._lose_line()
                self._down.clear()
                self._up.set()
                self._say("= online")
                self._say(f"= {in_words(verdict)}")
                if self._device is not None:
                    self._keep(self._announce(self._device))
            case news.Skipped(stated, start, missed):
                self._say(f"! the server passes over {missed}: stated {stated}, start {start}")
            case Marked(mark, count):
                self._say(f"! {count} entries are {mark.value}")
            case news.Unreachable(reason):
                if self._up.is_set():
                    self._lose_line()
                self._down.set()
                address = http_url(self._settings.url)
                self._say(f"! {cannot_reach(address, reason)}; trying again")

    async def _look(self, device: Device) -> None:
        """Notice that the line is gone."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._up.is_set() and device.state in WITHOUT_LINE:
                self._lose_line()

    def _lose_line(self) -> None:
        self._up.clear()
        self._down.set()
        self._say("! connection lost; trying again")

    async def _while_in_reach(self, waiting: Coroutine[None, None, T]) -> T | None:
        """What `waiting` gives; None when the server is out of reach before."""
        wanted = asyncio.ensure_future(waiting)
        cut = asyncio.ensure_future(self._down.wait())
        try:
            await asyncio.wait([wanted, cut], return_when=asyncio.FIRST_COMPLETED)
            return wanted.result() if wanted.done() else None
        finally:
            for each in (wanted, cut):
                each.cancel()
            await asyncio.gather(wanted, cut, return_exceptions=True)

    async def _announce(self, device: Device) -> None:
        with contextlib.suppress(ClientError):
            await self._caught_up(device)
            assert device.position is not None
            self._say(f"= caught up at {device.position.seq}")

    async def _caught_up(self, device: Device) -> None:
        await device.caught_up()
        last = await last_unfinished(self._store)
        async with self._screen:
            await self._screen.wait_for(lambda: self._shown >= last)

    # -------------------------------------------------------- what goes

    async def _send(self, device: Device, account: str, body: bytes) -> None:
        with contextlib.suppress(TimeoutError):
            # A first attempt that is under way decides; before, nobody may know whose PC this is.
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._while_in_reach(self._up.wait())
        if device.account is None:
            self._say("! nobody knows yet whose PC this is: go online once")
            return
        conversation = direct(device.account, AccountId(account))
        accepted = None
        try:
            if self._up.is_set():
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    accepted = await self._while_in_reach(device.send(conversation, body))
            else:
                await device.enqueue(conversation, body)
        except SendRefused as refused:
            self._say(f"! refused: {refused}")
        except TimeoutError:
            self._say("= no answer yet; it waits in the outbox")
        else:
            if accepted is None:
                self._say("= queued; it waits in the outbox")
            else:
                self._say(f"= accepted as number {accepted.number}, seq {accepted.seq}")

    async def _queue(self, account: str, body: bytes) -> None:
        if self._account is None:
            self._say("! nobody knows yet whose PC this is: go online once")
            return
        conversation = direct(self._account, AccountId(account))
        outgoing = Outgoing(Kind.MESSAGE, conversation, None, body)
        async with opened(self._store) as store:
            await store.call(lambda shelf: shelf.enqueue([outgoing]))
        self._say("= queued; it waits in the outbox")

    async def _pending(self) -> list[Pending]:
        async with opened(self._store) as store:
            return await store.call(lambda shelf: shelf.pending())

    # -------------------------------------------------------- coming and going

    async def _disconnect(self) -> None:
        self._note()
        self._device = None
        self._up.clear()
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()

    def _note(self) -> None:
        if self._device is not None:
            self._position = self._device.position

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _empty_store(self) -> ClientStore:
        path = self._settings.store
        return MemoryStore(keep_handed=True) if path is None else SqliteStore(path)


@dataclass(frozen=True, slots=True)
class Command:
    """What a word at the prompt does."""

    act: Callable[[SimulatedPc, str], Awaitable[bool]]
    arguments: str
    meaning: str


COMMANDS = {
    "send": Command(SimulatedPc.send, "ACCOUNT TEXT", "send a text; offline it waits"),
    "offline": Command(SimulatedPc.offline, "", "disconnect, keep the store"),
    "online": Command(SimulatedPc.online, "", "connect again"),
    "crash": Command(SimulatedPc.crash, "", "end this process at once, nothing is closed"),
    "wipe": Command(SimulatedPc.wipe, "", "forget the store: the whole log comes again"),
    "state": Command(SimulatedPc.state, "", "cursor, head, verdict, outbox"),
    "help": Command(SimulatedPc.help, "", "this list"),
    "quit": Command(SimulatedPc.quit, "", "acknowledge, disconnect, end"),
}


@contextlib.asynccontextmanager
async def opened(store: ClientStore) -> AsyncIterator[ClientStore]:
    """A store that no device has open, for the length of the block."""
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def _forget(store: Path | None) -> None:
    if store is not None:
        for ending in STORE_SIDE_FILES:
            Path(f"{store}{ending}").unlink(missing_ok=True)
