"""Crash points: every moment is named, and a death there is noticed and judged."""

import pytest

from client_sim.house import CannotDo
from client_sim.judging.verdict import Ruling
from client_sim.live.crash_points import Point, count, live_through, points
from client_sim.live.faulty_disk import compiled
from client_sim.live.nursery import Nursery

CALLS = ["create syncd.db 0", "pwrite syncd.db-wal 24", "fdatasync syncd.db-wal 0"]


def test_each_call_has_its_moments() -> None:
    found = [(point.number, point.when) for point in points(CALLS)]
    around = ("before", "after")
    assert found == [
        *((1, when) for when in around),
        *((2, when) for when in ("before", "half", "after")),
        *((3, when) for when in around),
    ]


async def test_a_life_goes_on_after_its_death(nursery: Nursery) -> None:
    try:
        compiled()
    except CannotDo as reason:
        pytest.skip(str(reason))
    calls = await count(nursery)
    assert {call.split()[0] for call in calls} >= {"create", "pwrite", "fdatasync", "unlink"}
    number = next(at for at, call in enumerate(calls, 1) if call.startswith("pwrite syncd.db-wal"))
    life = await live_through(Point(number, "half", calls[number - 1]), nursery)
    assert life.died
    assert life.judgement.ruling is Ruling.TRUE
    assert life.survived
    beyond = await live_through(Point(10 * len(calls), "before", "never reached"), nursery)
    assert (beyond.died, beyond.survived) == (False, True)
