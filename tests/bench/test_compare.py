"""Two results are compared figure by figure; a difference is one where the spreads do not touch."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import compare
from bench.results import Results


def _print(bench: str, figures: dict[str, list[float]]) -> None:
    """What a sub-command that measured this would print."""
    results = Results(bench, {})
    for name, values in figures.items():
        for value in values:
            results.note(name, value)
    results.finish()


@pytest.fixture
def saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    def save(name: str, bench: str, **figures: list[float]) -> str:
        capsys.readouterr()
        _print(bench, figures)
        path = tmp_path / name
        path.write_text(capsys.readouterr().out, encoding="utf-8")
        return str(path)

    return save


def test_each_figure_gets_its_verdict(saved, capsys: pytest.CaptureFixture[str]) -> None:
    old = saved("old", "core", sends_per_s=[10, 11], live_ms=[1, 2], idle_kib=[5, 6], gone_s=[1])
    new = saved("new", "core", sends_per_s=[20, 21], live_ms=[3, 4], idle_kib=[6, 7])
    capsys.readouterr()
    assert compare.main([old, new]) == 0
    shown = capsys.readouterr().out.splitlines()
    line = {row.split()[0]: row for row in shown if row.strip()}
    assert " better (" in line["sends_per_s"]
    assert " worse (" in line["live_ms"]
    assert "within the noise" in line["idle_kib"]
    assert line["gone_s"].split()[1:] == ["1.00", "-"]


def test_two_questions_are_not_compared(saved) -> None:
    assert compare.main([saved("old", "core", a_s=[1]), saved("new", "storm", a_s=[1])]) == 2


@pytest.mark.parametrize("text", ["", "nothing\n", '{"schema": 1}\n'])
def test_a_file_without_a_result_is_said_so(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old"
    path.write_text(text, encoding="utf-8")
    assert compare.main([str(path), str(path)]) == 2
    assert str(path) in capsys.readouterr().err
