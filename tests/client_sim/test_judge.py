"""`client-sim judge`, as a person and as a program use it."""

import json
from pathlib import Path

import pytest

from client_sim.__main__ import main
from client_sim.history import Begin, Record, encode
from tests.client_sim.judging.story import Story, founding_story


def written(path: Path, records: list[Record]) -> str:
    path.write_bytes(b"".join(map(encode, records)))
    return str(path)


def missed() -> Story:
    story = founding_story()
    story.say("phone", 3)
    story.pull("phone")
    story.end("PC1")
    return story


def test_a_good_history_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = founding_story()
    story.end()
    assert main(["judge", written(tmp_path / "h", story.records)]) == 0
    said = capsys.readouterr().out
    assert "TRUE: every invariant held, for 2 accepted messages." in said
    assert "durable-ack" in said
    assert "nothing to look at" in said


def test_a_breach_exits_1_and_shows_its_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", written(tmp_path / "h", missed().records)]) == 1
    said = capsys.readouterr().out
    assert "convergence: PC2 never received message 3 of phone (seq 3 of alice)" in said
    assert '{"what":"answer","device":"phone","message":"phone#3"' in said
    assert "FALSE: broken: convergence." in said


def test_a_history_of_nothing_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", written(tmp_path / "h", [Begin(world="w")])]) == 2
    assert "UNKNOWN, which is no better than false: no message was" in capsys.readouterr().out


def test_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "--json", written(tmp_path / "h", missed().records)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ruling"], told["broken"], told["accepted"]) == ("false", ["convergence"], 3)
    [judge] = [each for each in told["judges"] if each["charges"]]
    assert judge["charged"] == 1
    assert judge["charges"][0]["device"] == "PC2"


def test_what_is_no_history_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "h"
    path.write_text("{}\n")
    assert main(["judge", str(path)]) == 2
    assert "line 1: " in capsys.readouterr().err
    assert main(["judge", str(tmp_path / "absent")]) == 2
    assert "No such file" in capsys.readouterr().err
