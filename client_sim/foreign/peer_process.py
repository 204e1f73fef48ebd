"""Somebody else's server as a process of our own: on a free loopback port, in a folder that goes
with it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from client_sim.foreign.serving import Failed

START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 5.0
LOOK_AGAIN_S: Final = 0.02
PLACES: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
"""Debian puts servers where an ordinary PATH does not look."""


def found(program: str) -> str | None:
    """Where a program is installed, if it is."""
    return shutil.which(program) or shutil.which(program, path=PLACES)


class PeerProcess:
    """Its folder is there from the beginning; `start` runs a command, `close` ends everything."""

    def __init__(self, program: str) -> None:
        """Raises Failed where the program is not installed."""
        path = found(program)
        if path is None:
            raise Failed(f"{program} is not installed here (Debian: apt install {program})")
        self.program, self.port = path, _free_port()
        self._folder = tempfile.TemporaryDirectory(prefix=f"client-sim-{program}-")
        self.folder = Path(self._folder.name)
        self._log = self.folder / "said.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, arguments: Sequence[str]) -> None:
        """Run the program until it listens at `port`; nothing where it runs. Raises Failed."""
        if self._process is not None:
            return
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + START_TIMEOUT_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until:
                self.end(signal.SIGKILL)
                raise Failed(f"{self.program} did not start:\n{self.said()}")
            time.sleep(LOOK_AGAIN_S)

    def end(self, number: signal.Signals) -> None:
        """End the process by this signal, and wait for it. Nothing where it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End the process; the folder is gone."""
        self.end(signal.SIGTERM)
        self._folder.cleanup()

    def said(self) -> str:
        """What it printed."""
        return self._log.read_text(errors="replace")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            return True
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
