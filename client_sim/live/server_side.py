"""The server of a live house: a real process over a real folder, and all that befalls it."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from client_sim import history
from client_sim.door import Door, DoorShut, Unauthorized, opened
from client_sim.history import (
    SERVER,
    Begin,
    Complaint,
    Device,
    Fault,
    History,
    NotAHistory,
    Process,
    Record,
)
from client_sim.house import CannotDo
from client_sim.live import power
from client_sim.live.faulty_disk import FaultyDisk, compiled
from client_sim.live.program import Program
from client_sim.live.remains import heads, remains
from client_sim.live_server import LiveServer, ServerFailed
from syncd.storage.database_file import DATABASE_NAME, remove_database

PATIENCE_S = 20.0
"""How long anything may take that a running server does at once."""
_LOOK_AGAIN_S = 0.02
_SLOW_MS = 250
_STARTS = 3
_RESTARTS_MAX = 20
Answer = TypeVar("Answer")
_UNLIMITED = ("--address-rate", "0", "--key-rate", "0", "--account-rate", "0")
"""All devices of a house come from one address, and play at no human speed."""
_FOLDING = ("--unfolded-mib", "0")
"""Every commit is followed by a fold: a play is too short to bring one about."""


class ServerSide:
    """See house.House for every public method. A server that dies by itself is started again."""

    world = "live"

    def __init__(
        self, folder: Path, history: History, *, scope: str, command: Sequence[str] | Program
    ) -> None:
        """folder: for everything that is made; its owner removes it.

        command: the words that start the server's program, or what else starts it.
        """
        self.history = history
        self.loses_power = False
        """Whether every death of the server is a power cut: what it did not flush is gone. To be
        set before `open`; needs `disk`."""
        self._journal = folder / "server.jsonl"
        self._backup = folder / "backup.db"
        self._faulty: FaultyDisk | None = None
        environment: dict[str, str] = {}
        try:
            self._faulty = FaultyDisk(folder / "faults", folder / "data", compiled())
            environment = self._faulty.environment
        except CannotDo as reason:
            self._whole = str(reason)
        self.login_settings = folder / "login.toml"
        """Who may log in; written before it starts."""
        login = ("--login", str(self.login_settings))
        flags = (*_UNLIMITED, *_FOLDING, *login, "--journal", str(self._journal))
        self._server = LiveServer(folder / "data", scope, command, flags, environment)
        self._key = ""
        self._watch: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._clock_s = 0.0

    # ------------------------------------------------------------ records

    def now(self) -> float:
        return time.monotonic()

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _tell(self, record: Record) -> None:
        self.history.tell(record)

    def _fault(self, kind: str, target: str = SERVER, detail: str = "") -> None:
        self._tell(Fault(at=self.now(), by=SERVER, kind=kind, target=target, detail=detail))

    def _take_journal(self) -> None:
        """What the server has told itself becomes part of the history."""
        lines = self._journal.read_bytes().splitlines() if self._journal.exists() else []
        told: list[Record] = []
        for line in lines:
            # A server that was killed leaves half a line.
            with suppress(NotAHistory):
                told += history.parse([line])
        mine = self.history.records
        theirs = (each for each in told if not isinstance(each, Begin | Device))
        mine[:] = history.merged(mine, theirs)

    # ------------------------------------------------------------ its life

    async def start_server(self) -> None:
        async with self._turn:
            if self._watch is None:
                if self.loses_power:
                    power.remember(self.disk())
                await self._start(_STARTS)
                self._watch = asyncio.create_task(self._keep_running())

    async def stop_server(self) -> None:
        await self._end(gently=True)

    async def kill_server(self) -> None:
        self._fault("server_crash")
        await self._end(gently=False)

    async def _end(self, *, gently: bool) -> None:
        async with self._turn:
            watch, self._watch = self._watch, None
            if watch is None:
                return
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            self._server.thaw()
            status = await (self._server.stop() if gently else self._server.kill())
            if status:
                self._died()

    async def _keep_running(self) -> None:
        """What a supervisor does: a process that ends by itself is started again."""
        for _ in range(_RESTARTS_MAX):
            status = await self._server.ended(None)
            self._died()
            await self._start()
        text = f"the server ended {_RESTARTS_MAX} times by itself, at last with {status}"
        self._tell(Complaint(at=self.now(), by=SERVER, whose=SERVER, text=text))

    async def _start(self, attempts: int = sys.maxsize) -> None:
        """What befalls a server may well befall it while it starts."""
        for left in reversed(range(attempts)):
            try:
                return await self._server.start()
            except ServerFailed:
                if not left:
                    raise
                self._died()
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _died(self) -> None:
        self._tell(Process(at=self.now(), by=SERVER, whose=SERVER, state="crashed"))
        if self.loses_power:
            power.cut(self.disk())

    async def freeze_server(self) -> None:
        self._server.freeze()
        self._fault("frozen")

    async def thaw_server(self) -> None:
        self._server.thaw()

    # ------------------------------------------------------------ its disk and clock

    def disk(self) -> FaultyDisk:
        """What is wrong with the disk of its server, and may be made so. Raises CannotDo."""
        if self._faulty is None:
            raise CannotDo(self._whole)
        return self._faulty

    async def fill_disk(self) -> None:
        self.disk().begin("full")
        self._fault("disk_full")

    async def free_disk(self) -> None:
        self.disk().end("full")

    async def slow_disk(self) -> None:
        self.disk().begin("slow", str(_SLOW_MS))
        self._fault("slow_disk")

    async def fast_disk(self) -> None:
        self.disk().end("slow")

    async def jump(self, seconds: float) -> None:
        self._clock_s += seconds
        self.disk().begin("clock", f"{self._clock_s:.0f}")
        self._fault("clock_jump", detail=f"by {seconds:g} s")

    # ------------------------------------------------------------ its store

    async def back_up(self) -> None:
        self._backup.unlink(missing_ok=True)
        await self._command("backup", str(self._backup))

    async def restore(self) -> None:
        self._insist_on_backup()
        await self.stop_server()
        await self._command("restore", str(self._backup), "--replace")
        self._fault("restore")
        await self.start_server()

    async def put_back(self) -> None:
        self._insist_on_backup()
        await self._end(gently=False)
        store = self._server.data / DATABASE_NAME
        remove_database(store)
        shutil.copy(self._backup, store)
        self._fault("put_back")
        await self.start_server()

    def _insist_on_backup(self) -> None:
        if not self._backup.exists():
            raise CannotDo("no backup was taken")

    async def trim(self, account: str, keep: int) -> None:
        _, floor, head = heads(self._server.data).get(account, ("", 0, 0))
        first = head - keep + 1
        if first > floor + 1:
            await self._command("trim", account, "--before", str(first), "--anyway")
            self._fault("trim", account)

    async def publish(self, account: str, body: bytes) -> None:
        key = secrets.token_hex(8)
        await self._insist(lambda: self._ask(lambda door: door.publish(account, body, key)))

    # ------------------------------------------------------------ asking it

    async def _new_key(self) -> str:
        """An API key. One that was made when the server died is nobody's: its name is taken."""
        return await self._insist(
            lambda: self._server.command("key", f"client-sim {secrets.token_hex(4)}")
        )

    async def _command(self, name: str, *arguments: str) -> str:
        return await self._insist(lambda: self._server.command(name, *arguments))

    async def _ask(self, ask: Callable[[Door], Awaitable[Answer]]) -> Answer:
        try:
            async with opened(self._server.url, self._key) as door:
                return await ask(door)
        except Unauthorized:
            # A server may lose all that it ever knew; that is for the judges to find.
            self._key = await self._new_key()
            raise

    async def _insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """What is asked for, again where the server died of it. Raises DoorShut, ServerFailed."""
        until = self.now() + PATIENCE_S
        while True:
            try:
                return await ask()
            except (DoorShut, ServerFailed):
                if self.now() > until:
                    raise
            await asyncio.sleep(_LOOK_AGAIN_S)

    # ------------------------------------------------------------ what it holds

    async def heads(self) -> dict[str, int]:
        return {account: head for account, (_, _, head) in heads(self._server.data).items()}

    async def remains(self) -> Sequence[Record]:
        await self.stop_server()
        return remains(self._server.data, self.now())
