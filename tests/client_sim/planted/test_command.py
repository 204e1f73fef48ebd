"""`client-sim planted` hunts what it is asked to, and says what it found and what it could not."""

import json
import subprocess
import sys
from typing import Any

import pytest

from client_sim.planted.command import Hunted, facts


def planted(*arguments: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "client_sim", "planted", *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def test_found_bugs_are_counted_with_their_seeds() -> None:
    done = planted("start_at_the_head", "one_device_woken", "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == 0
    assert (told["planted"], told["found"], told["skipped"]) == (2, 2, 0)
    for bug in told["bugs"]:
        assert bug["seed"] >= 1
        assert bug["seconds"] > 0
        assert bug["judges"]


def test_a_bug_that_no_run_finds_fails_the_command() -> None:
    done = planted("start_at_the_head", "--seeds", "0")
    assert done.returncode == 1
    assert "NOT FOUND" in done.stdout


def test_a_bug_that_nobody_knows_is_an_error() -> None:
    done = planted("gremlin")
    assert done.returncode == 2
    assert "gremlin" in done.stderr


@pytest.mark.parametrize("skipped", ["", "there is no C compiler here"])
def test_what_cannot_be_hunted_here_is_counted_apart(skipped: str) -> None:
    found = Hunted("one", "storm", 3, ("one-effect",), 3, 1.5)
    other = Hunted("two", "power cut", None, (), 0, 0.1, skipped)
    told = facts([found, other])
    assert told["planted"] == (1 if skipped else 2)
    assert told["found"] == 1
    assert told["skipped"] == (1 if skipped else 0)
