"""One run of an app: what it complains about, and that giving up loses nothing."""

from __future__ import annotations

import warnings
from itertools import count
from random import Random
from typing import Any

import pytest

from client_sim.app import App, Part
from client_sim.history import Answer, Complaint, Connect, Fault, Holds, Log, Send
from client_sim.pretend.house import PretendHouse
from syncd.client.device import Item
from syncd.model import Epoch
from tests.client_sim.scenes import played, told
from tests.protocol.client_plays import entry


async def an_app(house: PretendHouse) -> App:
    """Of alice's PC1, not begun yet."""
    await house.open()
    enrolled = await house.enrol("alice", "PC1", "pc")
    return App(Part(house, "PC1", "alice", enrolled, count(1), Random(1), {}))


@pytest.mark.parametrize("seed", range(12))
def test_whoever_gives_up_loses_nothing(seed: int) -> None:
    history = played(
        "PC1 logs in",
        "phone logs in",
        *["PC1 sends 2 to bob", "phone sends 2 to alice", "phone reads everything"] * 4,
        "PC1 logs out",
        "PC1 logs in",
        "phone logs out",
        seed=seed,
        weather={"cancelled": 0.7},
    )
    assert told(history, Fault, kind="cancelled")
    assert not told(history, Complaint)
    sent = {each.message for each in told(history, Send)}
    logged = {message for log in told(history, Log) for message, _ in log.entries}
    read_twice = {each.message for each in told(history, Answer, code="mark_backwards")}
    assert len(sent) >= 18
    assert sent == logged | read_twice
    assert all(each.online and not each.waiting for each in told(history, Holds))


def test_a_server_that_skips_is_complained_about_once() -> None:
    steps = ("phone logs in", "phone sends 3 to alice", "PC1 logs in", "all settle", "PC2 logs in")
    history = played(*steps, options={"scope": "platform"})
    named = {each.device: each.name for each in told(history, Holds)}
    complaints = told(history, Complaint)
    assert {each.judge for each in complaints} == {"explicit-gap"}
    assert "PC2" in {named[each.whose] for each in complaints}
    texts = [each.text for each in complaints if each.whose in named]
    assert any("3 entries would never have come" in text for text in texts)


def test_a_hole_in_what_the_application_gets_is_complained_about() -> None:
    steps = ("phone logs in", "phone sends 3 to alice", "PC1 logs in", "phone sends 1 to alice")
    history = played(*steps, options={"scope": "platform", "verify_start": False})
    assert not told(history, Complaint, judge="explicit-gap")
    house = PretendHouse(1)

    async def hand() -> None:
        app = await an_app(house)
        for seq, era in ((1, 0), (2, 0), (2, 0), (1, 0), (9, 1), (10, 1), (12, 1)):
            app._show(Item(seq, Epoch(b"epoch-01"), entry(seq), era))
        await house.close()

    house.run(hand())
    [complaint] = told(house.history, Complaint)
    assert complaint.judge == "prefix"
    assert complaint.text == "PC1: the application got 12 after 10"


def test_what_was_killed_before_it_began_leaves_nothing_half_done() -> None:
    house = PretendHouse(1)

    async def kill() -> None:
        app = await an_app(house)
        app.start()
        app.drop()
        await house.close()

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        house.run(kill())
    assert not warned, [each.message for each in warned]


def test_what_nobody_expects_is_complained_about() -> None:
    house = PretendHouse(1)

    async def fails(device: Any) -> None:
        raise AssertionError("a bug")

    async def play() -> None:
        app = await an_app(house)
        app.start()
        await app.caught_up(60.0)
        for _ in range(2):
            await app.do(fails, 1.0)
        assert app.settled(0)
        assert await app.close(60.0)
        await house.close()

    house.run(play())
    [complaint] = told(house.history, Complaint)
    assert (complaint.judge, complaint.text) == ("poison-safe", "PC1: AssertionError: a bug")


def test_a_dropped_app_takes_no_further_step() -> None:
    house = PretendHouse(1)

    async def play() -> int:
        app = await an_app(house)
        app.start()
        await app.caught_up(60.0)
        await house.abandon("PC1")
        app.drop()
        before = len([each for each in house.history.records if each.by == "device"])
        await app.do(lambda device: device.send_to("alice", b"too late"), 1.0)
        assert await app.close(60.0)
        await house.wait(60.0)
        assert app.settled(99)
        assert not app.connected
        after = len([each for each in house.history.records if each.by == "device"])
        await house.close()
        return after - before

    assert house.run(play()) == 0


def test_an_instance_is_drawn_for_every_run() -> None:
    history = played("PC1 logs in", "PC1 logs out", "PC1 logs in")
    assert len({each.instance for each in told(history, Connect, whom="PC1")}) == 2
