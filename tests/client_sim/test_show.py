"""`client-sim picture` from the command line."""

from pathlib import Path

import pytest

from client_sim.__main__ import main
from client_sim.history import encode
from tests.client_sim.chart.histories import founding


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "founding.jsonl"
    path.write_bytes(b"".join(map(encode, founding())))
    return path


def test_a_history_becomes_a_page(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = recorded.with_name("page.html")
    assert main(["picture", str(recorded), "-o", str(target)]) == 0
    assert capsys.readouterr().out.strip() == str(target)
    text = target.read_text(encoding="utf-8")
    assert 'data-judge="explicit-gap"' in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text


def test_without_a_name_it_lies_beside_its_history(recorded: Path) -> None:
    assert main(["picture", str(recorded), "--judge", "explicit-gap"]) == 0
    assert recorded.with_suffix(".html").is_file()


def test_a_judge_without_a_charge_is_said(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["picture", str(recorded), "--judge", "clock-free"]) == 2
    assert "nothing is charged by clock-free" in capsys.readouterr().err


def test_what_is_no_history_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.jsonl"
    assert main(["picture", str(path)]) == 2
    path.write_text("nonsense\n", encoding="utf-8")
    assert main(["picture", str(path)]) == 2
    assert "line 1" in capsys.readouterr().err
