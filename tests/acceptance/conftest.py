"""The real thing: `python -m syncd` as processes of their own, on free ports, over new folders."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from client_sim.house import CannotDo
from client_sim.live.faulty_disk import FaultyDisk, compiled

_PATIENCE_S = 60.0
"""No test waits so long; a process that hangs ends the test instead of the whole run."""


@dataclass
class Commands:
    """Runs `syncd` commands over one data folder."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "syncd", *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )

    def token(self, account: str, name: str = "PC1", platform: str = "pc") -> str:
        """The token of a new device."""
        return self._result("token", account, "--device-name", name, "--platform", platform)

    def key(self, name: str = "test") -> str:
        """A new API key."""
        return self._result("key", name)

    def _result(self, *arguments: str) -> str:
        ran = self.run(*arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def _environment(self) -> dict[str, str]:
        # Warnings are errors in the processes, too.
        ours = {"SYNCD_DATA": str(self.data), "PYTHONWARNINGS": "error"}
        kept = {name: text for name, text in os.environ.items() if not name.startswith("SYNCD_")}
        return kept | ours | self.environment


@dataclass
class ServerProcess(Commands):
    """A server that runs, and commands that meet it."""

    process: subprocess.Popen[str] = field(init=False)
    url: str = field(init=False, default="")
    log: Path = field(init=False)

    def start(self, *flags: str) -> None:
        """Start it; returns once it serves requests."""
        self.log = self.data.with_name(self.data.name + ".log")
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "syncd", "serve", "--port", "0", *flags],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        impatience = threading.Timer(_PATIENCE_S, self.process.kill)
        impatience.start()
        line = self.process.stdout.readline()
        impatience.cancel()
        if not line.startswith("listening on http://"):
            self.wait()
            raise AssertionError(f"it did not start:\n{self.logged()}")
        self.url = line.removeprefix("listening on ").strip()

    @property
    def websocket_url(self) -> str:
        """The sync address."""
        return self.url.replace("http://", "ws://") + "/v1/sync"

    @property
    def port(self) -> int:
        """The real one."""
        return int(self.url.rpartition(":")[2])

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; its exit status."""
        self.process.send_signal(with_signal)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; its exit status."""
        status = self.process.wait(_PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def logged(self) -> str:
        """Everything that it has logged, over all its starts."""
        return self.log.read_text()


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Commands over a folder in which no server runs."""
    return Commands(tmp_path / "data")


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers: `start_server(*flags, data=..., environment=...)`; kills what is left."""
    started: list[ServerProcess] = []

    def start(
        *flags: str, data: Path | None = None, environment: dict[str, str] | None = None
    ) -> ServerProcess:
        server = ServerProcess(data or tmp_path / "data", environment or {})
        server.start(*flags)
        started.append(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)


@pytest.fixture
def server(start_server: Callable[..., ServerProcess]) -> ServerProcess:
    """A server with nothing in it."""
    return start_server()


@pytest.fixture
def disk(tmp_path: Path) -> FaultyDisk:
    """A disk on which nothing is wrong yet, for the store in `data`."""
    try:
        library = compiled()
    except CannotDo as reason:
        pytest.skip(str(reason))
    return FaultyDisk(tmp_path / "faults", tmp_path / "data", library)
