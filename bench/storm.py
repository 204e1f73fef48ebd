"""How long until everybody is up to date who comes back at once?

1,000 and then 5,000 devices, each of an account of its own with 10 missed messages, connect at the
same moment, say hello, are told their verdict and get what they missed. Beside them ten devices
that never left get a message each every 20 ms: their latency before and during the storm says what
it costs the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from time import perf_counter

from bench import options
from bench.machine import calibration_ms
from bench.options import Bench
from bench.peers.syncd_server import ANSWERS, BATCH, Device, Syncd, send_frames
from bench.processes import Stretch, Target
from bench.results import Results

MISSED = 10
LIVE_PAIRS = 10
LIVE_INTERVAL_S = 0.02
CALM_S = 3.0


class _Talk:
    """Pairs of devices that never left: how long their messages are under way."""

    def __init__(self, pairs: Sequence[tuple[Device, Device, list[bytes]]]) -> None:
        self._pairs = pairs
        self._sent: list[list[float]] = [[] for _ in pairs]
        for _, receiver, _ in pairs:
            receiver.arrived = []

    async def go_on(self) -> None:
        """Send until cancelled."""
        for turn in range(len(self._pairs[0][2])):
            for (sender, _, frames), sent in zip(self._pairs, self._sent, strict=True):
                sent.append(perf_counter())
                sender.write(frames[turn])
            await asyncio.sleep(LIVE_INTERVAL_S)

    def times_ms(self, begin: float, end: float) -> list[float]:
        """Of the messages that were sent in between and have come."""
        found: list[float] = []
        for (_, receiver, _), sent in zip(self._pairs, self._sent, strict=True):
            came = receiver.arrived or []
            found += [
                (arrival - start) * 1e3
                for start, arrival in zip(sent, came, strict=False)
                if begin <= start < end
            ]
        return found


async def _storm(target: Target, devices: int, results: Results) -> None:
    service = Syncd(target)
    talk = _Talk([await _pair(service) for _ in range(LIVE_PAIRS)])
    talking = asyncio.create_task(talk.go_on())
    async with service.crowd(devices, MISSED) as come_back:
        calm = perf_counter()
        await asyncio.sleep(CALM_S)
        begin = perf_counter()
        with Stretch(target) as during:
            await come_back()
        end = perf_counter()
        await asyncio.sleep(1.0)
    talking.cancel()
    with suppress(asyncio.CancelledError):
        await talking
    name, cpu = f"storm_{devices}", during.server_cpu_s
    spent = "" if cpu is None else f", server CPU per device {cpu / devices * 1e3:.2f} ms"
    results.note(f"{name}_s", during.seconds, f"{during}{spent}")
    before = results.note_latencies(f"{name}_others_before", talk.times_ms(calm, begin))
    others = talk.times_ms(begin, end)
    if len(others) > 1:
        found = results.note_latencies(f"{name}_others_during", others)
        results.note(f"{name}_others_p99_growth", found.p99 / before.p99, "during by before")


async def _pair(service: Syncd) -> tuple[Device, Device, list[bytes]]:
    one, other = await service.sender(), await service.sender()
    sender = await service.open(ANSWERS, one)
    receiver = await service.open(BATCH, other)
    frames = send_frames(one.account, [other.account] * 4_000, each=1)
    return sender, receiver, [data for data, _ in frames]


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
