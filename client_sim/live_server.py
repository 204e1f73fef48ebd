"""The real server as its own process: started on a free loopback port, stopped, killed.

Never by import: what is played here must hold for the thing that people run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from client_sim.live.program import Command, Process, Program

START_TIMEOUT_S = 20.0
"""A cold start on a slow, busy machine takes a few seconds; a hang takes for ever."""
STOP_TIMEOUT_S = 5.0
"""A drain says goodbye to every socket; longer than this it is stuck and is killed."""
LOG_TAIL_LINES = 30
LISTENING = "listening on "
KEY_NAME = "client-sim"

SYNCD: Final = (sys.executable, "-m", "syncd")


class ServerFailed(Exception):
    """The server did not start, or a command of it failed. The text holds the end of its log."""


def command_of(text: str | None) -> tuple[str, ...]:
    """The words of ``--server-command``; without one, the syncd beside this program."""
    return tuple(shlex.split(text)) if text else SYNCD


def socket_url(url: str) -> str:
    """Where devices of the server at this HTTP address connect."""
    return "ws" + url.removeprefix("http").rstrip("/") + "/v1/sync"


def http_url(url: str) -> str:
    """The server's HTTP address, from that or from the address of its socket."""
    if url.startswith("ws"):
        url = "http" + url.removeprefix("ws")
    return url.rstrip("/").removesuffix("/v1/sync").rstrip("/")


def signal_to(process: Process, number: signal.Signals) -> None:
    """Send a signal to a process, unless its end is known already.

    `process.kill` of Python 3.11 looks first whether the process has ended, and if it has, takes
    its exit status: asyncio, which waits for that too, then reports 255 and a warning.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


class LiveServer:
    """One server process with its own data folder. After `start` it has a `url`.

    The owner calls `stop` (or `kill`) in every case; `started` does that by itself.
    """

    def __init__(
        self,
        data: Path,
        scope: str,
        command: Sequence[str] | Program = SYNCD,
        flags: Sequence[str] = (),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.url = ""
        self.data, self._scope, self._flags = data, scope, tuple(flags)
        self.environment = dict(environment)
        """Added to ours, for whatever is started from now on."""
        self._called = shlex.join(command) if isinstance(command, Sequence) else "syncd"
        self._program = Command(command) if isinstance(command, Sequence) else command
        self._log_path = data.with_name(data.name + ".log")
        self._process: Process | None = None
        self._port = 0
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process and wait until it listens; a second start takes the same port."""
        with self._log_path.open("ab") as log:
            serve = ("serve", "--data", str(self.data), "--port", str(self._port))
            scope = ("--cursor-scope", self._scope)
            self._process = await self._run((*serve, *scope, *self._flags), log)
        try:
            self.url = await asyncio.wait_for(self._listening(self._process), START_TIMEOUT_S)
        except TimeoutError:
            raise self._failed(f"not listening after {START_TIMEOUT_S:.0f} s") from None
        self._port = int(self.url.rsplit(":", 1)[1])

    async def api_key(self) -> str:
        """A new API key, from the server's own command."""
        return await self.command("key", KEY_NAME)

    async def command(self, name: str, *arguments: str) -> str:
        """Run one of its commands over its data folder; what that said. Raises ServerFailed."""
        with self._log_path.open("ab") as log:
            process = await self._run((name, *arguments, "--data", str(self.data)), log)
            assert process.stdout is not None
            said = await process.stdout.read()
        if status := await process.wait():
            raise self._failed(f"its {name} command ended with {status}")
        return said.decode().strip()

    async def stop(self) -> int | None:
        """Ask the process to drain, wait for its end, and give its exit status."""
        return await self._end(gently=True)

    async def kill(self) -> int | None:
        """End the process as a power cut would."""
        return await self._end(gently=False)

    def freeze(self) -> None:
        """It does nothing any more, but its sockets stay; it can only be killed, or thawed."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            signal_to(self._process, number)

    async def ended(self, within_s: float | None = START_TIMEOUT_S) -> int:
        """Wait until the process ends by itself, and give its exit status. Raises TimeoutError."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), within_s)

    def log_tail(self) -> str:
        """The last lines of the server's log."""
        if not self._log_path.exists():
            return ""
        lines = self._log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    async def _run(self, arguments: Sequence[str], log: IO[bytes]) -> Process:
        try:
            return await self._program.start(arguments, self.environment, log)
        except OSError as error:
            raise ServerFailed(f"cannot run {self._called}: {error}") from None

    async def _listening(self, process: Process) -> str:
        assert process.stdout is not None
        async for line in process.stdout:
            text = line.decode(errors="replace").strip()
            if text.startswith(LISTENING):
                # Read on, or a chatty server would block on a full pipe.
                self._reading = asyncio.create_task(_read_out(process.stdout))
                return text.removeprefix(LISTENING)
        raise self._failed(f"it ended with {await process.wait()} before it listened")

    async def _end(self, *, gently: bool) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            signal_to(process, signal.SIGTERM if gently else signal.SIGKILL)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            signal_to(process, signal.SIGKILL)
        except asyncio.CancelledError:
            signal_to(process, signal.SIGKILL)
            raise
        status = await process.wait()
        if self._reading is not None:
            await self._reading
        return status

    def _failed(self, what: str) -> ServerFailed:
        return ServerFailed(f"the server ({self._called}): {what}\n{self.log_tail()}".rstrip())


async def _read_out(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


@contextlib.asynccontextmanager
async def started(scope: str, command: Sequence[str] = SYNCD) -> AsyncIterator[LiveServer]:
    """A server with a temporary data folder; both end with the block, whatever happens in it."""
    with tempfile.TemporaryDirectory(prefix="client-sim-") as folder:
        server = LiveServer(Path(folder) / "data", scope, command)
        try:
            await server.start()
            yield server
        finally:
            await server.stop()
