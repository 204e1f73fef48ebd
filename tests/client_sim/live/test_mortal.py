"""A dead run takes no step, and its store is left as a killed process leaves it."""

import asyncio
from pathlib import Path

import pytest

from client_sim.live.mortal import MortalDialler, MortalStore, copy_store
from syncd.client import SqliteStore, StoreInUse
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for

SERVER = "ws://here/v1/sync"


async def begun(store: MortalStore | SqliteStore, instance: str) -> set[str]:
    """The instances of the past runs."""
    await store.open()
    loaded, _ = await store.call(lambda shelf: shelf.begin(SERVER, instance, "token"))
    return set(loaded.instances)


async def test_a_dead_run_keeps_what_was_durable_and_gives_up_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = MortalStore(path)
    await begun(store, "a" * 16)
    with pytest.raises(StoreInUse):
        await MortalStore(path).open()
    await store.die()
    assert path.with_name("store.db-wal").stat().st_size > 0, "no process that dies tidies up"
    late = asyncio.create_task(store.call(lambda shelf: shelf.begin(SERVER, "b" * 16, "token")))
    await store.close()
    again = SqliteStore(path)
    assert "a" * 16 in await begun(again, "c" * 16)
    await again.close()
    assert not late.done()
    late.cancel()


async def test_steps_that_wait_for_their_turn_never_come(tmp_path: Path) -> None:
    store = MortalStore(tmp_path / "store.db")
    await store.open()
    done: list[int] = []
    begun_late = asyncio.Event()
    tasks = [
        asyncio.create_task(store.call(lambda shelf, each=each: done.append(each)))
        for each in range(3)
    ]
    asyncio.get_running_loop().call_soon(begun_late.set)
    await begun_late.wait()
    await store.die()
    before = list(done)
    assert before == list(range(len(before)))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert done == before


async def test_a_copy_is_of_one_moment_and_takes_the_place_of_another(tmp_path: Path) -> None:
    store, copied = MortalStore(tmp_path / "store.db"), tmp_path / "copy.db"
    copied.write_bytes(b"something older")
    await begun(store, "a" * 16)
    await store.copy(copied)
    await store.call(lambda shelf: shelf.begin(SERVER, "b" * 16, "token"))
    await store.close()
    await store.copy(tmp_path / "later.db")
    for path, known in ((copied, False), (tmp_path / "later.db", True)):
        twin = SqliteStore(path)
        past = await begun(twin, "c" * 16)
        assert "a" * 16 in past
        assert ("b" * 16 in past) is known
        await twin.close()
    copy_store(tmp_path / "nothing.db", copied)
    assert not copied.exists()


async def test_a_dead_run_never_connects() -> None:
    dialler = MortalDialler(SERVER, "ws://127.0.0.1:1/v1/sync", codec_for(MSGPACK_SUBPROTOCOL))
    assert dialler.url == SERVER
    assert await dialler.dial().connect() is False, "nobody listens there"
    dialler.die()
    dialled = dialler.dial()
    connecting = asyncio.create_task(dialled.connect())
    dialled.close(None)
    assert await connecting is False
    assert await dialled.receive() is None
    await dialled.closed()
    assert dialled.disconnected().code is None
