"""The live house: devices with their lines and stores, and what befalls them."""

import asyncio
from pathlib import Path

import pytest

from client_sim.history import Cursor, Log, fingerprint
from client_sim.house import CannotDo
from client_sim.live.nursery import Nursery
from syncd.client import Stopped
from syncd.client.store import PendingState
from tests.client_sim.live.staging import online, staged, taken, until


@pytest.mark.parametrize("encoding", ["msgpack", "json"])
async def test_messages_travel_and_remain(tmp_path: Path, nursery: Nursery, encoding: str) -> None:
    async with staged(tmp_path, nursery, encoding) as cast:
        await cast.enrol("ann", "PC1", "phone")
        await cast.enrol("ben", "tablet")
        async with online(cast, "PC1") as pc:
            await pc.send_to("ben", b"hello")
        await cast.house.publish("ann", b"news")
        assert await cast.house.heads() == {"ann": 2, "ben": 1}
        async with online(cast, "phone") as phone:
            assert [item.entry.body for item in await taken(phone, 2)] == [b"hello", b"news"]
            await phone.caught_up()
        remains = await cast.house.remains()
        logs = {each.account: each for each in remains if isinstance(each, Log)}
        bodies = [body for _, body in logs["ann"].entries]
        assert bodies == [fingerprint(b"hello"), fingerprint(b"news")]
        assert logs["ben"].entries == logs["ann"].entries[:1]
        assert logs["ben"].entries[0][0] == f"{cast.enrolled['PC1'].device}#1"
        cursors = {each.device: each.seq for each in remains if isinstance(each, Cursor)}
        assert cursors[cast.enrolled["phone"].device] == 2


async def test_a_killed_device_goes_on_where_it_was(tmp_path: Path, nursery: Nursery) -> None:
    async with staged(tmp_path, nursery) as cast:
        await cast.enrol("ann", "PC1")
        pc = await cast.run("PC1")
        await pc.send_to("ann", b"one")
        assert (await taken(pc, 1))[0].seq == 1
        await cast.house.freeze_server()
        lost = asyncio.create_task(pc.send_to("ann", b"two"))
        await until(pc.pending)
        await cast.house.abandon("PC1")
        await cast.house.thaw_server()
        async with online(cast, "PC1") as again:
            found = await taken(again, 2)
            assert [item.entry.body for item in found] == [b"one", b"two"]
            states = [each.state for each in await again.pending()]
            assert PendingState.WAITING not in states
        assert not lost.done(), "a dead process hears nothing"
        lost.cancel()
        pc.abort()


async def test_stores_are_copied_set_back_cloned_and_lost(tmp_path: Path, nursery: Nursery) -> None:
    async with staged(tmp_path, nursery) as cast:
        await cast.enrol("ann", "PC1")
        house = cast.house
        with pytest.raises(CannotDo, match="PC1 was not copied"):
            await house.set_back("PC1")
        async with online(cast, "PC1") as pc:
            await pc.send_to("ann", b"one")
            await taken(pc, 1)
            await house.copy("PC1")
            await pc.send_to("ann", b"two")
            await house.clone("PC1", "PC2")
        await house.set_back("PC1")
        async with online(cast, "PC1") as pc:
            assert pc.position is not None
            assert pc.position.seq == 1
            await pc.caught_up()
            twin = await cast.run("PC2", "PC1")
            with pytest.raises(Stopped):
                await taken(pc, 9)
            await twin.close()
        await house.forget("PC1")
        async with online(cast, "PC1") as pc:
            assert pc.position is None
            assert len(await taken(pc, 2)) == 2


async def test_lines_are_cut_unplugged_stalled_and_slow(tmp_path: Path, nursery: Nursery) -> None:
    async with staged(tmp_path, nursery) as cast:
        await cast.enrol("ann", "PC1", "PC2")
        house, device = cast.house, cast.enrolled["PC1"].device
        async with online(cast, "PC1") as pc, online(cast, "PC2") as other:
            await house.delay("PC1", 20)
            await house.cut("PC1", 500)
            for number in range(10):
                await pc.send_to("ann", b"%d" % number)
            assert len(await taken(other, 10)) == 10
            await house.stall("PC2")
            await pc.send_to("ann", b"to a stalled one")
            await house.unstall("PC2")
            await taken(other, 1)
            await house.unplug("PC1")
            sending = asyncio.create_task(pc.send_to("ann", b"into the void"))
            await until(pc.pending)
            await house.plug("PC1")
            await house.abandon("PC1")
            sending.cancel()
            pc.abort()
            async with online(cast, "PC1"):
                assert (await taken(other, 1))[0].entry.body == b"into the void"
        kinds = [kind for kind, target in cast.faults() if target == device]
        assert kinds == ["delay", "cut", "half_open"]
