"""What does the store do by itself, with no server around it?

Commits of 1, 64 and 4,096 messages, from 64 senders to 1,000 accounts, two logs each; what a commit
takes; what a device that catches up is read, from pages; and how long a store takes to open whose
process died. All in a process of its own, on the server's core.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

from bench import options
from bench.filling import account, add_accounts, submission, written_bytes
from bench.machine import calibration_ms
from bench.options import Bench
from bench.raw_client import BODY_BYTES
from bench.results import Results
from syncd import limits
from syncd.model import ReadRequest, Work
from syncd.storage.sqlite import SqliteStorage, open_sqlite

SENDERS, RECIPIENTS = 64, 1_000
SIZES = (1, 64, 4_096)
BACKLOG = 100_000

Figures = dict[str, float | list[float]]


async def _fill(
    storage: SqliteStorage, size: int, messages: int, numbers: list[int]
) -> tuple[list[float], float]:
    """Send so many messages, `size` to a commit; how long each commit took, in milliseconds, and
    the processor time of all of them, in seconds."""
    times: list[float] = []
    spent = 0.0
    for _ in range(max(2, messages // size)):
        pairs = [(place % SENDERS, _recipient()) for place in range(size)]
        work = Work(submissions=tuple(submission(numbers, *pair) for pair in pairs))
        begin, cpu = perf_counter(), process_time()
        await storage.commit(work)
        times.append((perf_counter() - begin) * 1e3)
        spent += process_time() - cpu
    return times, spent


def _recipient() -> int:
    return SENDERS + random.randrange(RECIPIENTS)


async def _run(folder: Path, quick: bool) -> Figures:
    found: Figures = {}
    storage = await open_sqlite(folder)
    await add_accounts(storage, SENDERS + RECIPIENTS + 1, devices=True)
    numbers = [0] * SENDERS
    for size in SIZES:
        messages = min(size * (100 if quick else 400), 80_000)
        before = written_bytes(os.getpid())
        times, spent = await _fill(storage, size, messages, numbers)
        sent = len(times) * size
        found[f"commit_{size}"] = times
        found[f"commit_{size}_sends_per_s"] = sent / sum(times) * 1e3
        found[f"commit_{size}_cpu_per_send_ms"] = spent / sent * 1e3
        # By the commits themselves; `growth` says what folding adds.
        written = written_bytes(os.getpid()) - before
        found[f"commit_{size}_write_bytes_per_byte"] = written / (sent * 2 * BODY_BYTES)
    backlog = 10_000 if quick else BACKLOG
    reader = SENDERS + RECIPIENTS
    for _ in range(backlog // 4_000 + 1):
        pairs = [(place % SENDERS, reader) for place in range(4_000)]
        await storage.commit(Work(submissions=tuple(submission(numbers, *each) for each in pairs)))
    await storage.close()
    storage = await open_sqlite(folder)
    cpu, begin, at, head = process_time(), perf_counter(), 0, 1
    while at < head:
        request = ReadRequest(account(reader), at, limits.BATCH_BYTES_MAX)
        [page] = await storage.read([request])
        at, head = page.to, page.head
    found["read_per_s"] = head / (perf_counter() - begin)
    found["read_cpu_per_10k_ms"] = (process_time() - cpu) / head * 1e7
    # Opened again as after a crash: what is in the journal is read.
    for _ in range(4):
        await _fill(storage, 4_096, 16_384, numbers)
    await storage._resources.aclose()
    begin = perf_counter()
    storage = await open_sqlite(folder)
    found["reopen_64k_messages_s"] = perf_counter() - begin
    await storage.close()
    return found


def _in_process(cores: Sequence[int], folder: str, quick: bool) -> Figures:
    os.sched_setaffinity(0, cores)
    with tempfile.TemporaryDirectory(prefix="syncd-bench-", dir=folder) as place:
        return asyncio.run(_run(Path(place, "data"), quick))


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    made = options.parser("storage", __doc__)
    given = made.parse_args(arguments)
    if given.url:
        made.error("storage measures no server")
    settings = {"senders": SENDERS, "recipients": RECIPIENTS}
    return options.run(given, partial(_measure, results=Results("storage", settings)))


def _measure(bench: Bench, results: Results) -> None:
    for turn in range(bench.runs):
        print(f"run {turn + 1} of {bench.runs}, calibration {calibration_ms():.0f} ms", flush=True)
        with get_context("spawn").Pool(1) as pool:
            asked = (sorted(bench.cores.server), str(bench.given.folder), bench.quick)
            found = pool.apply(_in_process, asked)
        for name, figure in found.items():
            if isinstance(figure, list):
                results.note_latencies(name, figure)
            else:
                results.note(name, figure)
    results.finish()
