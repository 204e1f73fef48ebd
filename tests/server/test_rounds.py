"""Rounds go by everybody, whoever comes and goes meanwhile; what they notice is tried elsewhere
(test_rights.py, test_connection.py), and here that a lost wake-up is harmless."""

from collections.abc import Awaitable, Callable

import pytest

from syncd.limits import LOOKED_AT_ONCE
from syncd.server import rounds
from syncd.server.rounds import in_parts
from syncd.wakeups import Wakeups
from syncd.wire.frames import Batch
from tests.server.conftest import Running
from tests.server.peers import found_town


@pytest.mark.parametrize("count", [0, 1, LOOKED_AT_ONCE, LOOKED_AT_ONCE + 1, 3 * LOOKED_AT_ONCE])
async def test_each_round_goes_by_everybody_once(count: int) -> None:
    rounds_seen: list[list[int]] = []

    def everybody() -> list[int]:
        rounds_seen.append([])
        return list(range(count))

    async for part in in_parts(everybody, round_s=0):
        assert len(part) <= LOOKED_AT_ONCE
        if len(rounds_seen) == 3:
            break
        rounds_seen[-1] += part
    assert rounds_seen == [list(range(count)), list(range(count)), []]


async def test_who_comes_is_gone_by_in_the_next_round() -> None:
    them = list(range(LOOKED_AT_ONCE))
    seen: list[int] = []
    async for part in in_parts(lambda: tuple(them), round_s=0):
        if seen:
            assert list(part) == them[:LOOKED_AT_ONCE]
            break
        seen += part
        them.insert(0, -1)


async def test_a_lost_wake_up_is_made_up_for(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "POLL_INTERVAL_S", 0.05)
    town = await found_town(start, monkeypatch, store="memory:")
    phone = await town.live("phone")
    town.backstage.committer._wakeups = Wakeups()  # nobody hears of what it commits
    head = await town.publish(3)
    while (await phone.hear(Batch)).to < head:
        pass
    await town.close()
