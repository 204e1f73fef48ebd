"""Tests of retention in memory, beyond the contract in test_keeping.py."""

from syncd.persisted_clock import ClockReading
from syncd.storage.keeping import Keep
from syncd.storage.memory import MemoryStorage

from .works import ALICE, BOB, populate, sending


async def test_nothing_is_ever_written_ahead() -> None:
    storage = MemoryStorage()
    await populate(storage)
    await storage.commit(sending(1))
    assert storage.keeping.log_ahead_bytes() == 0


async def test_two_notes_of_one_moment_are_one() -> None:
    storage = MemoryStorage()
    await populate(storage)
    for number in (1, 2):
        await storage.commit(sending(number))
        await storage.keeping.note(ClockReading(7, 7))
    look = await storage.keeping.look(0, 8, Keep(age_ms=1))
    assert [(each.account, each.new_floor) for each in look.trimmings] == [(ALICE, 2), (BOB, 2)]
