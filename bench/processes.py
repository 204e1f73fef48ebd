"""The real server as a process of its own: started, pinned, watched from outside, ended.

Watching is reading /proc: the server is not asked, so what is measured is the product as shipped.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import clock_gettime, monotonic, perf_counter, process_time

from websockets.exceptions import WebSocketException

_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0
_ANNOUNCEMENT = "listening on "
_KEY_NAME = "bench"

UNLIMITED = ("--account-rate", "0", "--address-rate", "0", "--key-rate", "0")
"""What the service can do is measured without the limits of what one account may ask for."""


class ServerFailed(Exception):
    """The server did not start or did not answer; the text holds the end of its log."""


FAILURES = (ServerFailed, OSError, WebSocketException)
"""What a server that is not there, or that closes a socket, raises in whoever measures it."""


# ------------------------------------------------------------ cores


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where. Both hold every core where there is but one."""

    server: frozenset[int]
    load: frozenset[int]

    def __str__(self) -> str:
        if self.server == self.load:
            return "one core for both: the load takes time from the server"
        return f"server pinned to core {min(self.server)}, load to core {min(self.load)}"


def choose_cores() -> Cores:
    """The first core for the server, the second for the load."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return Cores(frozenset(usable), frozenset(usable))
    return Cores(frozenset(usable[:1]), frozenset(usable[1:2]))


@contextmanager
def load_pinned(cores: Cores) -> Iterator[None]:
    """This process on its own cores; a SIGTERM ends it as an interrupt does, servers included."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores.load)
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        os.sched_setaffinity(0, before)


# ------------------------------------------------------------ one process from outside


def cpu_seconds(pid: int) -> float:
    """Processor time that the process has used, all its threads, user and system."""
    # Linux names the processor clock of any process so (clock_getcpuclockid of the C library,
    # which Python lacks). /proc/PID/stat counts in steps of 10 ms: too coarse for a short stretch.
    return clock_gettime((~pid << 3) | 2)


def resident_kib(pid: int) -> float:
    """The process's resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1])
    raise ProcessLookupError(pid)


@dataclass(frozen=True, slots=True)
class Target:
    """The server under measurement. `pid` is None where nobody knows its process."""

    url: str
    key: str
    pid: int | None

    @property
    def sync_url(self) -> str:
        """Where devices connect."""
        return self.url.replace("http", "ws", 1).rstrip("/") + "/v1/sync"


class Stretch:
    """How long something took, and how busy both sides were meanwhile (1.0 = one core).

    Runs from its making to `stop`, or to the end of the `with` that it was made for.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stopped = False
        self.seconds = 0.0
        self.load_share = 0.0
        self.server_cpu_s: float | None = None
        self._server_began = self._server_seconds()
        self._load_began, self._began = process_time(), perf_counter()

    def stop(self) -> None:
        """It is done; only the first call counts."""
        if self._stopped:
            return
        self._stopped = True
        self.seconds = perf_counter() - self._began
        self.load_share = (process_time() - self._load_began) / self.seconds
        now = self._server_seconds()
        if now is not None and self._server_began is not None:
            self.server_cpu_s = now - self._server_began

    def __enter__(self) -> Stretch:
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    @property
    def server_share(self) -> float | None:
        """How busy the server was; None where its process is not known."""
        return None if self.server_cpu_s is None else self.server_cpu_s / self.seconds

    def __str__(self) -> str:
        share = self.server_share
        server = "?" if share is None else f"{share:.0%}"
        return f"server {server}, load {self.load_share:.0%} of a core"

    def _server_seconds(self) -> float | None:
        return None if self._target.pid is None else cpu_seconds(self._target.pid)


# ------------------------------------------------------------ the server


@contextmanager
def serving(
    cores: Cores,
    folder: Path,
    flags: Sequence[str] = UNLIMITED,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Target]:
    """A server with an empty durable store in a new folder in `folder`; both gone afterwards.
    environment: variables beside those of this process."""
    with tempfile.TemporaryDirectory(prefix="syncd-bench-", dir=folder) as place:
        Path(place, "data").mkdir(mode=0o700)
        key = _make_key(Path(place, "data"))
        with serving_store(cores, Path(place), flags, key, environment) as target:
            yield target


@contextmanager
def serving_store(
    cores: Cores,
    folder: Path,
    flags: Sequence[str] = UNLIMITED,
    key: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Target]:
    """A server with the store that lies in `folder`/data, which stays. key: an API key of it; by
    default one is made through the server."""
    data, log = folder / "data", folder / "server.log"
    process = _start(cores, data, log, flags, os.environ | dict(environment or {}))
    try:
        url = _announced(process)
        yield Target(url, _make_key(data) if key is None else key, process.pid)
        if process.poll() is not None:
            raise ServerFailed("the server ended by itself")
    except FAILURES as failure:
        raise ServerFailed(f"{failure}\nthe end of its log:\n{_tail(log)}") from failure
    finally:
        _stop(process)


def _make_key(data: Path) -> str:
    command = [sys.executable, "-m", "syncd", "key", _KEY_NAME, "--data", str(data)]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode != 0:
        raise ServerFailed(f"no API key: {made.stderr.strip()}")
    return made.stdout.split()[-1]


def _start(
    cores: Cores, data: Path, log: Path, flags: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "syncd", "serve", "--data", str(data), "--port", "0", *flags]
    # A child inherits the cores of its parent: so its threads are pinned too, from the start.
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores.server)
    try:
        with log.open("w") as errors:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                start_new_session=True,  # an interrupt ends the measurement, which ends the server
            )
    finally:
        os.sched_setaffinity(0, own)


def _announced(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    end = monotonic() + _START_TIMEOUT_S
    while select.select([process.stdout], [], [], max(0.0, end - monotonic()))[0]:
        line = process.stdout.readline()
        if not line:
            break
        if line.startswith(_ANNOUNCEMENT):
            return line.removeprefix(_ANNOUNCEMENT).strip()
    raise ServerFailed("the server did not say where it listens")


def _stop(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
