"""A pretended device's store: it takes its time, keeps its order, and dies with its run."""

import asyncio

from client_sim.pretend.device_store import Drawer, PretendStore
from syncd.client.store import Outgoing, Shelf
from syncd.model import ConversationId, Kind
from tests.client_sim.pretend.rooms import world

MESSAGE = Outgoing(int(Kind.MESSAGE), ConversationId("team"), None, b"hello")


def write(shelf: Shelf) -> int:
    return len(shelf.enqueue([MESSAGE]).tickets)


def count(drawer: Drawer) -> int:
    return len(drawer.shelf.pending())


def test_work_is_done_in_order_and_takes_time() -> None:
    here, seen = world(), list[int]()
    store = PretendStore(here, "phone", Drawer())

    async def play() -> None:
        await store.open()
        await asyncio.gather(
            *(store.call(lambda shelf, number=number: seen.append(number)) for number in range(9))
        )
        await store.close()

    here.loop.run_until_complete(play())
    assert seen == list(range(9))
    assert here.now() > 0


def test_what_a_dead_run_asked_for_is_not_done_and_nobody_hears() -> None:
    here, drawer = world(), Drawer()
    store = PretendStore(here, "phone", drawer)

    async def play() -> bool:
        await store.call(write)
        late = asyncio.ensure_future(store.call(write))
        await asyncio.sleep(0)
        store.abandon()
        done, _ = await asyncio.wait([late], timeout=5)
        late.cancel()
        return bool(done)

    assert here.loop.run_until_complete(play()) is False
    assert count(drawer) == 1


def test_a_copy_is_what_was_there_and_can_be_set_back_again_and_again() -> None:
    drawer = Drawer()
    assert drawer.set_back() is False
    write(drawer.shelf)
    drawer.copy()
    for _ in range(2):
        write(drawer.shelf)
        assert count(drawer) == 2
        assert drawer.set_back() is True
        assert count(drawer) == 1


def test_a_clone_goes_its_own_way() -> None:
    drawer = Drawer()
    write(drawer.shelf)
    clone = drawer.clone()
    write(clone.shelf)
    assert (count(drawer), count(clone)) == (1, 2)
