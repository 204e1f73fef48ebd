"""What does a group cost: durable sends/s by its size, and what do direct messages feel of it?

A message to a group is written to the log of every member in one transaction. First one connection
sends to groups of several sizes, with as many messages unanswered as make some thousand entries;
then a group of 500 gets 20 messages a second while ten pairs of other accounts exchange 500 direct
ones a second, timed from one device to the other as in `core`. The members are not connected, but
for those that --online says.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench import options
from bench.live import Times, drain, exchange
from bench.machine import calibration_ms
from bench.options import Bench
from bench.processes import Stretch, Target
from bench.raw_client import BODY_BYTES, Credential, RawClient, make_devices, new_accounts
from bench.results import Latencies, Results
from syncd import limits
from syncd.membership import Action, Change, write_change
from syncd.model import AccountId, ConversationId, Kind
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Message, Send

SIZES = (2, 20, 200, 500)
GROUP_RATE_PER_S = 20
DIRECT_RATE_PER_S = 500
PAIRS = 10
"""Over so many pairs the direct messages are spread: no account comes near a limit of its own."""

ENTRIES_UNANSWERED = 16_384
"""Entries that unanswered messages will make: some commits' worth, as in sends.py."""

_codec = codec_for(MSGPACK_SUBPROTOCOL)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    sending_s: float
    mixed_s: float
    online: int


class Group:
    """A group whose owner is connected; the others are accounts, each with one device."""

    def __init__(self, owner: RawClient, conversation: ConversationId, size: int) -> None:
        self.owner = owner
        self.size = size
        self._conversation = conversation

    @classmethod
    async def create(cls, owner: RawClient, others: Sequence[AccountId]) -> Group:
        """Made by a message, as a device does it."""
        [name] = new_accounts("group", 1)
        group = cls(owner, ConversationId(name), len(others) + 1)
        body = write_change(Change(Action.CREATE, tuple(others)))
        await owner.send_all([(group._frame([(Kind.SYSTEM, body)]), 1)])
        return group

    def prepare(self, count: int, together: int) -> list[tuple[bytes, int]]:
        """The next messages to the group, encoded, so many to a frame."""
        frames = []
        while count > 0:
            size = min(together, count)
            count -= size
            bodies = [(Kind.MESSAGE, random.randbytes(BODY_BYTES)) for _ in range(size)]
            frames.append((self._frame(bodies), size))
        return frames

    def _frame(self, bodies: Sequence[tuple[Kind, bytes]]) -> bytes:
        messages = []
        for kind, body in bodies:
            self.owner.sent += 1
            messages.append(Message(self.owner.sent, kind, self._conversation, None, body))
        return _codec.encode(Send(tuple(messages)))


# ------------------------------------------------------------ one run


async def _by_size(target: Target, plan: Plan, results: Results) -> None:
    """One run of a single connection that sends as fast as it may."""
    others = await make_devices(target, new_accounts("member", max(SIZES) - 1))
    accounts = [each.account for each in others]
    [credential] = await make_devices(target, new_accounts("owner", 1))
    async with AsyncExitStack() as stack:
        owner = await _opened(stack, target, credential)
        seconds: dict[int, float] = {}
        for size in SIZES:
            group = await Group.create(owner, accounts[: size - 1])
            seconds[size] = 1 / await _sends(target, group, plan, results)
        least, most = SIZES[1], SIZES[-1]
        cost = (seconds[most] - seconds[least]) / (most - least) * 1e6
        results.note("member_us", cost, f"slope between {least} and {most} members")


