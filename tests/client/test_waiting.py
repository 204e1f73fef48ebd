"""A ring between looking and waiting is not missed, and a cancelled waiter disturbs nobody."""

import asyncio

from syncd.client.waiting import Bell


async def test_everybody_who_waits_is_woken() -> None:
    bell = Bell()
    waiters = [asyncio.ensure_future(bell.wait(bell.rings)) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    bell.ring()
    await asyncio.wait_for(asyncio.gather(*waiters[1:]), 5)


async def test_a_ring_in_between_counts() -> None:
    bell = Bell()
    heard = bell.rings
    bell.ring()
    await asyncio.wait_for(bell.wait(heard), 5)
