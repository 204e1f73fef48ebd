"""`client-sim plays`: every play with its story."""

import json

import pytest

from client_sim import play
from client_sim.__main__ import main


def test_every_play_is_listed_with_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plays"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in play.names())
    assert "Nobody is logged in on a PC" in said
    assert "client-sim run NAME" in said


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plays", "--json"]) == 0
    stories = json.loads(capsys.readouterr().out)
    assert sorted(stories) == play.names()
    assert len(stories) >= 20
