"""The report for people: who holds what, what the check said, one sentence; plain when piped."""

from dataclasses import replace

import pytest
from rich.console import Console

from client_sim.performance import Act, Performance
from client_sim.report import PIPED_WIDTH, conclusion, console, show
from tests.client_sim.samples import performance, right_half, wrong_half


def shown(it: Performance) -> str:
    target = Console(width=PIPED_WIDTH, no_color=True, highlight=False)
    with target.capture() as captured:
        show(it, target)
    return captured.get()


def test_every_half_is_a_row_with_counts_and_words() -> None:
    rows = [row.split() for row in shown(performance(3)).splitlines()]
    assert ["the", "founding", "report", "per", "platform", "3/3", "0/3"] in [
        row[:7] for row in rows
    ]
    assert ["per", "device", "3/3", "3/3"] in [row[:4] for row in rows]


def test_it_says_what_the_check_would_have_said() -> None:
    text = shown(performance())
    assert "would have said: this device holds nothing" in " ".join(text.split())


def test_piped_it_is_plain_narrow_enough_and_wide_enough(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(performance(), console())
    lines = capsys.readouterr().out.splitlines()
    assert "\x1b" not in "".join(lines)
    assert PIPED_WIDTH >= 100
    assert all(len(line) <= PIPED_WIDTH for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []
    assert "cursors kept" in "".join(lines)


def test_the_conclusions() -> None:
    assert conclusion(performance()).startswith("Reproduced and fixed: ")
    assert "in 1 of 1 variants" in conclusion(performance())
    kept = Act("main", "the founding report", {"platform": right_half(), "device": wrong_half()})
    said = conclusion(Performance(kept, ()))
    assert said.startswith("FAILED: the bug did not appear")
    assert "not right in: the founding report" in said


@pytest.mark.parametrize(
    ("scope", "half", "words"),
    [
        ("device", right_half(), "every device holds every message"),
        ("device", wrong_half(), "FAILED: This server has one cursor per device"),
        ("platform", wrong_half(), "it loses messages"),
    ],
)
def test_the_conclusions_about_a_running_server(scope: str, half: object, words: str) -> None:
    main = replace(performance().main, halves={scope: half})
    assert words in conclusion(Performance(main, (), scope))
