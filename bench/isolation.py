"""Does one abusive account slow down the others?

Ordinary accounts in pairs write to each other at a steady rate; how long a message is under way is
measured without and with one abuser, in turns against the same real server with its default limits
(only those per address are off: here everybody comes from one). The abusers know the protocol and
have valid tokens. A growth compares the p99 of a stretch with the quiet ones just before and just
after it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from statistics import quantiles
from time import perf_counter
from typing import TypeAlias

from websockets.exceptions import WebSocketException

from bench import options, sends
from bench.machine import calibration_ms
from bench.options import Bench
from bench.processes import ServerFailed, Stretch, Target
from bench.raw_client import Credential, RawClient, encode, make_devices, new_accounts
from bench.results import Results
from syncd import limits
from syncd.membership import Action, Change, write_change
from syncd.model import AccountId, ConversationId, Kind
from syncd.wire.frames import Message, Send

PAIRS = 10
RATE_PER_S = 20
"""Of each pair: 200 messages a second in all, as in `bench core`."""

BACKLOG = 100_000
FILLERS = 80
GROUP = 500
FLOOD_SOCKETS = 20
_SETTLE_S = 1.0
_ARRIVAL_TIMEOUT_S = 60.0
_FLAGS = ("--address-rate", "0", "--key-rate", "0")

Abuser: TypeAlias = Callable[[Target, Sequence[Credential]], Awaitable[None]]


@dataclass(slots=True)
class Pair:
    """Two people; one writes, the other one's device says when it came."""

    sender: RawClient
    receiver: RawClient

    async def talk(self, seconds: float) -> list[float]:
        """Milliseconds that each message was under way."""
        count = round(seconds * RATE_PER_S)
        to = [self.receiver.verdict.account]
        frames = [self.sender.prepare(to, 1)[0][0] for _ in range(count)]
        arriving = asyncio.create_task(self._arrivals(count))
        echoes = asyncio.create_task(self._echoes(count))
        sent: list[float] = []
        start = perf_counter() + random.random() / RATE_PER_S
        for turn, data in enumerate(frames):
            await asyncio.sleep(start + turn / RATE_PER_S - perf_counter())
            sent.append(perf_counter())
            await self.sender.socket.send(data)
        arrived = await asyncio.wait_for(arriving, _ARRIVAL_TIMEOUT_S)
        await asyncio.wait_for(echoes, _ARRIVAL_TIMEOUT_S)
        return [(end - begin) * 1e3 for begin, end in zip(sent, arrived, strict=True)]

    async def _arrivals(self, count: int) -> list[float]:
        times: list[float] = []
        while len(times) < count:
            data = await self.receiver.receive()
            now = perf_counter()
            batch = await self.receiver.take_batch(data)
            if batch is not None:
                times.extend([now] * (batch.to - batch.prev))
        return times

    async def _echoes(self, count: int) -> None:
        while count:
            batch = await self.sender.take_batch(await self.sender.receive())
            count -= 0 if batch is None else batch.to - batch.prev


# ------------------------------------------------------------ abusers


async def flood(target: Target, devices: Sequence[Credential]) -> None:
    """Send as fast as the server takes it, to itself, over a socket for each device."""

    async def pour(device: Credential) -> None:
        client = await RawClient.open(target, device)
        while True:
            await client.send_all(client.prepare([device.account], limits.UNANSWERED_MESSAGES_MAX))

    await asyncio.gather(*map(pour, devices))


async def flood_group(target: Target, devices: Sequence[Credential]) -> None:
    """Send to a group of the largest size, in frames of many messages."""
    client = await RawClient.open(target, devices[0])
    group = ConversationId(f"club-{client.verdict.device}")
    others = tuple(each.account for each in devices[1:])
    change = Change(Action.CREATE, others, ())
    created = Message(1, int(Kind.SYSTEM), group, None, write_change(change))
    client.sent += 1
    await client.send_all([(encode(Send((created,))), 1)])
    while True:
        first = client.sent + 1
        numbers = range(first, first + 128)
        client.sent += len(numbers)
        body = bytes(100)
        messages = tuple(Message(each, int(Kind.MESSAGE), group, None, body) for each in numbers)
        await client.send_all([(encode(Send(messages)), len(messages))])


async def pull(target: Target, devices: Sequence[Credential]) -> None:
    """Fetch a whole backlog from its beginning, drop it, and begin again."""
    while True:
        client = await RawClient.open(target, devices[0])
        to = 0
        while to < BACKLOG:
            batch = await client.take_batch(await client.receive())
            to = to if batch is None else batch.to
        await client.close()


