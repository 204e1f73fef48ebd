"""`client-sim new`: a play that can be read and played as it is, with every sentence explained."""

from pathlib import Path

import pytest

from client_sim.__main__ import main
from client_sim.draft import draft
from client_sim.play import read
from client_sim.sentences import DOINGS, EXPECTATIONS
from client_sim.weather import CHANCES


def test_what_is_written_can_be_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "lost"]) == 0
    assert "client-sim run lost.toml" in capsys.readouterr().out
    assert main(["run", "lost.toml"]) == 0


def test_every_sentence_and_all_weather_is_explained() -> None:
    text = draft("x.toml")
    for verb in (*DOINGS, *EXPECTATIONS):
        assert f"#  {verb.pattern}  " in text
        assert verb.meaning in text
    for kind in CHANCES:
        assert f"# {kind} = " in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_all_weather_may_be_switched_on() -> None:
    text = draft("x.toml")
    for kind in CHANCES:
        text = text.replace(f"# {kind} = 0.01", f"{kind} = 0.01 #")
    assert set(read(text, "x").weather) == set(CHANCES)


def test_an_existing_file_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    assert main(["new", str(path)]) == 1
    assert "mine.toml: File exists" in capsys.readouterr().err
    assert path.read_text() == "mine"
