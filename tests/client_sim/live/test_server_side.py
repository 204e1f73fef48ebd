"""The server of a live house: what befalls it, its disk, its clock and its store."""

import asyncio
from pathlib import Path

import pytest

from client_sim.history import Appended, History, Process, Renewed, Revoked
from client_sim.house import CannotDo
from client_sim.live.faulty_disk import FaultyDisk
from client_sim.live.house import LiveHouse
from client_sim.live.nursery import Nursery
from syncd.client import Stopped
from tests.client_sim.live.staging import PATIENCE_S, Cast, online, staged, taken, until


async def test_a_server_comes_back_with_everything(tmp_path: Path, nursery: Nursery) -> None:
    async with staged(tmp_path, nursery) as cast:
        await cast.enrol("ann", "PC1")
        house = cast.house
        async with online(cast, "PC1") as pc:
            await pc.send_to("ann", b"one")
            await house.kill_server()
            sending = asyncio.create_task(pc.send_to("ann", b"two"))
            await house.start_server()
            await house.start_server()
            assert (await sending).seq == 2
            await house.freeze_server()
            sending = asyncio.create_task(pc.send_to("ann", b"three"))
            await until(pc.pending)
            await house.thaw_server()
            assert (await sending).seq == 3
            await house.freeze_server()
            await house.stop_server()
        assert cast.faults() == [(kind, "server") for kind in ("server_crash", "frozen", "frozen")]
    states = [each.state for each in cast.told(Process)]
    assert states == ["started", "crashed", "started", "stopped"]


async def test_a_server_that_dies_by_itself_is_started_again(
    tmp_path: Path, nursery: Nursery
) -> None:
    async with staged(tmp_path, nursery) as cast:
        disk = disk_of(cast)
        await cast.enrol("ann", "PC1")
        async with online(cast, "PC1") as pc:
            await pc.send_to("ann", b"one")
            disk.begin("unsynced")
            sending = asyncio.create_task(pc.send_to("ann", b"two"))
            await until(lambda: crashed(cast))
            assert not sending.done(), "nobody knows"
            disk.end("unsynced")
            assert (await sending).seq == 2
    states = [each.state for each in cast.told(Process)]
    assert states == ["started", "crashed", "started", "stopped"]


async def crashed(cast: Cast) -> bool:
    return "crashed" in [each.state for each in cast.told(Process)]


def disk_of(cast: Cast) -> FaultyDisk:
    try:
        return cast.house.disk()
    except CannotDo as reason:
        pytest.skip(str(reason))


async def test_a_full_disk_a_slow_disk_and_a_wrong_clock(tmp_path: Path, nursery: Nursery) -> None:
    async with staged(tmp_path, nursery) as cast:
        disk_of(cast)
        await cast.enrol("ann", "PC1")
        house = cast.house
        async with online(cast, "PC1") as pc:
            await house.fill_disk()
            sending = asyncio.create_task(pc.send_to("ann", b"one"))
            await until(pc.pending)
            await house.free_disk()
            assert (await sending).seq == 1
            await house.slow_disk()
            before = house.now()
            await pc.send_to("ann", b"two")
            assert house.now() - before >= 0.25, "that slow at least"
            await house.fast_disk()
            await house.jump(86_400)
            await house.jump(-3_600)
            await pc.send_to("ann", b"three")
            first, _, third = await taken(pc, 3)
        hours = (third.entry.time - first.entry.time) // 3_600_000
        assert hours == 23
        kinds = ["disk_full", "slow_disk", "clock_jump", "clock_jump"]
        assert cast.faults() == [(kind, "server") for kind in kinds]


async def test_backups_trims_and_revocations(tmp_path: Path, nursery: Nursery) -> None:
    async with staged(tmp_path, nursery) as cast:
        await cast.enrol("ann", "PC1", "PC2")
        house = cast.house

        async def all_back() -> bool:
            return (await house.heads())["ann"] == 2

        for going_back in (house.restore, house.put_back):
            with pytest.raises(CannotDo, match="no backup was taken"):
                await going_back()
        async with online(cast, "PC1") as pc:
            await pc.send_to("ann", b"one")
            await house.back_up()
            await pc.send_to("ann", b"two")
            await taken(pc, 2)
            await pc.caught_up()
            await house.put_back()
            await until(all_back)
            await house.restore()
            await until(all_back)
            await house.trim("ann", 1)
            await house.trim("ann", 1)
            async with online(cast, "PC2") as other:
                assert [item.seq for item in await taken(other, 1)] == [2]
                await house.revoke("PC2")
                with pytest.raises(Stopped):
                    await taken(other, 1)
        assert [kind for kind, _ in cast.faults()] == ["put_back", "restore", "trim"]
        assert [each.device for each in cast.told(Revoked)] == [cast.enrolled["PC2"].device]
    renewed = cast.told(Renewed)
    assert [each.why for each in renewed] == ["put back by hand", "restore"]
    assert renewed[0].epoch != renewed[1].epoch


async def test_what_the_server_told_itself_is_part_of_the_history(
    tmp_path: Path, nursery: Nursery
) -> None:
    async with staged(tmp_path, nursery) as cast:
        await cast.enrol("ann", "PC1")
        async with online(cast, "PC1") as pc:
            await pc.send_to("ann", b"one")
            await cast.house.kill_server()
            await cast.house.start_server()
            await pc.send_to("ann", b"two")
    assert [each.seq for each in cast.told(Appended)] == [1, 2]
    times = [each.at for each in cast.house.history.records]
    assert times == sorted(times)


@pytest.mark.parametrize(("fault", "left"), [("", 3), ("unflushed", 0)])
async def test_every_death_may_be_a_power_cut(
    tmp_path: Path, nursery: Nursery, fault: str, left: int
) -> None:
    house = LiveHouse(tmp_path, History(), command=nursery)
    cast = Cast(house)
    disk = disk_of(cast)
    house.loses_power = True
    async with asyncio.timeout(PATIENCE_S):
        try:
            await house.open()
            await cast.enrol("ann", "PC1")
            if fault:
                disk.begin(fault)
            pc = await cast.run("PC1")
            for body in (b"one", b"two", b"three"):
                await pc.send_to("ann", body)
            await house.abandon("PC1")
            pc.abort()
            await house.kill_server()
            if fault:
                disk.end(fault)
            await house.start_server()
            assert await house.heads() == {"ann": left}
        finally:
            await house.close()
