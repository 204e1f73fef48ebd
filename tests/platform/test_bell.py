"""A bell wakes everybody who waits, and nobody waits for ever."""

import asyncio

import pytest

from syncd.platform.bell import Bell
from tests.virtual_time import in_virtual_time


def test_it_wakes_all_who_wait_and_none_who_come_later() -> None:
    async def play() -> list[bool]:
        bell = Bell()
        waits = [asyncio.create_task(bell.wait(60)) for _ in range(2)]
        await asyncio.sleep(0)
        bell.ring()
        bell.ring()
        return [*await asyncio.gather(*waits), await bell.wait(60)]

    assert in_virtual_time(play()) == [True, True, False]


def test_nobody_waits_longer_than_he_said() -> None:
    async def play() -> tuple[bool, float]:
        rang = await Bell().wait(25)
        return rang, asyncio.get_running_loop().time()

    rang, took_s = in_virtual_time(play())
    assert not rang
    assert took_s == pytest.approx(25)


def test_who_gives_up_is_not_waited_for() -> None:
    async def play() -> int:
        bell = Bell()
        wait = asyncio.create_task(bell.wait(60))
        await asyncio.sleep(0)
        assert bell.waiting == 1
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        return bell.waiting

    assert in_virtual_time(play()) == 0
