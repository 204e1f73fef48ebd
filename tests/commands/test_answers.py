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
        "verdict": "truncated 1 to 3",
        "name": "the other PC",
    }
    titles, row = rows([device]).splitlines()
    assert titles.split()[4:8] == ["lag", "sent", "state", "verdict"]
    assert row.split()[4:8] == ["7", "2", "revoked", "truncated-1-to-3"]
    assert row.endswith("  the other PC")
