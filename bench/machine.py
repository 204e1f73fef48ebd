"""On what a figure was measured: the commit, the machine, its cores, its disk, its mood."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypedDict

UNKNOWN = "unknown"

_CALIBRATION_TURNS = 500_000
_WITHOUT_A_DISK = ("tmpfs", "ramfs")


class Machine(TypedDict):
    """What a reader must know before comparing two figures."""

    cores: int
    model: str
    python: str
    kernel: str


def commit() -> str:
    """The commit of the checkout that this package lies in, or "unknown"."""
    command = ["git", "rev-parse", "--verify", "HEAD"]
    try:
        found = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return found.stdout.strip() or UNKNOWN


def machine() -> Machine:
    """Cores that this process may use, their model name, the Python and the kernel."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        model=_model(),
        python=platform.python_version(),
        kernel=os.uname().release,
    )


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return UNKNOWN
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine() or UNKNOWN)


def calibration_ms() -> float:
    """How long a fixed Python loop takes now: two figures compare only at like calibrations."""
    times: list[float] = []
    for _ in range(3):
        start, total = perf_counter(), 0
        for turn in range(_CALIBRATION_TURNS):
            total += turn
        times.append((perf_counter() - start) * 1e3)
    return median(times)


def filesystem_of(folder: Path) -> str:
    """The kind of file system that `folder` lies on."""
    place, best, kind = str(folder.resolve()), "", UNKNOWN
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mounted, found, *_ = line.split()
        inside = place == mounted or place.startswith(mounted.rstrip("/") + "/")
        if inside and len(mounted) >= len(best):
            best, kind = mounted, found
    return kind


def is_on_a_disk(folder: Path) -> bool:
    """Whether a flush in `folder` reaches anything beyond memory."""
    return filesystem_of(folder) not in _WITHOUT_A_DISK


def raise_open_files() -> int:
    """Raise the limit of open files as far as it goes, children included; the new limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
