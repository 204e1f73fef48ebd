"""The loop in virtual time: order, timers, tasks, and how it says that nothing will happen."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sim.pretend.clock import StandsStill, VirtualLoop
from tests.client_sim.pretend.rooms import passing


def made() -> tuple[VirtualLoop, list[str]]:
    complaints: list[str] = []
    return VirtualLoop(complaints.append), complaints


def test_hours_cost_nothing() -> None:
    loop, _ = made()
    loop.run_until_complete(passing(3600))
    assert loop.time() == 3600


@given(st.lists(st.integers(0, 5), max_size=30))
def test_what_is_due_comes_in_order_and_equal_times_as_they_were_asked_for(
    delays: list[int],
) -> None:
    loop, _ = made()
    seen: list[tuple[int, int]] = []
    for place, delay in enumerate(delays):
        loop.call_later(delay, seen.append, (delay, place))
    loop.run_until_complete(passing(6))
    assert seen == sorted(seen)
    assert len(seen) == len(delays)


def test_a_cancelled_timer_is_passed_over() -> None:
    loop, _ = made()
    seen: list[str] = []
    loop.call_later(1, seen.append, "dropped").cancel()
    loop.call_soon(seen.append, "dropped").cancel()
    loop.call_later(2, seen.append, "kept")
    loop.run_until_complete(passing(3))
    assert seen == ["kept"]


def test_tasks_locks_and_timeouts_of_asyncio_work_in_it() -> None:
    loop, _ = made()

    async def play() -> list[str]:
        seen: list[str] = []
        lock, event = asyncio.Lock(), asyncio.Event()

        async def first() -> None:
            async with lock:
                await passing(1)
                seen.append("first")
            event.set()

        async def second() -> None:
            async with lock:
                seen.append("second")

        async with asyncio.TaskGroup() as group:
            group.create_task(first())
            group.create_task(second())
            await event.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await loop.create_future()
        return seen

    assert loop.run_until_complete(play()) == ["first", "second"]
    assert loop.time() == 6


def test_what_a_task_raises_is_raised() -> None:
    loop, _ = made()

    async def play() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        loop.run_until_complete(play())


def test_a_world_in_which_nothing_is_due_stands_still() -> None:
    loop, _ = made()
    with pytest.raises(StandsStill, match="nothing is due"):
        loop.run_until_complete(loop.create_future())


def test_a_world_that_runs_in_a_circle_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client_sim.pretend.clock.STEPS_AT_ONCE_MAX", 100)
    loop, _ = made()

    def again() -> None:
        loop.call_soon(again)

    again()
    with pytest.raises(StandsStill, match="circle"):
        loop.run_until_complete(passing(1))


def test_an_exception_that_nobody_caught_is_complained_about() -> None:
    loop, complaints = made()

    def fails() -> None:
        raise LookupError("lost")

    loop.call_soon(fails)
    loop.run_until_complete(passing(1))
    [complaint] = complaints
    assert "LookupError('lost')" in complaint


def test_a_closed_world_is_silent() -> None:
    loop, complaints = made()
    loop.call_soon(complaints.append, "late")
    loop.close()
    loop.call_exception_handler({"message": "swept up"})
    assert loop.is_closed()
    assert not complaints
