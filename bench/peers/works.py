"""The same work for every peer, and the figures that come of it.

Each work gets a server that was started for it alone. What a peer prepares is not timed: encoding,
filling a backlog, making accounts.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeAlias

from bench.peers.peer import Absent, Client, Peer, Server, Work
from bench.processes import Stretch, Target, resident_kib

RATE = "messages/s"
"""The only unit of which more is better."""

_CALLS = "fsync,fdatasync,sync_file_range,msync"
_PROBES = (200, 6_400)
"""Messages sent before the clock starts: to warm up, and to learn how many fill the time wanted."""
_PROBE_S = 0.5
"""What takes longer needs no further probe."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything: README.md says why so much.

    settle_s: between the last device's arrival and the look at a server's memory.
    others: messages to other people, before a backlog is made.
    """

    connections: tuple[int, ...]
    sending_s: float
    messages_max: int
    others: int
    backlogs: tuple[int, ...]
    catch_ups: int
    live_rate: int
    live_s: float
    idle: int
    settle_s: float
    storm: int
    missed: int
    straced: int


WHOLE = Plan(
    connections=(1, 4, 16),
    sending_s=2.0,
    messages_max=300_000,
    others=10_000,
    backlogs=(1_000, 10_000, 100_000),
    catch_ups=3,
    live_rate=200,
    live_s=5.0,
    idle=1_000,
    settle_s=2.0,
    storm=1_000,
    missed=10,
    straced=1_000,
)
QUICK = Plan(
    connections=(1,),
    sending_s=0.2,
    messages_max=20_000,
    others=200,
    backlogs=(1_000,),
    catch_ups=1,
    live_rate=200,
    live_s=0.5,
    idle=50,
    settle_s=0.2,
    storm=50,
    missed=10,
    straced=200,
)
"""Seconds for each peer: to see that everything runs, not to measure."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that was measured."""

    name: str
    unit: str
    value: float
    remark: str = ""


Figures: TypeAlias = AsyncIterator[Figure | Absent]
"""An Absent says why a figure is missing."""


async def send(peer: Peer, server: Server, plan: Plan) -> Figures:
    """How many messages a second become what this peer calls safe, pipelined?"""
    for connections in plan.connections:
        per_s = 0.0
        for probe in _PROBES:
            during = await _timed(peer.sends(probe, connections), server)
            per_s = probe / during.seconds
            if during.seconds > _PROBE_S:
                break
        messages = max(connections, min(plan.messages_max, int(per_s * plan.sending_s)))
        during = await _timed(peer.sends(messages, connections), server)
        yield Figure(f"sends_per_s_{connections}", RATE, messages / during.seconds, str(during))
        if during.server_cpu_s is not None:
            cpu = during.server_cpu_s / messages * 1e7
            yield Figure(f"sends_cpu_ms_{connections}", "server CPU ms/10,000", cpu)


async def catch_up(peer: Peer, server: Server, plan: Plan) -> Figures:
    """How fast does a device that was never here get everything?"""
    await _timed(peer.sends(_few(peer, plan.others), 1), server)  # others have logs, too
    for entries in plan.backlogs:
        if entries > peer.largest_backlog:
            yield Absent(f"a backlog of {entries:,} would take {peer.name} minutes")
            continue
        for client in Client:
            for _ in range(plan.catch_ups):
                try:
                    during = await _timed(peer.catch_up(entries, client), server)
                except Absent as reason:
                    yield reason
                    break
                name = f"catchup_{_short(entries)}_{client}"
                per_s = entries / during.seconds
                yield Figure(f"{name}_per_s", RATE, per_s, str(during))
                if during.server_cpu_s is not None and client is Client.RAW:
                    cpu = during.server_cpu_s / entries * 1e7
                    yield Figure(f"{name}_cpu_ms", "server CPU ms/10,000", cpu)


