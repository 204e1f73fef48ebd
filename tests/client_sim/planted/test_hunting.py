"""A hunt stops at the first run that a judge of the bug condemns, and says which."""

import subprocess
import sys

import msgspec
import pytest

from client_sim.planted.hunting import Run


def hunt(bug: str, first: int, last: int) -> list[Run]:
    asked = [sys.executable, "-m", "client_sim.planted.hunting", bug, str(first), str(last)]
    done = subprocess.run(asked, check=True, capture_output=True)
    return [msgspec.json.decode(line, type=Run) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("bug", "judge"),
    [
        ("start_at_the_head", "explicit-gap"),  # a play
        ("retry_without_dedupe", "one-effect"),  # storms
    ],
)
def test_a_bug_is_found(bug: str, judge: str) -> None:
    *before, last = hunt(bug, 1, 20)
    assert judge in last.judges
    assert last.ruling == "false"
    assert last.charge
    assert all(judge not in run.judges for run in before)


def test_the_server_of_a_live_run_has_the_bug_and_its_devices_have_not() -> None:
    [run] = hunt("start_at_stored_cursor_live", 1, 1)
    assert run.judges
