"""How long until everybody is up to date who comes back at once?

1,000 and then 5,000 devices, each of an account of its own with 10 missed messages, connect at the
same moment, say hello, are told their verdict and get what they missed. Beside them ten devices
that never left get a message each every 20 ms, in a process of its own, for which that of the crowd
makes room: their latency before and during the storm says what it costs the others.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from time import perf_counter, sleep
from typing import Any, NamedTuple, TypeAlias

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

Body: TypeAlias = Callable[[Connection], Coroutine[Any, Any, object]]
"""What a process does; it sends one word when it is ready, and waits for one."""


class Storm(NamedTuple):
    """From when to when everybody came back, by perf_counter, and what that took."""

    begin: float
    end: float
    server_cpu_s: float | None
    load: str


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


async def _come_back(target: Target, devices: int, parent: Connection) -> Storm:
    """What the crowd does, when the parent says a word."""
    async with Syncd(target).crowd(devices, MISSED) as come_back:
        parent.send(None)
        parent.recv()
        # A thousand machines of their own would not keep the bystanders' one waiting, either: on
        # the core that both processes share the crowd makes room at once.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        begin = perf_counter()
        with Stretch(target) as during:
            await come_back()
        return Storm(begin, perf_counter(), during.server_cpu_s, str(during))


def _run_aside(body: Body, parent: Connection) -> None:
    parent.send(asyncio.run(body(parent)))


@contextmanager
def _aside(body: Body) -> Iterator[Callable[[], Any]]:
    """`body` in a process of its own, ready; what is given says the word to it, waits for its end
    and tells what it found."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_run_aside, args=(body, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        ours.recv()

        def go() -> Any:
            ours.send(None)
            return ours.recv()

        yield go
    finally:
        process.terminate()
        process.join()


def _storm(target: Target, devices: int, results: Results) -> None:
    with _aside(partial(_talk, target)) as end_of_talk:
        with _aside(partial(_come_back, target, devices)) as come_back:
            calm = perf_counter()
            sleep(CALM_S)
            storm: Storm = come_back()
        times: Timed = end_of_talk()
    name, cpu = f"storm_{devices}", storm.server_cpu_s
    spent = "" if cpu is None else f", server CPU per device {cpu / devices * 1e3:.2f} ms"
    results.note(f"{name}_s", storm.end - storm.begin, f"{storm.load}{spent}")
    calm_ms = [ms for start, ms in times if calm <= start < storm.begin]
    others_ms = [ms for start, ms in times if storm.begin <= start < storm.end]
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
                _storm(target, devices, results)
    results.finish()