async def reconnect(target: Target, devices: Sequence[Credential]) -> None:
    """Connect, say hello, hang up, at once again, whatever the server asks for."""
    while True:
        with suppress(WebSocketException, ServerFailed, OSError):
            client = await RawClient.open(target, devices[0])
            await client.close()


@dataclass(frozen=True, slots=True)
class Abuse:
    """One kind of abuser."""

    name: str
    behave: Abuser
    devices: int = 1
    """Of one account; for a group, of as many accounts."""
    in_group: bool = False
    backlog: int = 0


ABUSES = (
    Abuse("flood_1_socket", flood),
    Abuse("flood_20_sockets", flood, FLOOD_SOCKETS),
    Abuse("backlog_of_100k", pull, backlog=BACKLOG),
    Abuse("reconnect_loop", reconnect),
    Abuse("flood_of_a_group", flood_group, GROUP, in_group=True),
)


# ------------------------------------------------------------ measuring


@asynccontextmanager
async def _people(target: Target) -> AsyncIterator[list[Pair]]:
    credentials = await make_devices(target, new_accounts("pair", 2 * PAIRS))
    clients = [await RawClient.open(target, each) for each in credentials]
    try:
        yield [Pair(*clients[place : place + 2]) for place in range(0, 2 * PAIRS, 2)]
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def _prepared(target: Target, abuse: Abuse) -> list[Credential]:
    """The abuser's devices, with what they need."""
    accounts: list[AccountId] = new_accounts("abuser", abuse.devices if abuse.in_group else 1)
    devices = await make_devices(target, accounts * (1 if abuse.in_group else abuse.devices))
    if abuse.backlog:
        await _fill(target, accounts[0], abuse.backlog)
    return devices


async def _fill(target: Target, account: AccountId, count: int) -> None:
    # By many, because each of them may send only so much at once.
    fillers = await make_devices(target, new_accounts("filler", FILLERS))
    with Stretch(target) as during:
        await asyncio.gather(
            *(sends.fill(target, each, account, count // FILLERS) for each in fillers)
        )
    print(f"  a backlog of {count:,} in {during.seconds:.0f} s", flush=True)


async def _p99(pairs: Sequence[Pair], seconds: float) -> float:
    times = await asyncio.gather(*(pair.talk(seconds) for pair in pairs))
    return quantiles([each for one in times for each in one], n=100)[98]


async def _abused(
    target: Target, abuse: Abuse, devices: Sequence[Credential], pairs: Sequence[Pair], s: float
) -> tuple[float, Stretch]:
    misbehaving = asyncio.ensure_future(abuse.behave(target, devices))
    try:
        await asyncio.sleep(_SETTLE_S)
        if misbehaving.done():
            await misbehaving
        with Stretch(target) as during:
            return await _p99(pairs, s), during
    finally:
        misbehaving.cancel()
        await asyncio.gather(misbehaving, return_exceptions=True)


async def _compare(
    target: Target, runs: int, seconds: float, chosen: Sequence[Abuse], results: Results
) -> None:
    devices = {abuse: await _prepared(target, abuse) for abuse in chosen}
    async with _people(target) as pairs:
        await _p99(pairs, _SETTLE_S)
        for run in range(runs):
            print(f"run {run + 1} of {runs}, calibration {calibration_ms():.0f} ms", flush=True)
            for abuse in chosen:
                before = await _p99(pairs, seconds)
                abused, during = await _abused(target, abuse, devices[abuse], pairs, seconds)
                await asyncio.sleep(_SETTLE_S)
                quiet = (before + await _p99(pairs, seconds)) / 2
                results.note(f"{abuse.name}_quiet_p99_ms", quiet)
                results.note(f"{abuse.name}_p99_ms", abused, str(during))
                results.note(f"{abuse.name}_p99_growth", abused / quiet)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = options.parser("isolation", __doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each stretch (default 5)")
    parser.add_argument("--unlimited", action="store_true", help="no --account-rate either")
    parser.add_argument("--only", default="", help="abusers whose name holds this text")
    given = parser.parse_args(arguments)
    settings = {"seconds": given.seconds, "unlimited": given.unlimited, "only": given.only}
    return options.run(given, partial(_measure, results=Results("isolation", settings)))


def _measure(bench: Bench, results: Results) -> None:
    given = bench.given
    chosen = [abuse for abuse in ABUSES if given.only in abuse.name]
    flags = (*_FLAGS, "--account-rate", "0") if given.unlimited else _FLAGS
    with bench.server(flags) as target:
        seconds = 1.0 if bench.quick else given.seconds
        asyncio.run(_compare(target, bench.runs, seconds, chosen, results))
    results.finish()
