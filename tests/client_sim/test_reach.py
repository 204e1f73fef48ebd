"""Whether the server is in reach, and who waits for what."""

import asyncio

from client_sim.reach import Reach


async def test_it_is_undecided_until_something_is_heard() -> None:
    reach = Reach()
    waiting = asyncio.create_task(reach.decided())
    await asyncio.sleep(0)
    assert (reach.up, waiting.done()) == (False, False)
    reach.gain()
    await waiting
    assert reach.up
    reach.lose()
    assert not reach.up
    await reach.decided()
    reach.gain()
    reach.begin()
    assert not reach.up


async def test_what_waits_for_the_server_ends_when_it_is_out_of_reach() -> None:
    reach, never = Reach(), asyncio.Event()
    waiting = asyncio.create_task(reach.during(never.wait()))
    await asyncio.sleep(0)
    reach.lose()
    assert await waiting is None
    assert await reach.during(never.wait()) is None


async def test_what_comes_in_time_is_given() -> None:
    reach, soon = Reach(), asyncio.Event()
    soon.set()
    assert await reach.during(soon.wait()) is True
