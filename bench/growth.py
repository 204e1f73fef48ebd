"""What does a large store cost?

* sends/s to 10,000 accounts out of 1,000,000 that the store holds, and to accounts drawn out of all
  of them, beside sends/s to 1,000 out of 1,000: in turns, as ratios of one run;
* the time of a device that was never online, for backlogs from 1,000 to 1,000,000 entries;
* bytes written for each byte of a body, with 100,000 accounts of 100 entries each, cursors, answers
  and checkpoints included, until the journal is folded; and how long a server takes to start on
  such a store whose process died, and how much memory it has then.

The stores are filled by bench/filling.py, through the storage door; what is measured goes through
the server, but for the bytes.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

from bench import options
from bench.filling import account
from bench.machine import calibration_ms
from bench.options import Bench
from bench.peers.peer import Client
from bench.peers.syncd_server import ANSWERS, Syncd, send_frames
from bench.processes import ServerFailed, Stretch, Target, resident_kib, serving_store
from bench.results import Results
from syncd import limits

CONNECTIONS = 16
ACCOUNTS, FEW, ACTIVE = 1_000_000, 1_000, 10_000
BACKLOGS = (1_000, 10_000, 100_000, 1_000_000)
WRITTEN_ACCOUNTS, WRITTEN_EACH = 100_000, 100


@contextmanager
def _store(bench: Bench) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="syncd-bench-", dir=bench.given.folder) as place:
        yield Path(place)


def _fill(data: Path, *what: object) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.filling", str(data), *map(str, what)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ServerFailed("the store could not be filled")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


async def _sends(target: Target, accounts: Sequence[int], count: int) -> float:
    service = Syncd(target)
    each = count // CONNECTIONS
    senders = [await service.sender() for _ in range(CONNECTIONS)]
    lines = [await service.open(ANSWERS, sender) for sender in senders]
    frames = [
        send_frames(sender.account, [account(random.choice(accounts)) for _ in range(each)])
        for sender in senders
    ]
    with Stretch(target) as during:
        await asyncio.gather(
            *(
                line.flow(part, limits.UNANSWERED_MESSAGES_MAX)
                for line, part in zip(lines, frames, strict=True)
            )
        )
    for line in lines:
        line.close()
    return each * CONNECTIONS / during.seconds


def _measure_sends(bench: Bench, results: Results) -> None:
    many, count = (20_000, 8_000) if bench.quick else (ACCOUNTS, 120_000)
    active = random.sample(range(many), min(ACTIVE, many // 10))
    with _store(bench) as small, _store(bench) as large:
        _fill(small / "data", "accounts", FEW)
        _fill(large / "data", "accounts", many)
        with (
            serving_store(bench.cores, small) as few,
            serving_store(bench.cores, large) as all_of_them,
        ):
            asyncio.run(_sends(few, range(FEW), count // 4))
            asyncio.run(_sends(all_of_them, active, count // 4))
            for _ in range(bench.runs):
                few_per_s = asyncio.run(_sends(few, range(FEW), count))
                results.note("sends_1000_accounts_per_s", few_per_s)
                here = asyncio.run(_sends(all_of_them, active, count))
                results.note("sends_10000_of_1m_per_s", here, f"{many:,} accounts")
                results.note("sends_10000_of_1m_ratio", here / few_per_s)
                spread = asyncio.run(_sends(all_of_them, range(many), count))
                results.note("sends_any_of_1m_per_s", spread)
                results.note("sends_any_of_1m_ratio", spread / few_per_s)


async def _catch_up(target: Target, entries: int) -> float:
    async with Syncd(target).catch_up(entries, Client.RAW) as read:
        begin = perf_counter()
        await read()
        return perf_counter() - begin


def _measure_backlogs(bench: Bench, results: Results) -> None:
    with bench.server() as target:
        for entries in BACKLOGS[:2] if bench.quick else BACKLOGS:
            for turn in range(bench.runs):
                seconds = asyncio.run(_catch_up(target, entries))
                results.note(f"catchup_{entries}_s", seconds, f"{entries / seconds:,.0f}/s, {turn}")


def _measure_bytes(bench: Bench, results: Results) -> None:
    accounts = 2_000 if bench.quick else WRITTEN_ACCOUNTS
    with _store(bench) as folder:
        took = _fill(folder / "data", "entries", accounts, WRITTEN_EACH)
        for name, figure in took.items():
            results.note(f"filling_{name}", figure)
        begin = perf_counter()
        # Nobody asks for anything: a key is not worth the time that making one takes.
        with serving_store(bench.cores, folder, key="") as target:
            results.note("start_after_kill_s", perf_counter() - begin)
            assert target.pid is not None
            results.note("server_resident_mib", resident_kib(target.pid) / 1024)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    made = options.parser("growth", __doc__)
    made.add_argument(
        "--only", choices=("sends", "catchup", "bytes"), action="append", help="leave out the rest"
    )
    given = made.parse_args(arguments)
    if given.url:
        made.error("growth needs stores of its own")
    return options.run(given, partial(_measure, results=Results("growth", {"quick": given.quick})))


def _measure(bench: Bench, results: Results) -> None:
    print(f"calibration {calibration_ms():.0f} ms", flush=True)
    parts = {"sends": _measure_sends, "catchup": _measure_backlogs, "bytes": _measure_bytes}
    for name in bench.given.only or parts:
        parts[name](bench, results)
    results.finish()
