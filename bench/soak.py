"""Does anything grow that should not, in minutes of mixed traffic?

40 people with two devices each: one talks to others, at 200 messages a second in all, one listens;
every few seconds a device goes away and comes back to what it missed. Every ten seconds the
server's memory and the latency of live messages are looked at. The last figures compare the second
half with the first.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from statistics import median
from time import perf_counter

from rich.progress import Progress

from bench import options
from bench.machine import calibration_ms
from bench.options import Bench
from bench.peers.syncd_server import ANSWERS, BATCH, Device, Syncd, send_frames
from bench.processes import Target, resident_kib
from bench.results import Results
from syncd import limits

PEOPLE = 40
RATE_PER_S = 200
SAMPLE_S = 10.0
AWAY_EVERY_S = 3.0

_FRAMES = 500


class _Person:
    """Somebody's two devices. The listening one of each pair is timed."""

    def __init__(self, service: Syncd, place: int) -> None:
        self._service = service
        self._name = f"person{place}"
        self._frames: list[bytes] = []
        self.sent: list[float] = []
        self.line: Device
        self.listener: Device

    async def arrive(self, friend: str) -> None:
        """Both devices connect; what is to be said to the friend is made ready."""
        one, self._listening = await self._service.devices([self._name] * 2)
        self._account, self._friend = one.account, friend
        self.line = await self._service.open(ANSWERS, one)
        await self._listen()

    async def _listen(self) -> None:
        self.listener = await self._service.open(BATCH, self._listening)
        self.listener.arrived = []

    def say(self) -> None:
        """The next message."""
        if not self._frames:
            accounts = self._service.accounts([self._friend] * _FRAMES)
            begin = len(self.sent) + 1
            made = send_frames(self._account, accounts, each=1, begin=begin)
            self._frames = [data for data, _ in reversed(made)]
        self.sent.append(perf_counter())
        self.line.write(self._frames.pop())

    async def go_and_come_back(self) -> None:
        """The listening device leaves, and returns as one that holds nothing."""
        self.listener.close()
        await asyncio.sleep(0.2)
        await self._listen()


async def _soak(target: Target, minutes: float, results: Results) -> None:
    service = Syncd(target)
    people = [_Person(service, place) for place in range(PEOPLE)]
    for place, person in enumerate(people):
        await person.arrive(f"person{(place + 1) % PEOPLE}")
    talking = asyncio.create_task(_talk(people))
    going = asyncio.create_task(_come_and_go(people))
    resident: list[float] = []
    latencies: list[float] = []
    with Progress() as progress:
        task = progress.add_task("soak", total=int(minutes * 60 / SAMPLE_S))
        for _ in range(int(minutes * 60 / SAMPLE_S)):
            before = [len(each.sent) for each in people]
            await asyncio.sleep(SAMPLE_S)
            progress.advance(task)
            if target.pid is not None:
                resident.append(resident_kib(target.pid) / 1024)
                results.note("resident_mib", resident[-1])
            said = sum(len(each.sent) for each in people) - sum(before)
            results.note("sends_per_s", said / SAMPLE_S)
            latencies.append(await _round_trip(service))
            results.note("round_trip_ms", latencies[-1])
    for task_of in (talking, going):
        task_of.cancel()
        with suppress(asyncio.CancelledError):
            await task_of
    for name, values in (("resident", resident), ("round_trip", latencies)):
        if len(values) >= 4:
            half = len(values) // 2
            ratio = median(values[half:]) / median(values[:half])
            results.note(f"{name}_growth", ratio, "the second half by the first; 1 is none")


async def _talk(people: Sequence[_Person]) -> None:
    begin, said = perf_counter(), 0
    while True:
        due = int((perf_counter() - begin) * RATE_PER_S)
        for _ in range(due - said):
            random.choice(people).say()
        said = due
        await asyncio.sleep(0.005)


async def _come_and_go(people: Sequence[_Person]) -> None:
    while True:
        await asyncio.sleep(AWAY_EVERY_S)
        await random.choice(people).go_and_come_back()


async def _round_trip(service: Syncd) -> float:
    """The median of some messages to a device of the same load, in milliseconds."""
    one, other = await service.sender(), await service.sender()
    sender, receiver = await service.open(ANSWERS, one), await service.open(BATCH, other)
    frames = send_frames(one.account, [other.account] * 20, each=1)
    times: list[float] = []
    for count, (data, _) in enumerate(frames, 1):
        begin = perf_counter()
        sender.write(data)
        await receiver.until(count)
        times.append((perf_counter() - begin) * 1e3)
    sender.close()
    receiver.close()
    return median(times)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    made = options.parser("soak", __doc__)
    made.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    given = made.parse_args(arguments)
    minutes = 0.5 if given.quick else given.minutes
    results = Results("soak", {"minutes": minutes, "unfolded_mib": limits.UNFOLDED_MIB})
    return options.run(given, partial(_measure, minutes=minutes, results=results))


def _measure(bench: Bench, minutes: float, results: Results) -> None:
    print(f"calibration {calibration_ms():.0f} ms", flush=True)
    with bench.server() as target:
        asyncio.run(_soak(target, minutes, results))
    results.finish()
