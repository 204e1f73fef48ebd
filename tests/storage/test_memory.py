"""Tests of what the reference backend offers beyond the door: no waiting, and seeded chance."""

import random

from syncd.model import CursorScope, ReadRequest
from syncd.storage.memory import MemoryStorage

from .works import ALICE, BOB, NOBODY, encoded, populate, sending


async def test_the_rules_run_without_an_event_loop() -> None:
    storage = MemoryStorage()
    await populate(storage)
    assert storage.commit_now(sending(1)).grown == {ALICE, BOB}
    assert storage.heads_now([ALICE, NOBODY]) == {ALICE: 1}
    [page] = storage.read_now([ReadRequest(BOB, 0, 1000)])
    assert page.entries == encoded(1)
    assert storage.trim_now(BOB, 2) == 1


def test_no_coroutine_ever_waits() -> None:
    coroutine = populate(MemoryStorage())
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waited")


async def test_epochs_are_drawn_where_the_caller_says() -> None:
    epochs = []
    for _ in range(2):
        storage = MemoryStorage(draw=random.Random(7).randbytes)
        await populate(storage)
        epochs.append([page.epoch for page in await storage.read([ReadRequest(ALICE, 0, 1)])])
    assert epochs[0] == epochs[1]


def test_the_service_is_the_default() -> None:
    assert MemoryStorage().cursor_scope is CursorScope.DEVICE
