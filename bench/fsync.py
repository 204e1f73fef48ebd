"""What does one durable write cost on this machine, with no service at all?

Appends to one file, each followed by fdatasync: the floor under every durable answer, and the
figure to put beside sends per second. A medium that answers in some 50 us answers from memory that
it trusts; a disk that must move or program something takes 0.5 to 10 ms.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from bench.machine import filesystem_of, is_on_a_disk
from bench.results import Results

SIZES = (128, 4096, 65536)
"""Bytes per write: one small entry, one page, a commit of some hundred messages."""

WRITES = 2_000


def microseconds(folder: Path, size: int, writes: int) -> list[float]:
    """How long each of `writes` appends of `size` bytes took until it was durable."""
    data, times = os.urandom(size), []
    with tempfile.NamedTemporaryFile(dir=folder, prefix="bench-fsync-") as file:
        descriptor = file.fileno()
        for _ in range(writes):
            start = perf_counter()
            os.write(descriptor, data)
            os.fdatasync(descriptor)
            times.append((perf_counter() - start) * 1e6)
    return times


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser("python -m bench fsync", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--writes", type=int, default=WRITES)
    given = parser.parse_args(arguments)
    print(f"appends to a file in {given.folder} ({filesystem_of(given.folder)}), fdatasync each")
    if not is_on_a_disk(given.folder):
        print("! this folder is in memory: nothing here is durable; choose another with --folder")
    results = Results("fsync", {"writes": given.writes})
    for size in SIZES:
        times = microseconds(given.folder, size, given.writes)
        cuts = quantiles(times, n=100)
        results.note(f"append_{size}_per_s", len(times) / sum(times) * 1e6)
        for percent in (50, 95, 99):
            results.note(f"append_{size}_p{percent}_us", cuts[percent - 1])
    results.finish()
    return 0
