"""Does anything grow that should not, in minutes of mixed traffic?

40 people with two devices each: one talks to others, at 200 messages a second in all, one listens;
every few seconds a device goes away and comes back as one that holds nothing. Every ten seconds the
server's memory, its write-ahead log and the latency of one more pair's messages are looked at. The
last figures compare the second half with the first.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.progress import Progress

from bench import options
from bench.machine import calibration_ms
from bench.options import Bench
from bench.peers.syncd_server import ANSWERS, BATCH, Device, Syncd, send_frames
from bench.processes import Target, resident_kib
from bench.results import Latencies, Results
from syncd import limits
from syncd.model import AccountId

PEOPLE = 40
RATE_PER_S = 200
SAMPLE_S = 10.0
AWAY_EVERY_S = 3.0
LIVE_MESSAGES = 200
"""Of the pair whose latencies are taken, in each sample."""

_FRAMES = 500


class _Person:
    """Somebody's two devices: one talks, one listens."""

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
    pair = await _Pair.open(service)
    samples: dict[str, list[float]] = {}

    def note(name: str, figure: float) -> None:
        samples.setdefault(name, []).append(figure)
        results.note(name, figure)

    with Progress() as progress:
        task = progress.add_task("soak", total=int(minutes * 60 / SAMPLE_S))
        for _ in range(int(minutes * 60 / SAMPLE_S)):
            before, begin = sum(len(each.sent) for each in people), perf_counter()
            seen = await pair.talk(LIVE_MESSAGES)
            progress.advance(task)
            note("live_p50_ms", seen.p50)
            note("live_p99_ms", seen.p99)
            if target.pid is not None:
                note("resident_mib", resident_kib(target.pid) / 1024)
                note("wal_mib", _wal_mib(target.pid))
            said = sum(len(each.sent) for each in people) - before
            results.note("sends_per_s", said / (perf_counter() - begin))
    for task_of in (talking, going):
        task_of.cancel()
        with suppress(asyncio.CancelledError):
            await task_of
    for name, values in samples.items():
        half = len(values) // 2
        if half >= 2 and (first := median(values[:half])):
            growth = median(values[half:]) / first
            results.note(f"{name}_growth", growth, "the second half by the first; 1 is none")


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


class _Pair:
    """Two devices that stay: how long their messages are under way, beside all others."""

    def __init__(self, account: AccountId, peer: AccountId, sender: Device, receiver: Device):
        self._from, self._to = account, peer
        self._sender, self._receiver = sender, receiver
        self._count = 0

    @classmethod
    async def open(cls, service: Syncd) -> _Pair:
        """Both devices, of accounts of their own."""
        one, other = await service.sender(), await service.sender()
        sender, receiver = await service.open(ANSWERS, one), await service.open(BATCH, other)
        return cls(one.account, other.account, sender, receiver)

    async def talk(self, messages: int) -> Latencies:
        """Send so many at even intervals, for as long as a sample takes."""
        begin = self._count + 1
        frames = send_frames(self._from, [self._to] * messages, each=1, begin=begin)
        self._count += messages
        sent: list[float] = []
        arrived: list[float] = []
        self._receiver.arrived = arrived
        for data, _ in frames:
            sent.append(perf_counter())
            self._sender.write(data)
            await asyncio.sleep(SAMPLE_S / messages)
        await self._receiver.until(self._count)
        pairs = zip(sent, arrived, strict=True)
        return Latencies.of([(arrival - start) * 1e3 for start, arrival in pairs])


def _wal_mib(pid: int) -> float:
    """The size of the write-ahead log that the process holds open."""
    files = [Path(os.path.realpath(each)) for each in Path(f"/proc/{pid}/fd").iterdir()]
    return sum(file.stat().st_size for file in set(files) if file.name.endswith("-wal")) / 2**20


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    made = options.parser("soak", __doc__)
    made.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    given = made.parse_args(arguments)
    minutes = 0.7 if given.quick else given.minutes
    results = Results("soak", {"minutes": minutes, "unfolded_mib": limits.UNFOLDED_MIB})
    return options.run(given, partial(_measure, minutes=minutes, results=results))


def _measure(bench: Bench, minutes: float, results: Results) -> None:
    print(f"calibration {calibration_ms():.0f} ms", flush=True)
    with bench.server() as target:
        asyncio.run(_soak(target, minutes, results))
    results.finish()
