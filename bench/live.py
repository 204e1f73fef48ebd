"""How long is a message under way from one online device to another, fsync included?

A sender writes 200 messages a second, each in a frame of its own, at even intervals; the receiver
is a device of another account on another socket. Both live in the load process, so one clock times
both ends. The time runs from the moment before the frame is handed to the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

from bench.processes import Stretch, Target
from bench.raw_client import Credential, RawClient

RATE_PER_S = 200

_ARRIVAL_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Of all messages of one run, in milliseconds."""

    p50_ms: float
    p99_ms: float
    worst_ms: float
    sender_late_ms: float
    """How late the sender was against its own timetable, at the 99th percentile."""
    during: Stretch


@dataclass(frozen=True, slots=True)
class Times:
    """Of some messages, in milliseconds: under way, and late against the sender's timetable."""

    under_way_ms: list[float]
    late_ms: list[float]


async def measure(target: Target, pair: Sequence[Credential], seconds: float) -> Latency:
    """From the first device of `pair` to the second, for about `seconds`; both logs are empty."""
    sender = await RawClient.open(target, pair[0])
    receiver = await RawClient.open(target, pair[1])
    count = round(RATE_PER_S * seconds)
    frames = [sender.prepare([pair[1].account], 1)[0][0] for _ in range(count)]
    with Stretch(target) as during:
        seen = await exchange(sender, receiver, frames, RATE_PER_S)
    await sender.close()
    await receiver.close()
    times, late = seen.under_way_ms, seen.late_ms
    return Latency(
        median(times), quantiles(times, n=100)[98], max(times), quantiles(late, n=100)[98], during
    )


async def exchange(
    sender: RawClient, receiver: RawClient, frames: Sequence[bytes], rate_per_s: float
) -> Times:
    """How long each frame, of one message, was under way to `receiver`, which may be the sender:
    then it is the way to the own echo. Nothing else may come into the receiver's log."""
    arriving = asyncio.create_task(_arrivals(receiver, len(frames)))
    echoes = None if sender is receiver else asyncio.create_task(drain(sender))
    sent, late = await _send(sender, frames, rate_per_s)
    arrived = await asyncio.wait_for(arriving, _ARRIVAL_TIMEOUT_S)
    if echoes is not None:
        echoes.cancel()
        await asyncio.gather(echoes, return_exceptions=True)
    return Times([(end - start) * 1e3 for start, end in zip(sent, arrived, strict=True)], late)


async def _send(
    sender: RawClient, frames: Sequence[bytes], rate_per_s: float
) -> tuple[list[float], list[float]]:
    """When each frame was sent, and how many ms after its due time."""
    sent: list[float] = []
    late: list[float] = []
    start = perf_counter()
    for turn, data in enumerate(frames):
        due = start + turn / rate_per_s
        await asyncio.sleep(due - perf_counter())
        sent.append(perf_counter())
        late.append((sent[-1] - due) * 1e3)
        await sender.socket.send(data)
    return sent, late


async def _arrivals(receiver: RawClient, count: int) -> list[float]:
    """When each of `count` entries came; those of one batch came together."""
    times: list[float] = []
    while len(times) < count:
        data = await receiver.receive()
        now = perf_counter()
        batch = await receiver.take_batch(data)
        if batch is not None:
            times.extend([now] * (batch.to - batch.prev))
    return times


async def drain(sender: RawClient) -> None:
    """Take the sender's answers and echoes off its socket, as a real device does; for ever."""
    while True:
        await sender.take_batch(await sender.receive())
