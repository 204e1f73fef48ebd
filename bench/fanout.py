"""How long is a message under way to all devices of its receiver, at a rate that keeps a core busy?

5,000 messages a second for ten seconds, from 50 senders to 50 receivers with three devices each,
all online; each device's copy is timed by the clock of the one load process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from time import perf_counter

from bench import options
from bench.machine import calibration_ms
from bench.options import Bench
from bench.peers.syncd_server import ANSWERS, BATCH, Device, Syncd, send_frames
from bench.processes import Stretch, Target
from bench.results import Results

RATE_PER_S = 5_000
SENDERS = 50
DEVICES = 3
TICK_S = 0.005


async def _fan_out(target: Target, seconds: float, results: Results) -> None:
    service = Syncd(target)
    senders: list[Device] = []
    frames: list[list[bytes]] = []
    receivers: list[list[Device]] = []
    each = int(RATE_PER_S * seconds) // SENDERS
    for place in range(SENDERS):
        devices = await service.devices([f"reader{place}"] * DEVICES)
        opened = [await service.open(BATCH, device) for device in devices]
        for device in opened:
            device.arrived = []
        sender = await service.sender()
        senders.append(await service.open(ANSWERS, sender))
        made = send_frames(sender.account, [devices[0].account] * each, each=1)
        frames.append([data for data, _ in made])
        receivers.append(opened)
    sent: list[list[float]] = [[] for _ in senders]
    with Stretch(target) as during:
        begin, done, total = perf_counter(), 0, each * SENDERS
        while done < total:
            due = min(total, int((perf_counter() - begin) * RATE_PER_S) + 1)
            for turn in range(done, due):
                place, number = turn % SENDERS, turn // SENDERS
                sent[place].append(perf_counter())
                senders[place].write(frames[place][number])
            done = due
            await asyncio.sleep(TICK_S)
        await asyncio.gather(*(line.until(each) for lines in receivers for line in lines))
    times = [
        (arrival - start) * 1e3
        for starts, lines in zip(sent, receivers, strict=True)
        for line in lines
        for start, arrival in zip(starts, line.arrived or [], strict=True)
    ]
    results.note_latencies("fanout", times, str(during))


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    given = options.parser("fanout", __doc__).parse_args(arguments)
    settings = {"rate_per_s": RATE_PER_S, "senders": SENDERS, "devices": DEVICES}
    return options.run(given, partial(_measure, results=Results("fanout", settings)))


def _measure(bench: Bench, results: Results) -> None:
    for turn in range(bench.runs):
        print(f"run {turn + 1} of {bench.runs}, calibration {calibration_ms():.0f} ms", flush=True)
        with bench.server() as target:
            asyncio.run(_fan_out(target, 2.0 if bench.quick else 10.0, results))
    results.finish()
