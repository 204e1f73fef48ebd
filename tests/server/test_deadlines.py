"""One timer for all: everybody is told once its time has come, and nobody holds up the others."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from syncd.server.deadlines import Deadlines


class Timed:
    """Has a deadline; when told, it takes the next of its plan."""

    def __init__(self, *plan: float | None) -> None:
        self.plan = list(plan)
        self.told: list[float] = []

    def deadline(self) -> float | None:
        return self.plan[0] if self.plan else None

    def time_passed(self, now: float) -> None:
        self.told.append(now)
        self.plan.pop(0)


def test_nobody_is_told_before_its_time() -> None:
    deadlines, timed = Deadlines(), Timed(5.0)
    deadlines.add(timed)
    deadlines.tell(4.999)
    assert timed.told == []
    deadlines.tell(5.0)
    assert timed.told == [5.0]


def test_a_new_deadline_is_watched_after_the_old_one() -> None:
    deadlines, timed = Deadlines(), Timed(5.0, 7.0, None)
    deadlines.add(timed)
    for now in (5.0, 6.0, 7.5, 100.0):
        deadlines.tell(now)
    assert timed.told == [5.0, 7.5]


def test_a_deadline_that_moved_later_is_told_then() -> None:
    deadlines, timed = Deadlines(), Timed(5.0)
    deadlines.add(timed)
    timed.plan[0] = 25.0
    deadlines.tell(10.0)
    assert timed.told == []
    deadlines.tell(25.0)
    assert timed.told == [25.0]


def test_whoever_has_no_deadline_any_more_is_let_go() -> None:
    deadlines, timed = Deadlines(), Timed(5.0)
    deadlines.add(timed)
    timed.plan.clear()
    deadlines.tell(5.0)
    assert timed.told == []
    assert deadlines._heap == []
    assert deadlines._watched == set()


def test_adding_twice_tells_once() -> None:
    deadlines, timed = Deadlines(), Timed(5.0)
    deadlines.add(timed)
    deadlines.add(timed)
    deadlines.tell(6.0)
    assert timed.told == [6.0]


def test_adding_again_after_a_pause_is_watched() -> None:
    deadlines, timed = Deadlines(), Timed(5.0)
    deadlines.add(timed)
    timed.plan.clear()
    deadlines.tell(5.0)
    timed.plan.append(9.0)
    deadlines.add(timed)
    deadlines.tell(9.0)
    assert timed.told == [9.0]


def test_a_deadline_left_in_the_past_is_told_once_a_look() -> None:
    class Stuck(Timed):
        def time_passed(self, now: float) -> None:
            self.told.append(now)

    deadlines, stuck, other = Deadlines(), Stuck(1.0), Timed(2.0)
    deadlines.add(stuck)
    deadlines.add(other)
    deadlines.tell(3.0)
    deadlines.tell(4.0)
    assert stuck.told == [3.0, 4.0]
    assert other.told == [3.0]


@given(st.lists(st.floats(0, 100), max_size=30), st.lists(st.floats(0, 120), max_size=10))
def test_everybody_is_told_at_the_first_look_that_is_due(
    dues: list[float], looks: list[float]
) -> None:
    deadlines = Deadlines()
    crowd = [Timed(due) for due in dues]
    for timed in crowd:
        deadlines.add(timed)
    looks = sorted(looks)
    for now in looks:
        deadlines.tell(now)
    for timed, due in zip(crowd, dues, strict=True):
        assert timed.told == [now for now in looks if now >= due][:1]


async def test_the_task_looks_by_itself() -> None:
    deadlines, timed = Deadlines(), Timed(asyncio.get_running_loop().time())
    deadlines.add(timed)
    running = asyncio.create_task(deadlines.run())
    async with asyncio.timeout(10):
        while True:
            if timed.told:
                break
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
