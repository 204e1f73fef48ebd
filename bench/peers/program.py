"""A peer's server as a process: started on its cores, waited for, ended."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

from bench.peers.peer import Absent, Place
from bench.processes import ServerFailed

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0
_LOOK_S = 0.02
_LOG_CHARACTERS = 2_000


def program(name: str, package: str) -> str:
    """Where a program of Debian's `package` lies. Raises Absent."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise Absent(f"{name} is not installed (Debian's package {package})")
    return found


def about(command: Sequence[str]) -> str:
    """All that a program prints about itself."""
    said = subprocess.run(command, capture_output=True, text=True)
    return said.stdout + said.stderr


def version(command: Sequence[str]) -> str:
    """The first version number that a program prints about itself."""
    found = re.search(r"\d+(?:\.\d+)+", about(command))
    return found[0] if found else "unknown"


def free_port() -> int:
    """A port on loopback that nobody holds now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@contextmanager
def running(place: Place, command: Sequence[str], port: int, **extra: str) -> Iterator[int]:
    """The id of the process of `command`, once it accepts connections on `port`; `extra` goes into
    its environment. Raises ServerFailed with the end of its log."""
    log = place.folder / "server.log"
    process = _started(place, command, log, extra)
    try:
        _wait_for(process, port, log)
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(
    place: Place, command: Sequence[str], log: Path, extra: dict[str, str]
) -> subprocess.Popen[bytes]:
    # A child inherits the cores of its parent: so all its threads are pinned, from the start.
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, place.cores.server)
    try:
        with log.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=place.folder,
                env={**os.environ, **extra},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    finally:
        os.sched_setaffinity(0, own)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = monotonic() + _START_TIMEOUT_S
    while monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        sleep(_LOOK_S)
    said = log.read_text(errors="replace")[-_LOG_CHARACTERS:]
    raise ServerFailed(f"{process.args!r} did not start; the end of its log:\n{said}")
