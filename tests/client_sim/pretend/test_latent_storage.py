"""A storage that takes its time and fails: what is told, and what a dead process is answered."""

import asyncio
from random import Random

import pytest

from client_sim.history import Appended, Fault, Floor, Saved
from client_sim.pretend.disk import MemoryDisk
from client_sim.pretend.latent_storage import LatentStorage, Platter
from client_sim.pretend.world import World
from client_sim.weather import CALM, Weather
from syncd import errors
from syncd.model import (
    CursorMark,
    CursorScope,
    OpeningRequest,
    ReadRequest,
    Submission,
    Work,
)
from syncd.storage import StorageError
from tests.client_sim.pretend.rooms import passing, told, world
from tests.drafts import ALICE, BOB, PHONE, draft


class Room:
    """A process with a storage open, which can die."""

    def __init__(self, weather: Weather = CALM) -> None:
        self.world: World = world(weather=weather)
        self.disk = MemoryDisk(Random(1), CursorScope.DEVICE)
        self.platter = Platter(self.world, self.disk)
        self.alive = True
        self.storage = LatentStorage(self.platter, self.disk.open(), self)

    async def breathe(self) -> None:
        if not self.alive:
            await self.world.never()

    def crash(self) -> None:
        self.alive = False

    async def furnish(self) -> None:
        storage = self.disk.open()
        for account in (ALICE, BOB):
            await storage.create_account(account)
        await storage.create_device(ALICE, PHONE, "", "phone", b"hash")
        await storage.commit(Work(openings=(OpeningRequest(ALICE, PHONE, 1, "1" * 16, None),)))

    async def say(self, *numbers: int) -> None:
        drafts = tuple(draft(number) for number in numbers)
        await self.storage.commit(Work(submissions=(Submission(PHONE, 1, drafts),)))

    async def answered(self, number: int) -> bool:
        """Whether a commit is answered at all, within any time."""
        task = asyncio.ensure_future(self.say(number))
        done, _ = await asyncio.wait([task], timeout=60)
        if not done:
            task.cancel()
        else:
            task.result()
        return bool(done)


def test_what_became_durable_is_told() -> None:
    room = Room()

    async def play() -> None:
        await room.furnish()
        await room.say(1, 2)
        epoch = room.disk.logs()[0].epoch
        await room.storage.commit(Work(cursors=(CursorMark(ALICE, PHONE, 1, epoch, 2),)))
        await room.storage.trim(ALICE, 2)

    room.world.loop.run_until_complete(play())
    appended = told(room.world.history, Appended)
    assert [(each.account, each.seq, each.message) for each in appended] == [
        (ALICE, 1, f"{PHONE}#1"),
        (ALICE, 2, f"{PHONE}#2"),
        (BOB, 1, f"{PHONE}#1"),
        (BOB, 2, f"{PHONE}#2"),
    ]
    [saved] = told(room.world.history, Saved)
    assert (saved.device, saved.seq, saved.generation) == (PHONE, 2, 1)
    [floor] = told(room.world.history, Floor)
    assert (floor.account, floor.floor) == (ALICE, 1)
    assert room.world.now() > 0


def test_a_cursor_that_an_older_copy_brought_back_is_nobodys_doing() -> None:
    """What a fenced session still confirms may name the same seq, of an epoch that is new."""
    room = Room()

    async def play() -> None:
        await room.furnish()
        await room.say(1, 2)
        before = room.disk.logs()[0].epoch
        await room.storage.commit(Work(cursors=(CursorMark(ALICE, PHONE, 1, before, 1),)))
        room.disk.back_up()
        await room.storage.commit(Work(cursors=(CursorMark(ALICE, PHONE, 1, before, 2),)))
        room.disk.restore()
        room.storage = LatentStorage(room.platter, room.disk.open(), room)
        after = room.disk.logs()[0].epoch
        await room.storage.commit(Work(cursors=(CursorMark(ALICE, PHONE, 1, after, 1),)))
        await room.storage.commit(Work(cursors=(CursorMark(ALICE, PHONE, 2, after, 1),)))

    room.world.loop.run_until_complete(play())
    saved = told(room.world.history, Saved)
    assert [(each.seq, each.generation) for each in saved] == [(1, 1), (2, 1), (1, 2)]
    assert saved[1].epoch != saved[2].epoch


@pytest.mark.parametrize(
    ("weather", "definite"),
    [({"commit_refused": 1.0}, True), ({"commit_unknown": 1.0}, False)],
)
def test_a_commit_that_fails(weather: Weather, definite: bool) -> None:
    room = Room(weather)

    async def play() -> None:
        await room.furnish()
        for number in range(1, 9):
            with pytest.raises(StorageError) as failed:
                await room.say(number)
            assert failed.value.definite is definite

    room.world.loop.run_until_complete(play())
    written = room.disk.logs()[0].head
    assert written == 0 if definite else 0 < written < 8
    assert len(told(room.world.history, Fault)) == 8


def test_a_process_that_dies_between_a_commit_and_its_answers_answers_nothing() -> None:
    heads: set[int] = set()
    for seed in range(1, 12):
        room = Room({"crash_between": 1.0})
        room.platter.world.chance("disk").seed(seed)

        async def play(room: Room = room) -> bool:
            await room.furnish()
            return await room.answered(1)

        assert room.world.loop.run_until_complete(play()) is False
        assert not room.alive
        heads.add(room.disk.logs()[0].head)
    assert heads == {0, 1}


def test_what_is_under_way_when_the_process_dies_never_happens() -> None:
    room = Room()

    async def play() -> bool:
        await room.furnish()
        room.crash()
        return await room.answered(1)

    assert room.world.loop.run_until_complete(play()) is False
    assert room.disk.logs()[0].head == 0


def test_a_full_disk_takes_cursors_but_no_messages() -> None:
    room = Room()

    async def play() -> None:
        await room.furnish()
        room.platter.full = True
        with pytest.raises(StorageError) as failed:
            await room.say(1)
        assert failed.value.refusal is errors.STORAGE_FULL
        epoch = room.disk.logs()[0].epoch
        await room.storage.commit(Work(cursors=(CursorMark(ALICE, PHONE, 1, epoch, 0),)))
        room.platter.full = False
        await room.say(1)

    room.world.loop.run_until_complete(play())
    assert room.disk.logs()[0].head == 1


def test_a_slow_disk_takes_longer() -> None:
    times = []
    for slow in (False, True):
        room = Room()
        room.platter.slow = slow

        async def play(room: Room = room) -> None:
            await room.furnish()
            for number in range(1, 10):
                await room.say(number)

        room.world.loop.run_until_complete(play())
        times.append(room.world.now())
    assert times[1] > times[0]


def test_a_read_may_fail() -> None:
    room = Room({"read_failed": 1.0})

    async def play() -> None:
        await room.furnish()
        await passing(1)
        with pytest.raises(StorageError):
            await room.storage.read([ReadRequest(ALICE, 0, 1000)])

    room.world.loop.run_until_complete(play())
