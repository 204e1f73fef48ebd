"""What plays say of their ends: each sentence kept and broken, by hand-written records."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from client_sim.expectations import charges
from client_sim.history import (
    Answer,
    Closed,
    Device,
    Holds,
    Log,
    Login,
    Merged,
    Phase,
    Record,
    Send,
    Verdict,
)
from client_sim.sentences import EXPECTATIONS
from tests.client_sim.scenes import played, scene, told

EPOCH = "ee" * 8


def entries(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"body of {name}") for name in names)


def holds(name: str, *names: str, **facts: Any) -> Holds:
    known: dict[str, Any] = {"first": 0, "seq": len(names), "epoch": EPOCH, "name": name} | facts
    return Holds(device=f"id of {name}", entries=entries(*names), **known)


RECORDS: tuple[Record, ...] = (
    Device(device="id of PC1", account="alice", name="PC1"),
    Device(device="id of PC2", account="alice", name="PC2"),
    Device(device="id of phone", account="bob", name="phone"),
    Login(name="phone", code="code_used"),
    Login(name="phone", device="id of phone"),
    Send(device="id of phone", message="made the group"),
    Answer(device="id of phone", message="made the group", outcome="accepted"),
    Phase(name="storm"),
    *(Send(device="id of phone", message=f"m{number}") for number in (1, 2, 3, 4)),
    Answer(device="id of phone", message="m1", outcome="accepted", seq=1),
    Answer(device="id of phone", message="m1", outcome="accepted", seq=1, by="server"),
    Answer(device="id of phone", message="m3", outcome="refused", code="busy", definite=False),
    Answer(device="id of phone", message="m3", outcome="refused", code="conflict"),
    Verdict(device="id of PC1", session=1, kind="welcome", epoch=EPOCH, floor=0, head=2, start=0),
    Verdict(
        device="id of PC1",
        session=2,
        kind="reset",
        epoch=EPOCH,
        floor=0,
        head=2,
        start=0,
        reason="forked",
    ),
    Closed(device="id of PC1", session=1, code="fenced"),
    Closed(device="id of PC1", session=2),
    Phase(name="farewell"),
    Send(device="id of phone", message="goodbye"),
    Answer(device="id of phone", message="goodbye", outcome="accepted"),
    Phase(name="end"),
    Log(account="alice", epoch=EPOCH, floor=0, head=3, entries=entries("m1", "m2", "goodbye")),
    holds("PC1", "m1", "m2", "goodbye", unread=2, old=("m1", "lost")),
    holds("PC2", "m1", "m2", unread=2),
    holds("phone", unread=None),
)

KEPT = [
    "PC1 holds 2",
    "phone holds 0",
    "PC1 holds the same as PC2",
    "PC1 was told welcome",
    "PC1 was told reset",
    "PC1 was told reset forked",
    "PC2 was never told welcome",
    "PC1 was never told reset epoch",
    "PC1 was closed fenced",
    "phone had 1 refused",
    "phone had 2 accepted",
    "alice has 2 unread",
    "PC1 marks 1",
    "PC2 marks 0",
    "PC1 and PC2 share an account",
    "PC1 and phone have two accounts",
    "PC1 had 1 ids",
    "phone was turned away code_used",
]

BROKEN = [
    ("PC1 holds 3", "2"),
    ("PC1 holds the same as phone", "PC1 alone holds 1, 2; phone alone holds nothing"),
    ("PC1 was told truncated", "welcome, reset forked"),
    ("PC2 was told welcome", "nothing"),
    ("PC1 was never told reset", "it was, 1 times"),
    ("PC1 was closed draining", "fenced"),
    ("PC2 was closed fenced", "no code"),
    ("phone had 0 refused", "1 (conflict)"),
    ("phone had 3 accepted", "2"),
    ("alice has 1 unread", "PC1 counts 2, PC2 counts 2"),
    ("bob has 0 unread", "nobody counted"),
    ("PC1 marks 2", "1"),
    ("PC1 and phone share an account", "PC1 is in alice, phone in bob"),
    ("PC1 and PC2 have two accounts", "both are in alice"),
    ("PC1 had 2 ids", "1"),
    ("PC1 was turned away code_used", "no code"),
]


@pytest.mark.parametrize("sentence", KEPT)
def test_what_was_expected_and_found_is_no_charge(sentence: str) -> None:
    assert charges(scene(expect=[sentence]), RECORDS) == []


@pytest.mark.parametrize(("sentence", "found"), BROKEN)
def test_what_was_not_found_is_charged_with_what_was(sentence: str, found: str) -> None:
    [charge] = charges(scene(expect=[sentence]), RECORDS)
    assert charge.text == f"expected: {sentence}; found: {found}"
    name = sentence.split()[0]
    assert charge.device == ("" if name in ("alice", "bob") else f"id of {name}")


def test_every_kind_of_sentence_was_tried() -> None:
    tried = {step.verb for step in scene(expect=[*KEPT, *dict(BROKEN)]).expect}
    assert tried == {verb.name for verb in EXPECTATIONS}


def test_of_whom_nothing_is_told_nothing_can_be_found() -> None:
    play = scene(expect=["PC1 holds 0", "PC1 holds the same as PC2", "PC1 marks 0"])
    found = [each.text.partition("found: ")[2] for each in charges(play, RECORDS[:3])]
    assert found == [
        "nobody told what it holds",
        "nobody told what they hold",
        "nobody told what it holds",
    ]


def test_two_pasts_are_never_alike() -> None:
    records = [*RECORDS[:3], holds("PC1", "m1"), holds("PC2", "m1", epoch="ff" * 8)]
    [charge] = charges(scene(expect=["PC1 holds the same as PC2"]), records)
    assert charge.text.endswith("they are at different pasts")
    assert charge.steps == (3, 4)


def test_a_clone_is_told_from_its_original() -> None:
    clone = structs.replace(holds("PC9"), device="id of PC1")
    records = [*RECORDS[:3], Device(device="id of PC1", account="alice", name="PC9")]
    records += [holds("PC1", "m1"), clone]
    play = scene("PC1 is cloned as PC9", expect=["PC1 holds 1", "PC9 holds 0"])
    assert charges(play, records) == []


def test_a_performance_is_judged_by_the_same_sentences() -> None:
    steps = ("PC1 logs in", "phone logs in", "phone sends 3 to alice", "all settle")
    history = played(*steps)
    assert told(history, Holds)
    play = scene(*steps, expect=["PC1 holds 3", "alice has 3 unread", "phone had 3 accepted"])
    assert charges(play, history.records) == []


def test_an_account_is_what_it_was_merged_into() -> None:
    records = (
        *RECORDS,
        Merged(guest="bob", account="alice", prover=""),
        holds("TV", "m1", unread=2),
    )
    found = charges(scene(expect=["PC1 and phone share an account", "bob has 2 unread"]), records)
    assert found == []
