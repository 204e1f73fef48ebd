"""`client-sim run`: what it prints, keeps and returns."""

import json
from pathlib import Path

import pytest

from client_sim import history, play
from client_sim.__main__ import main

WRONG = (
    play.load("founding_report").toml() + '[options]\nscope = "platform"\nverify_start = false\n'
)


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.toml"
    path.write_text(WRONG, encoding="utf-8")
    return path


def test_a_play_that_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "founding_report", "--seed", "2"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("founding_report, seed 2: true\nThe founding report.")
    assert "durable-ack" in said
    assert "replay" not in said


def test_a_play_that_fails_says_what_to_do(
    wrong: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "wrong.jsonl"
    assert main(["run", str(wrong), "--seed", "3", "--journal", str(journal)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert f"replay:  client-sim run {wrong} --seed 3" in said
    picture = f"picture: client-sim picture {journal} -o {journal.with_suffix('.html')}"
    assert picture in said
    kept = history.read(journal)
    assert any(isinstance(record, history.Log) for record in kept)


def test_without_a_journal_the_advice_makes_one(
    wrong: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(wrong)]) == 1
    advice = f"picture: client-sim run {wrong} --seed 1 --journal wrong.jsonl; client-sim picture "
    assert advice in capsys.readouterr().out


def test_for_programs(wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(wrong), "--seeds", "2", "--json"]) == 1
    out, err = capsys.readouterr()
    first, second = map(json.loads, out.splitlines())
    assert (first["seed"], second["seed"]) == (1, 2)
    assert first["ruling"] == "false"
    assert first["replay"] == f"client-sim run {wrong} --seed 1"
    assert first["digest"] != second["digest"]
    assert "0 of 2 runs passed" in err


def test_several_plays_take_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "three_pcs", "phone_first", "--storage", "sqlite"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "three_pcs, seed 1: true",
        "phone_first, seed 1: true",
        "2 of 2 runs passed",
    ]


def test_the_seed_of_the_play_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "seeded.toml"
    path.write_text("seed = 9\n" + play.load("three_pcs").toml(), encoding="utf-8")
    assert main(["run", str(path)]) == 0
    assert "seed 9: true" in capsys.readouterr().out


def test_what_cannot_be_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nothing"]) == 2
    assert "there is no play nothing" in capsys.readouterr().err
    path = tmp_path / "windy.toml"
    path.write_text(play.load("three_pcs").toml() + "[weather]\nwake_lost = 0.1\n")
    assert main(["run", str(path), "--world", "live"]) == 2
    assert "windy: faults by chance come in the pretend world only" in capsys.readouterr().err
