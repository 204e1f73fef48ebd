"""How long until everybody is up to date who comes back at once?

1,000 and then 5,000 devices, each of an account of its own with 10 missed messages, connect at the
same moment, say hello, are told their verdict and get what they missed. Beside them ten devices
that never left get a message each every 20 ms, from a process of its own: their latency before and
during the storm says what it costs the others.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from time import perf_counter
from typing import TypeAlias

from bench import options
from bench.machine import calibration_ms
from bench.options import Bench
from bench.peers.syncd_server import ANSWERS, BATCH, Syncd, send_frames
from bench.processes import Stretch, Target
from bench.raw_client import make_devices, new_accounts
from bench.results import Results

MISSED = 10
LIVE_PAIRS = 10
LIVE_INTERVAL_S = 0.02
CALM_S = 3.0
MESSAGES_MAX = 4_000
"""Of one pair: 80 s."""


Timed: TypeAlias = list[tuple[float, float]]
"""Of each message when it was sent, by perf_counter (one clock for all processes here), and for how
many milliseconds it was under way."""


async def _talk(target: Target, parent: Connection) -> Timed:
    """What pairs of devices that never leave tell each other, until the parent says a word."""
    service = Syncd(target)
    made = await make_devices(target, new_accounts("pair", 2 * LIVE_PAIRS))
    senders = [await service.open(ANSWERS, device) for device in made[::2]]
    receivers = [await service.open(BATCH, device) for device in made[1::2]]
    frames = [
        send_frames(one.account, [other.account] * MESSAGES_MAX, each=1)
        for one, other in zip(made[::2], made[1::2], strict=True)
    ]
    for receiver in receivers:
        receiver.arrived = []
    sent: list[float] = []
    parent.send(None)
    while not parent.poll() and len(sent) < MESSAGES_MAX * LIVE_PAIRS:
        turn = len(sent) // LIVE_PAIRS
        for sender, pieces in zip(senders, frames, strict=True):
            sent.append(perf_counter())
            sender.write(pieces[turn][0])
        await asyncio.sleep(LIVE_INTERVAL_S)
    each = len(sent) // LIVE_PAIRS
    await asyncio.gather(*(receiver.until(each) for receiver in receivers))
    return [
        (start, (arrival - start) * 1e3)
        for place, receiver in enumerate(receivers)
        for start, arrival in zip(sent[place::LIVE_PAIRS], receiver.arrived or [], strict=True)
    ]


def _talk_aside(target: Target, parent: Connection) -> None:
    """The body of a process of its own: in the process that is a thousand devices coming back, an
    arrival would be noticed as late as that process gets to it."""
    parent.send(asyncio.run(_talk(target, parent)))


@contextmanager
def _talking(target: Target) -> Iterator[Callable[[], Timed]]:
    """Pairs that talk meanwhile; what is given ends it and tells the times."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_talk_aside, args=(target, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()

        def end() -> Timed:
            ours.send(None)
            times: Timed = ours.recv()
            return times

        yield end
    finally:
        process.terminate()
        process.join()


async def _storm(target: Target, devices: int, results: Results) -> None:
    service = Syncd(target)
    with _talking(target) as end_of_talk:
        async with service.crowd(devices, MISSED) as come_back:
            calm = perf_counter()
            await asyncio.sleep(CALM_S)
            begin = perf_counter()
            with Stretch(target) as during:
                await come_back()
            end = perf_counter()
        times = end_of_talk()
    name, cpu = f"storm_{devices}", during.server_cpu_s
    spent = "" if cpu is None else f", server CPU per device {cpu / devices * 1e3:.2f} ms"
    results.note(f"{name}_s", during.seconds, f"{during}{spent}")
    calm_ms = [ms for start, ms in times if calm <= start < begin]
    others_ms = [ms for start, ms in times if begin <= start < end]
    before = results.note_latencies(f"{name}_others_before", calm_ms)
    if len(others_ms) > 1:
        found = results.note_latencies(f"{name}_others_during", others_ms)
        results.note(f"{name}_others_p99_growth", found.p99 / before.p99, "during by before")


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    given = options.parser("storm", __doc__).parse_args(arguments)
    return options.run(given, partial(_measure, results=Results("storm", {"missed": MISSED})))


def _measure(bench: Bench, results: Results) -> None:
    for turn in range(bench.runs):
        print(f"run {turn + 1} of {bench.runs}, calibration {calibration_ms():.0f} ms", flush=True)
        for devices in (200,) if bench.quick else (1_000, 5_000):
            with bench.server() as target:
                asyncio.run(_storm(target, devices, results))
    results.finish()
