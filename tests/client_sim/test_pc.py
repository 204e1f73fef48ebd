"""`client-sim pc` as people and scripts run it: a process, with commands on its standard input."""

import asyncio
import os
import secrets
import subprocess
import sys
from pathlib import Path

from client_sim import door
from client_sim.pc import TOKEN_VARIABLE
from client_sim.prompt import CRASH_STATUS
from tests.client_sim.conftest import Running

ROOT = Path(__file__).resolve().parents[2]


def new_device(running: Running, *bodies: bytes) -> tuple[str, str]:
    """A fresh account with these messages: the account and the token of a device of it."""
    account = f"script-{secrets.token_hex(4)}"

    async def make() -> str:
        async with door.opened(running.url, running.key) as opened:
            made = await opened.create_device(account, "PC1", "pc")
            for body in bodies:
                await opened.publish(account, body)
            return made.token

    return account, asyncio.run(make())


def played(
    running: Running, token: str, script: str, *more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "client_sim", "pc", "--url", running.url, *more],
        cwd=ROOT,
        env={**os.environ, TOKEN_VARIABLE: token},
        input=script,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_script_without_a_word_shows_what_was_missed(running: Running) -> None:
    _, token = new_device(running, b"one", b"two")
    done = played(running, token, "")
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("[")] == [
        "[1] : one",
        "[2] : two",
    ]
    assert token not in done.stdout + done.stderr


def test_a_crash_ends_it_hard_and_the_store_goes_on(running: Running, tmp_path: Path) -> None:
    account, token = new_device(running, b"one")
    store = ("--store", str(tmp_path / "pc.db"))
    crashed = played(running, token, f"send {account} mine\ncrash\nstate\n", *store)
    assert crashed.returncode == CRASH_STATUS
    assert "= accepted as number 1, seq 2" in crashed.stdout
    after = played(running, token, "", *store)
    assert after.returncode == 0, after.stderr
    assert f"[2] {account} to {account}: mine" in after.stdout
    again = played(running, token, "", *store)
    assert "[1]" not in again.stdout
    assert "= caught up at 2" in again.stdout


def test_a_script_names_what_an_earlier_run_showed(running: Running, tmp_path: Path) -> None:
    account, token = new_device(running)
    store = ("--store", str(tmp_path / "pc.db"))
    pair = f"{account}~{account}"
    first = played(running, token, f"send {account} hello\nedit 1 hallo\n", *store)
    assert f"[2] {account} edits 1: hallo" in first.stdout
    second = played(running, token, f"recall 1\nshow {pair}\nunread\n", *store)
    assert second.returncode == 0, second.stderr
    said = second.stdout.splitlines()
    assert f"[3] {account} recalls 1" in said
    start = said.index(f"= {pair}: 0 unread")
    assert said[start + 1] == f"=   [1] {account}: [recalled]"
    assert "= nothing unread" in said


def test_without_a_server_it_says_so_once_queues_and_ends(running: Running, tmp_path: Path) -> None:
    _, token = new_device(running)
    nowhere = Running("http://127.0.0.1:1", "")
    store = ("--store", str(tmp_path / "pc.db"))
    for script in ("", "quit\n"):
        done = played(nowhere, token, script, *store)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("= connecting\n")
        assert "= online" not in done.stdout
    said = played(nowhere, token, "send bob hello\n", *store).stdout
    failed = "! cannot reach http://127.0.0.1:1: connection refused; trying again"
    assert said.count(failed) == 1
    assert "! nobody knows yet whose PC this is" in said


def test_a_token_is_needed_and_a_wrong_one_is_said(running: Running) -> None:
    assert played(running, "", "").returncode == 2
    wrong = played(running, "sd_wrong", "")
    assert wrong.returncode == 1
    assert "not_authenticated" in wrong.stdout
