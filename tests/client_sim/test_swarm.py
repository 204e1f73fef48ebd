"""A short real swarm with cuts, and what makes one fail."""

import json
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from client_sim import door
from client_sim.judges import Fault
from client_sim.swarm import SwarmFailed, line_to, listed_devices
from tests.client_sim.conftest import Running

ROOT = Path(__file__).resolve().parents[2]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "client_sim", "swarm", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_real_swarm_with_cuts_is_all_right(running: Running) -> None:
    plan = ("--devices", "8", "--rate", "80", "--for", "2", "--churn", "6")
    done = ran("--url", running.url, "--key", running.key, *plan, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["right"], told["converged"], told["accounts"]) == (True, True, 3)
    # A send that a cut interrupted stays without an answer here; its device sends it again.
    assert told["accepted"] + told["unanswered"] == told["sent"]
    assert told["arrived_later"] <= told["unanswered"]
    assert told["accepted"] > 100
    assert [told[fault.value] for fault in Fault] == [0, 0, 0, 0, 0]
    assert told["connects"] > told["devices"]
    assert re.search(r"[1-8]/8 devices", done.stdout)  # cuts and machines decide how many


def test_a_part_of_the_traffic_goes_to_groups(running: Running) -> None:
    plan = ("--devices", "12", "--rate", "60", "--for", "2", "--churn", "6")
    groups = ("--groups", "2", "--group-size", "3")
    done = ran("--url", running.url, "--key", running.key, *plan, *groups, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["right"], told["converged"], told["groups"]) == (True, True, 2)
    assert [told[fault.value] for fault in Fault] == [0, 0, 0, 0, 0]
    # Three devices each: a direct message comes to six of them, one into a group to nine.
    assert told["delivered"] > 6.5 * told["accepted"]


async def test_existing_devices_from_a_file(running: Running, tmp_path: Path) -> None:
    account = f"listed-{secrets.token_hex(4)}"
    async with door.opened(running.url, running.key) as opened:
        tokens = [(await opened.create_device(account, name, "pc")).token for name in "ab"]
        await opened.publish(account, b"from before")
    listed = tmp_path / "tokens"
    listed.write_text("".join(f"{account} {token}\n" for token in tokens))
    plan = ("--devices", "2", "--rate", "20", "--for", "0.5")
    done = ran("--url", running.url, "--tokens", str(listed), *plan)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "All right."


def test_lists_that_cannot_be_meant(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("alice sd_1\n")
    (tmp_path / "wide").write_text("alice sd_1 x\n")
    assert listed_devices(tmp_path / "short", 1) == [("alice", "sd_1")]
    for name, count in (("short", 2), ("wide", 1)):
        with pytest.raises(SwarmFailed):
            listed_devices(tmp_path / name, count)


async def test_only_a_server_on_this_machine_gets_a_line_that_can_be_cut() -> None:
    async with line_to("wss://host/v1/sync", True) as (url, link):
        assert (url, link) == ("wss://host/v1/sync", None)
    async with line_to("ws://127.0.0.1:1/v1/sync", False) as (_, link):
        assert link is None
    async with line_to("ws://localhost:1/v1/sync", True) as (url, link):
        assert link is not None
        assert url == f"ws://127.0.0.1:{link.port}/v1/sync"


UNREACHED = "cannot reach http://127.0.0.1:1: connection refused; is syncd serve running?"
NOWHERE = ("--url", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*NOWHERE, "--key", "k", "--devices", "0"], "numbers above 0"),
        ([*NOWHERE, "--key", "k", "--groups", "1", "--group-size", "0"], "numbers above 0"),
        ([*NOWHERE, "--key", "k", "--devices", "1"], UNREACHED),
        ([*NOWHERE, "--tokens", "TOKENS", "--devices", "1"], UNREACHED),
        ([*NOWHERE], "required"),
    ],
)
def test_arguments_that_make_no_sense_and_a_server_that_is_not_there(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text("alice sd_1\n")
    done = ran(*(each.replace("TOKENS", str(tmp_path / "tokens")) for each in arguments))
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]


def test_groups_need_accounts_to_fill_them(running: Running) -> None:
    plan = ("--devices", "4", "--groups", "1", "--group-size", "3", "--for", "1")
    done = ran("--url", running.url, "--key", running.key, *plan)
    assert done.returncode == 2
    assert "groups of 3 need as many accounts, not 2" in done.stderr