async def _sends(target: Target, group: Group, plan: Plan, results: Results) -> float:
    unanswered = min(limits.UNANSWERED_MESSAGES_MAX, ENTRIES_UNANSWERED // group.size)
    together = max(1, unanswered // 8)
    warm = await _burst(target, group, 4 * unanswered, together)
    count = max(unanswered, round(plan.sending_s * 4 * unanswered / warm.seconds))
    during = await _burst(target, group, count, together)
    per_s, cpu = count / during.seconds, during.server_cpu_s or 0.0
    remark = (
        f"{per_s * group.size:,.0f} entries/s, {cpu / count / group.size * 1e6:.1f} us CPU each"
    )
    results.note(f"sends_{group.size}_per_s", per_s, f"{remark}; {during}")
    return per_s


async def _burst(target: Target, group: Group, count: int, together: int) -> Stretch:
    frames = group.prepare(count, together)
    with Stretch(target) as during:
        await group.owner.send_all(frames, 8 * together)
    return during


async def _mixed(target: Target, plan: Plan, results: Results) -> None:
    """One run of direct messages, alone and then beside a group of 500."""
    others = await make_devices(target, new_accounts("member", max(SIZES) - 1))
    pairs = await make_devices(target, new_accounts("pair", 2 * PAIRS))
    first, second = await make_devices(target, 2 * new_accounts("owner", 1))
    async with AsyncExitStack() as stack:
        clients = [await _opened(stack, target, each) for each in pairs]
        owner = await _opened(stack, target, first)
        group = await Group.create(owner, [each.account for each in others])
        echoes = await _opened(stack, target, second)
        while await echoes.take_batch(await echoes.receive()) is None:
            pass  # the creation itself is no message that is timed
        seated = [
            asyncio.create_task(drain(await _opened(stack, target, each)))
            for each in others[: plan.online]
        ]
        alone, during = await _directs(target, clients, plan.mixed_s)
        _note_latency(results, "alone", alone, during)
        frames = [data for data, _ in group.prepare(round(GROUP_RATE_PER_S * plan.mixed_s), 1)]
        sending = exchange(owner, echoes, frames, GROUP_RATE_PER_S)
        beside, during = await _directs(target, clients, plan.mixed_s, sending)
        _note_latency(results, "beside", beside, during)
        for each in seated:
            each.cancel()
        await asyncio.gather(*seated, return_exceptions=True)


async def _opened(stack: AsyncExitStack, target: Target, credential: Credential) -> RawClient:
    client = await RawClient.open(target, credential)
    stack.push_async_callback(client.close)
    return client


async def _directs(
    target: Target,
    clients: Sequence[RawClient],
    seconds: float,
    *beside: Coroutine[Any, Any, Times],
) -> tuple[Times, Stretch]:
    """Every second client to the one after it; what is `beside` runs at the same time."""
    rate = DIRECT_RATE_PER_S / PAIRS
    exchanges: list[Coroutine[Any, Any, Times]] = []
    for sender, receiver in zip(clients[::2], clients[1::2], strict=True):
        frames = [
            sender.prepare([receiver.verdict.account], 1)[0][0]
            for _ in range(round(rate * seconds))
        ]
        delay_s = len(exchanges) / DIRECT_RATE_PER_S
        exchanges.append(_later(delay_s, exchange(sender, receiver, frames, rate)))
    with Stretch(target) as during:
        found = await asyncio.gather(*exchanges, *beside)
    direct = found[: len(exchanges)]
    times = [each for one in direct for each in one.under_way_ms]
    late = [each for one in direct for each in one.late_ms]
    if beside:
        group = Latencies.of(found[-1].under_way_ms)
        print(f"  the group's own messages: p50 {group.p50:.1f}, p99 {group.p99:.1f} ms")
    return Times(times, late), during


async def _later(delay_s: float, exchanged: Coroutine[Any, Any, Times]) -> Times:
    """The pairs take turns: at even intervals, not all at once."""
    await asyncio.sleep(delay_s)
    return await exchanged


def _note_latency(results: Results, word: str, times: Times, during: Stretch) -> None:
    late = f"sender late by {Latencies.of(times.late_ms).p99:.1f} ms; {during}"
    results.note_latencies(f"direct_{word}", times.under_way_ms, late)


# ------------------------------------------------------------ the command


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = options.parser("groups", __doc__)
    parser.add_argument(
        "--online", type=int, default=0, help="members that are connected (at most 499; default 0)"
    )
    given = parser.parse_args(arguments)
    settings = {"group_rate_per_s": GROUP_RATE_PER_S, "direct_rate_per_s": DIRECT_RATE_PER_S}
    results = Results("groups", settings | {"online": given.online})
    return options.run(given, partial(_measure, online=given.online, results=results))


def _measure(bench: Bench, online: int, results: Results) -> None:
    plan = Plan(1.0, 3.0, online) if bench.quick else Plan(4.0, 10.0, online)
    for turn in range(bench.runs):
        print(f"run {turn + 1} of {bench.runs}, calibration {calibration_ms():.0f} ms", flush=True)
        for measure in (_by_size, _mixed):
            with bench.server() as target:
                asyncio.run(measure(target, plan, results))
    results.finish()
