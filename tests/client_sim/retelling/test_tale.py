"""Whole recordings become plays that can be read, said and played again."""

import pytest

from client_sim import play as plays
from client_sim.history import SERVER, Begin, Floor, Record, Renewed, Revoked
from client_sim.performing import perform
from client_sim.retelling.recording import SYSTEM
from client_sim.retelling.tale import NothingToTell, retold
from tests.client_sim.retelling.told import EPOCH, closed, connect, device, sent, server


def people() -> list[Record]:
    return [
        server(0.0, "started"),
        device(0.0, "PC1", "alice"),
        device(0.0, "laptop", "bob", "laptop"),
        *connect(1.0, "PC1", 1),
        *connect(1.1, "laptop", 2),
    ]


def steps(*records: Record) -> list[str]:
    told = retold([*people(), *records], "again")
    assert plays.read(told.play.toml(), "again") == told.play
    return [str(step) for step in told.play.steps]


BEGUN = ["at 0 s: PC1 logs in", "at 0.1 s: laptop logs in"]


def test_messages_of_all_sorts() -> None:
    told = steps(
        *sent(1.2, "PC1", 1, "alice~bob", "alice bob"),
        *sent(1.3, "PC1", 2, "alice~alice", "alice", size=9000),
        *sent(1.4, "PC1", 3, "alice~bob", "alice bob", kind=3),
        *sent(1.5, "laptop", 1, "alice~bob", "bob", kind=5),
    )
    assert told == [
        *BEGUN,
        "at 0.2 s: PC1 sends 1 to bob",
        "at 0.3 s: PC1 sends 1 of 9000 bytes to alice",
        "at 0.4 s: PC1 recalls its last message",
        "at 0.5 s: laptop reads everything",
    ]


def test_a_group_from_its_making_to_its_leaving() -> None:
    told = steps(
        *sent(1.2, "PC1", 1, "team", "alice bob", kind=SYSTEM),
        *sent(1.3, "laptop", 1, "team", "alice bob", kind=SYSTEM),
        *sent(1.4, "PC1", 2, "team", "alice"),
    )
    assert told == [
        *BEGUN,
        "at 0.2 s: PC1 makes team with bob",
        "at 0.3 s: laptop leaves team",
        "at 0.4 s: PC1 sends 1 to team",
    ]


def test_the_fate_of_the_server() -> None:
    told = steps(
        *sent(1.2, "PC1", 1, "alice~bob", "alice bob"),
        *sent(1.4, "PC1", 2, "alice~bob", "alice bob"),
        Floor(at=1.5, by=SERVER, account="alice", epoch=EPOCH, floor=1),
        server(2.0, "stopped"),
        server(3.0, "started"),
        Renewed(at=3.0, by=SERVER, account="alice", epoch="f" * 16, head=1, why="restore"),
        Renewed(at=3.0, by=SERVER, account="bob", epoch="f" * 16, head=1, why="restore"),
        Revoked(at=3.5, by=SERVER, device="id-laptop"),
        server(9.0, "started"),
        *connect(9.5, "PC1", 3),
    )
    assert told == [
        *BEGUN,
        "at 0.2 s: PC1 sends 1 to bob",
        "at 0.399 s: a backup is taken",
        "at 0.4 s: PC1 sends 1 to bob",
        "at 0.5 s: alice keeps 1",
        "at 1 s: the server stops",
        "at 2 s: the server starts",
        "at 2 s: the backup is restored",
        "at 2.5 s: laptop is revoked",
        "at 2.501 s: the server is killed",
        "at 3.501 s: the server starts",
    ]


def test_what_was_before_the_recording_is_made_up() -> None:
    told = retold(
        [
            device(0.0, "PC1", "alice"),
            device(0.0, "PC2", "alice"),
            *connect(1.0, "PC1", 1, seq=50),
            *connect(2.0, "PC2", 2, seq=2),
        ],
        "again",
    ).play
    assert [str(step) for step in told.steps] == [
        "the service sends 2 to alice",
        "PC2 logs in",
        "PC2 logs out",
        "the service sends 3 to alice",
        "PC1 logs in",
        "PC1 logs out",
        "at 6 s: PC1 logs in",
        "at 7 s: PC2 logs in",
    ]


def test_what_cannot_be_retold_is_said() -> None:
    told = retold([*people(), *sent(1.2, "stranger", 1, "team", "alice")], "again")
    assert told.left_out == ("messages to team",)
    with pytest.raises(NothingToTell):
        retold([server(0.0, "started")], "again")


def test_a_wrong_scope_is_part_of_the_play() -> None:
    begin = Begin(world="recorded", versions=("syncd 1", "cursor scope platform"))
    options = retold([begin, *people()], "again").play.options
    assert options == {"scope": "platform", "verify_start": False}


def test_a_play_of_our_own_can_be_retold() -> None:
    first = perform(plays.load("phone_in_a_tunnel"), 1).records
    told = retold(first, "again").play
    again = perform(told, 1)
    assert len([each for each in told.steps if each.verb == "send"]) > 0
    assert again.records


def test_ends_are_told_to_whoever_is_left() -> None:
    assert steps(closed(2.0, "PC1", 1), *connect(2.1, "PC1", 3))[-1] == "at 1 s: PC1 is cut"
