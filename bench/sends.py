"""How many messages a second does the server make durable, from one connection and from many?

Every connection keeps messages unanswered, 128 to a frame, each to one of 1,000 accounts drawn at
random: as many as the protocol allows to one device, and 16,384 over all connections, which is some
commits' worth and less than what the server refuses as busy. An answer comes after the fsync; the
sender's own copy of each message is part of the work, and comes back to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.processes import Stretch, Target
from bench.raw_client import MESSAGES_PER_FRAME, Credential, RawClient
from syncd import limits
from syncd.model import AccountId

UNANSWERED_IN_ALL = 16_384
"""Four of the largest commits: enough that the next one is always full when one ends."""

WARM_MESSAGES = 2_048
"""Sent before the clock starts, in all: they also say how many fill the time wanted."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was reached."""

    per_s: float
    messages: int
    during: Stretch


async def measure(
    target: Target, senders: Sequence[Credential], recipients: Sequence[AccountId], seconds: float
) -> Sent:
    """Messages answered per second, over about `seconds`, by one connection per sender."""
    async with AsyncExitStack() as stack:
        clients = [await _opened(stack, target, sender) for sender in senders]
        warm = await _burst(target, clients, recipients, WARM_MESSAGES)
        return await _burst(target, clients, recipients, int(warm.per_s * seconds))


async def fill(target: Target, sender: Credential, recipient: AccountId, count: int) -> None:
    """Put `count` messages into the log of one recipient."""
    client = await RawClient.open(target, sender)
    await client.send_all(client.prepare([recipient], count))
    await client.close()


async def _opened(stack: AsyncExitStack, target: Target, sender: Credential) -> RawClient:
    client = await RawClient.open(target, sender)
    stack.push_async_callback(client.close)
    return client


async def _burst(
    target: Target, clients: Sequence[RawClient], recipients: Sequence[AccountId], count: int
) -> Sent:
    """About `count` messages in whole frames, encoded before the clock starts."""
    each = max(1, round(count / len(clients) / MESSAGES_PER_FRAME)) * MESSAGES_PER_FRAME
    prepared = [client.prepare(recipients, each) for client in clients]
    unanswered_max = min(limits.UNANSWERED_MESSAGES_MAX, UNANSWERED_IN_ALL // len(clients))
    with Stretch(target) as during:
        await asyncio.gather(
            *(
                client.send_all(frames, unanswered_max)
                for client, frames in zip(clients, prepared, strict=True)
            )
        )
    messages = each * len(clients)
    return Sent(messages / during.seconds, messages, during)
