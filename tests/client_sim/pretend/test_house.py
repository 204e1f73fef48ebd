"""The pretended house as a whole: real devices, what befalls them, one seed and one history."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from client_sim.history import Appended, Cursor, Fault, Log, Process, Renewed, Revoked, encode
from client_sim.house import CannotDo
from client_sim.pretend.clock import StandsStill
from client_sim.pretend.house import MEMORY, SQLITE, PretendHouse
from syncd.client.device import Device
from syncd.client.exceptions import Stopped
from tests.client_sim.pretend.rooms import app, lived, passing, told

ROOT = Path(__file__).resolve().parents[3]

STORM = """
from client_sim.performing import perform
from client_sim.storm.draw import Size, draw
for seed in range(3):
    for storage in ("memory", "sqlite"):
        print(perform(draw(seed, Size(3, 3, 20)), seed, storage).digest())
"""


async def people(house: PretendHouse) -> tuple[Device, Device]:
    phone = await app(house, "phone", await house.enrol("alice", "phone", "phone"))
    laptop = await app(house, "laptop", await house.enrol("bob", "laptop", "laptop"))
    return phone, laptop


async def bodies(device: Device, count: int) -> list[bytes | None]:
    """The first so many entries of its log."""
    found: list[bytes | None] = []
    async for item in device:
        found.append(item.entry.body)
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("storage", [MEMORY, SQLITE])
def test_a_message_is_delivered_in_virtual_time(storage: str) -> None:
    house = PretendHouse(1, storage)

    async def play() -> None:
        phone, laptop = await people(house)
        await phone.send_to("bob", b"hello")
        assert await bodies(laptop, 1) == await bodies(phone, 1) == [b"hello"]
        for device in (phone, laptop):
            await device.close()

    lived(house, play())
    assert [each.account for each in told(house.history, Appended)] == ["alice", "bob"]


@pytest.mark.parametrize("storage", [MEMORY, SQLITE])
def test_what_remains_is_read_from_the_disk(storage: str) -> None:
    house = PretendHouse(1, storage)

    async def play() -> None:
        phone, laptop = await people(house)
        for number in range(5):
            await phone.send_to("bob", b"%d" % number)
        await bodies(laptop, 5)
        await laptop.close()
        await phone.close()
        await house.trim("bob", 2)
        await house.stop_server()
        for record in await house.remains():
            house.history.tell(record)

    lived(house, play())
    logs = told(house.history, Log)
    assert [(each.account, each.floor, each.head) for each in logs] == [
        ("alice", 0, 5),
        ("bob", 3, 5),
    ]
    assert len(logs[1].entries) == 2
    assert [each.seq for each in told(house.history, Cursor)] == [5, 5]


@pytest.mark.parametrize("storage", [MEMORY, SQLITE])
def test_a_server_that_is_killed_and_one_that_is_restored_lose_nothing(storage: str) -> None:
    house = PretendHouse(1, storage)

    async def play() -> None:
        phone, laptop = await people(house)
        await phone.send_to("bob", b"before")
        await house.back_up()
        await phone.send_to("bob", b"between")
        await house.kill_server()
        await house.start_server()
        await bodies(laptop, 2)
        await house.restore()
        await phone.send_to("bob", b"after")
        while (await house.heads())["bob"] < 3:
            await passing(1)
        for device in (phone, laptop):
            await device.close()

    lived(house, play())
    assert {each.why for each in told(house.history, Renewed)} == {"restore"}
    log = [each.message[-2:] for each in told(house.history, Appended) if each.account == "bob"]
    assert log == ["#1", "#2", "#2", "#3"], "what the restore lost was sent again"
    assert [each.state for each in told(house.history, Process)] == [
        "started",
        "crashed",
        "started",
        "stopped",
        "started",
    ]


def test_a_store_that_is_put_back_by_hand_keeps_its_epochs() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        with pytest.raises(CannotDo):
            await house.put_back()
        await house.enrol("alice", "phone", "phone")
        await house.back_up()
        await house.publish("alice", b"lost")
        await house.put_back()

    lived(house, play())
    [renewed] = told(house.history, Renewed)
    [lost] = told(house.history, Appended)
    assert (renewed.why, renewed.head) == ("by hand", 0)
    assert renewed.epoch == lost.epoch


def test_a_killed_app_has_no_effect_any_more_and_the_next_run_goes_on() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        enrolled = await house.enrol("alice", "phone", "phone")
        first = await app(house, "phone", enrolled)
        await first.caught_up()
        ticket = await first.enqueue("alice~alice", b"written before the end")
        assert ticket == 1
        await house.abandon("phone")
        head = (await house.heads())["alice"]
        await passing(200)
        assert await house.heads() == {"alice": head}
        second = await app(house, "phone", enrolled)
        assert await bodies(second, 1) == [b"written before the end"]
        await second.close()

    lived(house, play())


def test_stores_are_lost_set_back_and_cloned() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        enrolled = await house.enrol("alice", "phone", "phone")
        with pytest.raises(CannotDo):
            await house.set_back("phone")

        async def place() -> int:
            device = await app(house, "phone", enrolled)
            known = device.position
            await device.caught_up()
            await device.close()
            return 0 if known is None else known.seq

        await house.publish("alice", b"one")
        assert await place() == 0
        await house.copy("phone")
        await house.publish("alice", b"two")
        assert await place() == 1
        await house.set_back("phone")
        assert await place() == 1
        assert await place() == 2
        await house.clone("phone", "phone-clone")
        await house.forget("phone")
        assert await place() == 0
        clone = await app(house, "phone-clone", enrolled)
        assert clone.position is not None
        await clone.close()

    lived(house, play())


def test_a_device_whose_right_ended_stops() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        phone, laptop = await people(house)
        await phone.caught_up()
        await house.revoke("phone")
        with pytest.raises(Stopped):
            await bodies(phone, 1)
        for device in (phone, laptop):
            await device.close()

    lived(house, play())
    assert len(told(house.history, Revoked)) == 1


def test_without_a_server_there_is_patience_and_an_end_of_it() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        await house.kill_server()
        with pytest.raises(CannotDo, match="no server runs"):
            await house.enrol("alice", "phone", "phone")

    lived(house, play())


def test_a_server_that_dies_by_itself_is_started_again() -> None:
    house = PretendHouse(1, weather={"crash_between": 0.3})

    async def play() -> None:
        phone, laptop = await people(house)
        for number in range(10):
            await phone.send_to("bob", b"%d" % number)
        house.calm()
        assert len(await bodies(laptop, 10)) == 10
        for device in (phone, laptop):
            await device.close()

    lived(house, play())
    crashes = house.faults["crash_between"]
    states = [each.state for each in told(house.history, Process)]
    assert states == ["started"] + ["crashed", "started"] * crashes
    assert crashes == len(told(house.history, Fault)) > 0


def test_a_server_that_stops_is_waited_for_before_it_starts() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        phone, laptop = await people(house)
        await phone.caught_up()
        await house.stop_server()
        await house.start_server()
        await phone.send_to("bob", b"hello")
        for device in (phone, laptop):
            await device.close()

    lived(house, play())


def test_a_play_that_never_ends_is_ended() -> None:
    house = PretendHouse(1, SQLITE)

    async def play() -> None:
        await house.open()
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StandsStill, match="hours have passed"):
        house.run(play())


def test_the_clock_on_the_wall_may_jump_while_time_does_not() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        before = house.now()
        await house.jump(-86_400)
        assert house.now() == before
        await house.wait(3)
        assert house.now() == before + 3

    lived(house, play())
    assert [each.kind for each in told(house.history, Fault)] == ["clock_jump"]


def test_the_same_seed_gives_the_same_history_in_every_process() -> None:
    outputs = set()
    for hashes in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        done = subprocess.run(
            [sys.executable, "-c", STORM],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    [digests] = outputs
    assert len(digests.splitlines()) == 6
    assert len(set(digests.splitlines())) > 2, "seeds make a difference"


def test_a_history_holds_no_token() -> None:
    house = PretendHouse(1)

    async def play() -> str:
        enrolled = await house.enrol("alice", "phone", "phone")
        device = await app(house, "phone", enrolled)
        await device.caught_up()
        await device.close()
        assert enrolled.token not in repr(enrolled)
        return enrolled.token

    token = lived(house, play()).encode()
    assert all(token not in encode(record) for record in house.history.records)


def test_a_server_that_was_to_be_frozen_while_it_was_away_is_not_frozen_for_ever() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        phone, laptop = await people(house)
        await house.kill_server()
        freezing = asyncio.ensure_future(house.freeze_server())
        await passing(0.1)
        await house.thaw_server()
        await house.start_server()
        await freezing
        await phone.send_to("bob", b"hello")
        assert await bodies(laptop, 1) == [b"hello"]
        for device in (phone, laptop):
            await device.close()

    lived(house, play())
    assert "frozen" in {each.kind for each in told(house.history, Fault)}