async def live(peer: Peer, server: Server, plan: Plan) -> Figures:
    """How long is a message under way between two devices that are online?"""
    messages = int(plan.live_rate * plan.live_s)
    sent: list[float] = []
    async with peer.talk(messages) as talk:
        began = perf_counter()
        for place in range(messages):
            await asyncio.sleep(began + place / plan.live_rate - perf_counter())
            sent.append(perf_counter())
            talk.send(place)
        await talk.until(messages)
    times = [(end - start) * 1e3 for start, end in zip(sent, talk.arrived, strict=True)]
    cuts = quantiles(times, n=100)
    yield Figure("live_p50_ms", "ms", cuts[49])
    yield Figure("live_p99_ms", "ms", cuts[98])


async def idle(peer: Peer, server: Server, plan: Plan) -> Figures:
    """How much memory of the server does a device take that has nothing to say?"""
    if server.pid is None:
        yield Absent("nobody knows the server's process")
        return
    async with peer.crowd(plan.idle // 10, 0) as warm:
        await warm()
    async with peer.crowd(plan.idle, 0) as work:
        await asyncio.sleep(plan.settle_s)
        before = resident_kib(server.pid)
        await work()
        await asyncio.sleep(plan.settle_s)
        grown = resident_kib(server.pid) - before
    yield Figure(f"idle_kib_{plan.idle}", "KiB/device", grown / plan.idle)


async def storm(peer: Peer, server: Server, plan: Plan) -> Figures:
    """How long until everybody is up to date when all come back at once?"""
    during = await _timed(peer.crowd(plan.storm, plan.missed), server)
    yield Figure(f"storm_s_{plan.storm}", "s", during.seconds, str(during))
    if during.server_cpu_s is not None:
        yield Figure(f"storm_cpu_s_{plan.storm}", "server CPU s", during.server_cpu_s)


async def fsync(peer: Peer, server: Server, plan: Plan) -> Figures:
    """How often is the disk asked to flush for 1,000 acknowledged messages, pipelined?"""
    strace = shutil.which("strace")
    if strace is None or server.pid is None:
        yield Absent("strace is not installed, or nobody knows the server's process")
        return
    messages = _few(peer, plan.straced)
    await _timed(peer.sends(messages, 1), server)
    async with peer.sends(messages, 1) as work:
        with _counted(strace, server.pid) as calls:
            await work()
    yield Figure("fsyncs_per_1000", "fsync/1,000 messages", calls() / messages * 1e3)


WORKS: dict[str, Callable[[Peer, Server, Plan], Figures]] = {
    "send": send,
    "catch_up": catch_up,
    "live": live,
    "idle": idle,
    "storm": storm,
    "fsync": fsync,
}
"""Every work, by the name that the result carries."""


# ------------------------------------------------------------ parts


async def _timed(work: AbstractAsyncContextManager[Work], server: Server) -> Stretch:
    async with work as run:
        with Stretch(Target("", "", server.pid)) as during:
            await run()
    return during


def _few(peer: Peer, wanted: int) -> int:
    """So many messages, or fewer where sending takes minutes."""
    return min(wanted, peer.largest_backlog // 10)


def _short(count: int) -> str:
    return f"{count // 1_000}k" if count % 1_000 == 0 else str(count)


@contextmanager
def _counted(strace: str, pid: int) -> Iterator[Callable[[], int]]:
    """How often the process, all its threads and children, asked for a flush within the context:
    to be called after its end."""
    with TemporaryDirectory() as folder:
        table = Path(folder, "table")
        command = [strace, "-f", "-c", "-e", f"trace={_CALLS}", "-o", str(table), "-p", str(pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        tracer.stderr.readline()  # "Process PID attached"
        said: list[str] = []
        try:
            yield lambda: sum(int(calls) for calls in re.findall(_ROW, said[0], re.MULTILINE))
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()
            said.append(table.read_text())


_ROW = rf"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) .*?\b(?:{_CALLS.replace(',', '|')})$"
"""Of strace's table: % time, seconds, usecs/call, calls, errors, syscall."""
