"""What is printed of a server's answers."""

import argparse
from typing import Any

import pytest

from syncd.commands.answers import rows, show_answer

EDIT = {"seq": 7, "device": "1" * 24, "number": 4}


def shown(capsys: pytest.CaptureFixture[str], command: str, **facts: Any) -> tuple[str, str]:
    show_answer(argparse.Namespace(command=command, account="alice", json=False), facts)
    out, err = capsys.readouterr()
    return out, err


def test_an_edit_that_still_holds_the_text_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    out, err = shown(capsys, "erase", logs=2, edits=[EDIT], edits_erased=False)
    assert out == "erased in 2 logs\n"
    assert f"edit {'1' * 24}/4, entry 7: NOT erased" in err
    assert "they keep their copies" in err
    _, err = shown(capsys, "erase", logs=2, edits=[EDIT], edits_erased=True)
    assert f"edit {'1' * 24}/4, entry 7: erased, too" in err


def test_what_a_sweep_came_to(capsys: pytest.CaptureFixture[str]) -> None:
    swept = {"swept": True, "dropped": 3, "entries": 30, "logs": 2, "failed": 0}
    assert shown(capsys, "sweep", **swept) == ("dropped 3 of 30 entries in 2 logs\n", "")
    _, err = shown(capsys, "sweep", **{**swept, "failed": 1})
    assert "1 logs could not be trimmed" in err
    out, err = shown(capsys, "sweep", **{**swept, "swept": False})
    assert out.startswith("nothing dropped")
    assert "--anyway" in err


def test_a_second_erasing_and_a_trim_of_nothing_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = shown(capsys, "erase", logs=0, edits=[], edits_erased=False)
    assert out == "was erased already\n"
    trimmed = {"account": "alice", "floor": 7}
    assert shown(capsys, "trim", **trimmed, dropped=2) == (
        "7\n",
        "the log of alice now begins after seq 7\n",
    )
    assert shown(capsys, "trim", **trimmed, dropped=0) == (
        "7\n",
        "nothing was dropped: the log of alice begins after seq 7 as before\n",
    )


def test_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    default = {"default_entries": 9, "default_days": 0}
    for entries, days, text in (
        (0, None, "all entries, for ever (the service's default)"),
        (None, 0, "9 entries (the service's default), for ever"),
        (5, 30, "5 entries, 30 days"),
    ):
        out, _ = shown(capsys, "retain", account="alice", entries=entries, days=days, **default)
        assert out == f"alice: {text}\n"


def test_a_verdict_is_one_word_of_a_row() -> None:
    device: dict[str, Any] = {
        "device": "1" * 24,
        "platform": "pc",
        "cursor": 3,
        "head": 10,
        "lag": 7,
        "sent": 2,
        "revoked": True,
        "signed_out": None,
        "verdict": "truncated 1 to 3",
        "name": "the other PC",
    }
    titles, row = rows([device]).splitlines()
    assert titles.split()[4:8] == ["lag", "sent", "state", "verdict"]
    assert row.split()[4:8] == ["7", "2", "revoked", "truncated-1-to-3"]
    assert row.endswith("  the other PC")


def test_the_state_of_a_device() -> None:
    device: dict[str, Any] = dict.fromkeys(("cursor", "head", "lag", "sent"), 0)
    device |= {"device": "1" * 24, "platform": "pc", "verdict": None, "name": "PC1"}
    states = [(False, None), (False, "signed_out"), (True, "signed_out_by_merge"), (True, None)]
    listed = [device | {"revoked": revoked, "signed_out": why} for revoked, why in states]
    shown_ = [line.split()[6] for line in rows(listed).splitlines()[1:]]
    assert shown_ == ["active", "signed_out", "revoked", "revoked"]


UNION = {"platform": "open", "unionid": "o-union"}


def test_by_what_a_person_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    phone = {"issuer": "app:wx1", "name": "o-alice", "union": UNION, "pending": None}
    out, err = shown(
        capsys, "subjects", account="p1", standing="active", subjects=[phone | {"pending": UNION}]
    )
    assert [line.split() for line in out.splitlines()] == [
        ["issuer", "name", "union", "pending"],
        ["app:wx1", "o-alice", "open/o-union", "open/o-union"],
    ]
    assert err == "account p1 is active\n"
    out, _ = shown(capsys, "subjects", account="p1", standing="gone", subjects=[])
    assert out.split() == ["issuer", "name", "union", "pending"]


def test_what_became_of_people(capsys: pytest.CaptureFixture[str]) -> None:
    signed_out = {"signed_out": ["1" * 24]}
    note = f"device {'1' * 24} is signed out\n"
    merged = {"guest": "p2", "account": "p1", "entries": 3}
    assert shown(capsys, "merge", **merged, **signed_out) == (
        "p2 is p1: 3 entries appended\n",
        note,
    )
    assert shown(capsys, "standing", account="p1", standing="gone", **signed_out) == (
        "p1: gone\n",
        note,
    )
    assert shown(capsys, "logout", account="p1", **signed_out) == ("1" * 24 + "\n", "")


def test_unionids_that_contradict_and_are_settled(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = {
        "account": "p1",
        "issuer": "app:wx1",
        "name": "o-alice",
        "platform": "open",
        "linked": "o-old",
        "given": "o-new",
    }
    out, _ = shown(capsys, "pending", pending=[waiting])
    titles, row = (line.split() for line in out.splitlines())
    assert dict(zip(titles, row, strict=True)) == waiting
    settled = {"platform": "open", "done": 2, "unknown": ["o-x"], "taken": ["o-y"]}
    assert shown(capsys, "remap", **settled) == (
        "2 links of open changed\n",
        "unknown: o-x\ntaken: o-y\n",
    )
