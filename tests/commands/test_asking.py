"""Where a command is performed: by whoever holds the store, and never by two."""

import argparse
from pathlib import Path

import pytest

from syncd.commands.asking import perform, request_of
from syncd.commands.outcome import DECLINED, USAGE, CommandFailed
from syncd.commands.parser import parser
from syncd.config import Config
from syncd.persons import Standing
from syncd.server import requests
from syncd.storage.sqlite import DATABASE_NAME


def test_a_file_is_named_as_every_process_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = argparse.Namespace(command="import", account="alice", file="stream")
    assert request_of(given) == requests.Import("alice", str(tmp_path / "stream"))


@pytest.mark.parametrize(("entries", "days"), [(1, None), (None, 1), (0, 0)])
def test_a_number_beside_the_default_is_not_meant(entries: int | None, days: int | None) -> None:
    given = argparse.Namespace(
        command="retain", account="alice", entries=entries, days=days, default=True
    )
    with pytest.raises(CommandFailed) as failed:
        request_of(given)
    assert failed.value.status == USAGE


def test_only_what_brings_something_makes_a_store(tmp_path: Path) -> None:
    config = Config(data=tmp_path / "store")
    for request in (
        requests.Sweep(),
        requests.Erase("alice", 1),
        requests.Token("alice", device="1" * 24),
    ):
        with pytest.raises(CommandFailed) as failed:
            perform(config, request)
        assert failed.value.status == DECLINED
    for path in (tmp_path / "nothing", Path(__file__)):
        with pytest.raises(CommandFailed) as failed:
            perform(config, requests.Import("alice", str(path)))
        assert failed.value.status == DECLINED
    assert not config.data.exists()
    assert perform(config, requests.Key("shop"))["name"] == "shop"
    assert (config.data / DATABASE_NAME).exists()


def test_what_is_asked_about_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked: dict[str, requests.Request] = {
        "subjects alice": requests.Subjects("alice"),
        "merge guest alice": requests.Merge("guest", "alice"),
        "standing alice leaving": requests.Stand("alice", Standing.LEAVING),
        "pending": requests.Pending(),
        "remap open changes.csv": requests.Remap("open", str(tmp_path / "changes.csv")),
        "logout alice": requests.Logout("alice"),
        "logout alice --keep x": requests.Logout("alice", "x"),
    }
    for line, request in asked.items():
        assert request_of(parser().parse_args(line.split())) == request
