"""Check, backup, restore and export in this process: what is told, and what is left behind."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.commands.care import summary
from syncd.commands.outcome import DAMAGED, DECLINED, DONE, USAGE
from syncd.storage.findings import Report
from tests.conftest import Ran


@pytest.fixture
def run(run: Callable[..., Ran]) -> Callable[..., Ran]:
    """The same, over a store in which Alice has a device."""
    run("token", "alice", "--device-name", "PC1", "--platform", "pc")
    return run


def test_a_summary_counts_everything() -> None:
    report = Report(logs=2, entries=5, erased=1, devices=3)
    assert summary(report) == "2 logs, 5 entries (1 erased), 3 devices: sound"
    report.add("there", "wrong")
    report.unlisted = 4
    assert summary(report).endswith("DAMAGED, 5 findings")
    report.unlisted = 0
    assert summary(report).endswith("DAMAGED, 1 finding")


def test_a_store_without_entries_goes_there_and_back(
    run: Callable[..., Ran], tmp_path: Path
) -> None:
    copy = str(tmp_path / "copy")
    assert run("check")[0] == DONE
    assert run("backup", copy)[:2] == (DONE, f"{copy}\n")
    status, out, err = run("restore", copy, "--replace")
    assert (status, out.endswith("1 accounts, 0 entries, the newest of none\n")) == (DONE, True)
    assert "what was there before is kept as " in err
    assert "erase them again" in err
    status, out, _ = run("restore", copy, "--data", str(tmp_path / "new"), "--json")
    assert json.loads(out) == {
        "accounts": 1,
        "entries": 0,
        "newest_ms": None,
        "replaced": None,
        "sound": True,
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("backup", "no folder/copy"), "the folder no folder does not exist."),
        (("backup", "."), ". exists; choose another name."),
        (("backup", __file__), f"{__file__} exists; choose another name."),
        (("export", "alice", "--output", "."), ". exists; choose another name."),
        (("export", "nobody"), "The account does not exist."),
        (("export", "a b"), "An account id is"),
        (("export", "nobody", "--output", "no folder/x"), "the folder no folder does not exist."),
        (("restore", __file__, "--replace"), f"{__file__} is no backup."),
        (("restore", __file__), "there is a store in "),
        (("export", "nobody", "--output", "stream"), "The account does not exist."),
    ],
)
def test_what_is_declined_leaves_nothing(
    run: Callable[..., Ran],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    status, out, err = run(*arguments)
    assert (status, out) == (DECLINED, "")
    assert err.startswith(f"syncd: {sentence}")
    assert list(place.iterdir()) == []


def test_what_is_no_store_is_called_so(run: Callable[..., Ran]) -> None:
    status, out, _ = run("check", "--file", __file__)
    assert status == DAMAGED
    assert out.splitlines()[0] == "database: it is no store: file is not a database"
    assert out.endswith("DAMAGED, 1 finding\n")


def test_a_terminal_gets_no_stream(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    status, out, err = run("export", "alice")
    assert (status, out) == (USAGE, "")
    assert "--output" in err


def test_an_export_is_told_for_machines(run: Callable[..., Ran], tmp_path: Path) -> None:
    file = str(tmp_path / "stream")
    status, out, err = run("export", "alice", "--output", file, "--json")
    assert status == DONE
    assert json.loads(out) == {"account": "alice", "file": file, "entries": 0, "devices": 1}
    assert "groups" in err
