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
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO, Final

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

    def __init__(self, data: Path, scope: str, command: Sequence[str] = SYNCD) -> None:
        self.url = ""
        self.data, self._scope, self._command = data, scope, tuple(command)
        self._log_path = data.with_name(data.name + ".log")
        self._process: Process | None = None
        self._port = 0
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process and wait until it listens; a second start takes the same port."""
        with self._log_path.open("ab") as log:
            serve = ("serve", "--data", str(self.data), "--port", str(self._port))
            self._process = await self._run((*serve, "--cursor-scope", self._scope), log)
        try:
            self.url = await asyncio.wait_for(self._listening(self._process), START_TIMEOUT_S)
        except TimeoutError:
            raise self._failed(f"not listening after {START_TIMEOUT_S:.0f} s") from None
        self._port = int(self.url.rsplit(":", 1)[1])

    async def api_key(self) -> str:
        """A new API key, from the server's own command."""
        with self._log_path.open("ab") as log:
            process = await self._run(("key", KEY_NAME, "--data", str(self.data)), log)
            said, _ = await process.communicate()
        if process.returncode != 0:
            raise self._failed(f"its key command ended with {process.returncode}")
        return said.decode().strip()

    async def stop(self) -> int | None:
        """Ask the process to drain, wait for its end, and give its exit status."""
        return await self._end(gently=True)

    async def kill(self) -> int | None:
        """End the process as a power cut would."""
        return await self._end(gently=False)

    async def ended(self) -> int:
        """Wait until the process ends by itself, and give its exit status."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), START_TIMEOUT_S)

    def log_tail(self) -> str:
        """The last lines of the server's log."""
        if not self._log_path.exists():
            return ""
        lines = self._log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])

    async def _run(self, arguments: Sequence[str], log: IO[bytes]) -> Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._command, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=log
            )
        except OSError as error:
            raise ServerFailed(f"cannot run {shlex.join(self._command)}: {error}") from None

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
        called = shlex.join(self._command)
        return ServerFailed(f"the server ({called}): {what}\n{self.log_tail()}".rstrip())


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
