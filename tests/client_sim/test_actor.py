"""Actors: what their users' habits lead to, and how their apps come and go."""

from __future__ import annotations

import asyncio

import pytest

from client_sim.actor import Troupe
from client_sim.history import Answer, Closed, Complaint, Holds, Process, Send, Verdict
from client_sim.pretend.house import PretendHouse
from syncd.model import Kind
from tests.client_sim.scenes import device, played, told

TALKING = ("PC1 logs in", "phone logs in", "phone sends 2 to alice", "PC1 sends 2 to bob")


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("PC1 edits its last message", Kind.EDIT),
        ("PC1 recalls its last message", Kind.RECALL),
        ("PC1 deletes what came last", Kind.DELETE),
        ("PC1 reads everything", Kind.READ),
    ],
)
def test_a_habit_is_a_message_that_is_accepted(sentence: str, kind: Kind) -> None:
    history = played(*TALKING, "all settle", sentence)
    [sent] = told(history, Send, whom="PC1", kind=kind)
    assert [each.outcome for each in told(history, Answer, message=sent.message, by="device")] == [
        "accepted"
    ]
    own_only = kind in (Kind.DELETE, Kind.READ)
    assert sent.to == (("alice",) if own_only else ("alice", "bob"))


def test_there_must_be_something_to_edit_or_read() -> None:
    steps = [
        "PC1 edits its last message",
        "PC1 recalls its last message",
        "PC1 deletes what came last",
        "PC1 reads everything",
    ]
    history = played("PC1 logs in", *steps)
    assert [each.kind for each in told(history, Send, whom="PC1")] == [Kind.MESSAGE]  # its farewell


def test_everything_that_was_read_counts_no_more() -> None:
    history = played(*TALKING, "all settle", "PC1 reads everything")
    counts = {each.name: each.unread for each in told(history, Holds)}
    assert counts == {
        "PC1": 0,
        "PC2": 0,
        "new device of alice": 0,
        "phone": 2,
        "new device of bob": 2,
    }


def test_a_group_changes_and_says_so() -> None:
    history = played(
        "PC1 logs in",
        "phone logs in",
        "PC1 makes team with alice and bob",
        "phone sends 1 to team",
        "all settle",
        "PC1 removes bob from team",
        "phone sends 1 to team",
        "PC1 adds bob to team",
        "phone sends 1 to team",
        "phone leaves team",
    )
    codes = [each.code for each in told(history, Answer, whom="phone", by="device")]
    assert codes == ["", "not_a_member", "", "", ""]
    changes = told(history, Send, kind=Kind.SYSTEM)
    assert [each.conversation for each in changes] == ["team"] * 4
    assert {each.to for each in changes} == {()}


def test_large_messages_are_large() -> None:
    history = played("PC1 logs in", "PC1 sends 2 of 5000 bytes to bob")
    large = [each for each in told(history, Send) if each.conversation == "alice~bob"]
    assert [each.size for each in large] == [5000, 5000]
    assert large[0].body != large[1].body


def test_nobody_writes_without_an_app() -> None:
    history = played("PC1 sends 3 to bob", "PC1 logs out", "PC1 is killed")
    assert len(told(history, Send, whom="PC1")) == 1  # its farewell
    assert told(history, Process, whose=device(history, "PC1"))[0].state == "started"


def test_who_is_killed_comes_back_with_what_was_durable() -> None:
    history = played(
        "PC1 logs in",
        "PC1 loses its network",
        "PC1 sends 3 to bob",
        "PC1 is killed",
        "PC1 has network again",
        "PC1 logs in",
    )
    states = [each.state for each in told(history, Process, whose=device(history, "PC1"))]
    assert states == ["started", "crashed", "started"]
    outcomes = [each.outcome for each in told(history, Answer, whom="PC1", by="device")]
    assert outcomes == ["accepted"] * 4


def test_who_was_fenced_by_its_clone_stays_away_until_it_is_asked() -> None:
    history = played("PC1 logs in", "PC1 is cloned as PC9", "PC9 logs in", "20 s pass")
    fenced = told(history, Closed, code="fenced", by="device")
    assert len(fenced) == 2  # PC1 in the play; PC9 when all were asked to come back
    assert [each.kind for each in told(history, Verdict, whom="PC1")][:2] == ["welcome"] * 2
    online = {each.name: each.online for each in told(history, Holds)}
    assert (online["PC1"], online["PC9"]) == (True, False)
    assert not told(history, Complaint)


def test_a_revoked_device_is_over() -> None:
    history = played("PC1 logs in", "PC1 is revoked", "PC1 sends 1 to bob", "PC1 logs in")
    held = next(each for each in told(history, Holds) if each.name == "PC1")
    assert not held.online
    assert held.unread is None
    assert not told(history, Complaint)


def test_a_wait_that_never_ends_is_complained_about() -> None:
    house = PretendHouse(1)

    async def play() -> None:
        await house.open()
        enrolled = await house.enrol("alice", "PC1", "pc")
        actor = Troupe(house, {}, house.chance)("PC1", "alice", enrolled)
        await actor.log_in()
        await actor._do(lambda app, device: asyncio.Event().wait())
        assert not actor.settled(0)
        await actor.remains()
        await house.close()

    house.run(play())
    [complaint] = told(house.history, Complaint)
    assert complaint.judge == "convergence"


def test_what_is_left_tells_what_is_old_and_what_waits() -> None:
    history = played(
        "PC1 logs in",
        "PC1 sends 4 to bob",
        "all settle",
        "PC1 logs out",
        "alice keeps 1",
        "phone logs in",
        "phone sends 3 to alice",
        "alice keeps 1",
        "PC2 loses its network",
        "PC1 logs in",
        "PC1 is revoked",
    )
    held = {each.name: each for each in told(history, Holds)}
    assert len(held["PC1"].old) == 4
    assert held["PC1"].first > 0
    assert [len(each.waiting) for each in held.values()] == [0] * 5
