"""A bug is in the process that it was planted into, and in no other."""

import subprocess
import sys

import pytest

from client_sim.planted.bugs import BY_NAME
from client_sim.planted.planting import NoSuchPlace, changed, plant, planted
from syncd import __version__

BUG = BY_NAME["cursor_by_platform"]
ASK = (
    "from syncd.storage.cursors import cursor_key; from syncd.model import CursorScope;"
    "print(cursor_key(CursorScope.DEVICE, 'd', 'a', 'pc'))"
)


def answer(*begin: str) -> str:
    asked = [sys.executable, "-c", ";".join((*begin, ASK))]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def test_a_planted_process_has_the_bug_and_leaves_nothing_behind() -> None:
    planting = (
        "from client_sim.planted.planting import plant",
        "from client_sim.planted.bugs import BY_NAME",
        "plant(BY_NAME['cursor_by_platform'])",
    )
    assert answer(*planting) == "a/pc"
    assert answer() == "d"


def test_a_program_runs_with_the_bug() -> None:
    program = ("-m", "client_sim.planted.planting", BUG.name, "syncd", "--version")
    done = subprocess.run([sys.executable, *program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == __version__


def test_a_line_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NoSuchPlace, match="0 times"):
        changed(BUG, "nothing of the kind\n")
    with pytest.raises(NoSuchPlace, match="2 times"):
        changed(BUG, f"{BUG.old}\n{BUG.old}\n")


def test_it_is_too_late_for_a_module_that_was_imported() -> None:
    import syncd.storage.cursors  # noqa: F401

    with pytest.raises(RuntimeError, match="imported already"):
        plant(BUG)


def test_a_command_with_a_bug_says_so_in_what_plays_it_again() -> None:
    asked = ("-m", "client_sim", "run", "new_laptop", "--bug", "start_at_the_head", "--seed=2")
    done = subprocess.run([sys.executable, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "client-sim run new_laptop --seed 2 --bug start_at_the_head\n" in done.stdout
    assert planted() == ""  # it was in that process only
