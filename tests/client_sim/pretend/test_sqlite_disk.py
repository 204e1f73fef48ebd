"""The disk with real files: where they lie, how they go, what an open that was left behind does."""

from random import Random

from client_sim.pretend.sqlite_disk import SqliteDisk
from syncd.model import CursorScope
from syncd.storage.check import check_file
from tests.client_sim.pretend.rooms import world
from tests.drafts import ALICE, BOB


def test_a_run_that_died_leaves_a_sound_store_to_the_next() -> None:
    disk = SqliteDisk(Random(1), CursorScope.ACCOUNT)

    async def play() -> CursorScope:
        await disk.open().create_account(ALICE)
        storage = disk.open()
        await storage.create_account(BOB)
        return storage.cursor_scope

    assert world().loop.run_until_complete(play()) is CursorScope.ACCOUNT
    assert [log.account for log in disk.logs()] == [ALICE, BOB]
    assert check_file(disk.file).sound
    disk.close()


def test_nothing_is_left_behind() -> None:
    disk = SqliteDisk(Random(1), CursorScope.DEVICE)
    assert disk.file.exists()
    disk.close()
    disk.close()
    assert not disk.file.parent.exists()
