"""The reproduction itself: real servers, real clients; right, sabotaged, interrupted."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from client_sim.live_server import started
from client_sim.reproduce import PlayFailed, reproduce_at
from client_sim.variants import VARIANTS
from tests.client_sim.conftest import Running

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120.0

# What the wrong key does in each variant with one message each, thought through beforehand.
WRONG = {
    "pc2_new": {"PC1": 2, "PC2": 0},
    "pc2_synced_before": {"PC1": 2, "PC2": 1},
    "pc1_still_online": {"PC1": 2, "PC2": 1},
    "three_pcs": {"PC1": 1, "PC2": 0, "PC3": 0},
    "phone_first": {"PC1": 1, "PC2": 0, "phone": 1},
    "one_pc_at_a_time": {"PC1": 1, "PC2": 1},
    "pc2_killed": {"PC1": 600, "PC2": 0},
}

SABOTAGE = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from syncd.protocol import session, verdict
start, judge = verdict.start, verdict.judge
{{change}}
from syncd.__main__ import main
sys.exit(main())
"""
CHANGES = {
    "every scope starts as device does": """
from syncd.model import CursorScope
verdict.start = lambda scope, *facts: start(CursorScope.DEVICE, *facts)
""",
    "device behaves like platform": """
sys.argv = ["platform" if each == "device" else each for each in sys.argv]
""",
    "every device starts at the head": """
def at_head(position, wants_cursor, opening, scope):
    return verdict.Judgement(opening.head, judge(position, wants_cursor, opening, scope).chain)
session.judge = at_head
""",
}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "client_sim", "reproduce", *arguments]


def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_it_reproduces_and_it_is_fixed(tmp_path: Path) -> None:
    done = ran("--json", "--picture", str(tmp_path / "both.svg"))
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    variants = told.pop("variants")
    assert told == {
        "platform": {"PC1": 1, "PC2": 0},
        "device": {"PC1": 1, "PC2": 1},
        "reproduced": True,
        "fixed": True,
    }
    assert {name: each["platform"] for name, each in variants.items()} == WRONG
    for each in variants.values():
        assert set(each["device"].values()) == {each["due"]}
        assert each["fixed"]
    assert variants["phone_first"]["account"] == {"PC1": 0, "PC2": 0, "phone": 1}
    assert "would have said: this device holds nothing" in " ".join(done.stderr.split())
    assert "Reproduced and fixed" in done.stderr
    assert "Unknown child process" not in done.stderr
    drawn = (tmp_path / "both.svg").read_text()
    ElementTree.fromstring(drawn)
    assert all(words in drawn for words in ("PC1 holds 1 of 1", "PC2 holds 0 of 1"))


def test_many_messages_without_variants() -> None:
    done = ran("--json", "--messages", "1500", "--no-variants")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["platform"] == {"PC1": 1500, "PC2": 0}
    assert told["device"] == {"PC1": 1500, "PC2": 1500}
    assert told["variants"] == {}


@pytest.mark.parametrize("change", CHANGES)
def test_with_the_start_sabotaged_it_fails(change: str, tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(SABOTAGE.format(change=CHANGES[change]))
    called = shlex.join((sys.executable, str(server)))
    done = ran("--json", "--no-variants", "--server-command", called)
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert not (told["reproduced"] and told["fixed"])
    assert "FAILED" in done.stderr
    assert "listening" in done.stderr, "the server's log belongs to a failure"


def test_a_server_that_does_not_start() -> None:
    done = ran("--server-command", shlex.join((sys.executable, "-c", "raise SystemExit('no')")))
    assert done.returncode == 1
    assert "before it listened\nno" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("scope", ["device", "platform", "account"])
async def test_a_server_that_runs_already(scope: str) -> None:
    async with started(scope) as server:
        shown = await reproduce_at(server.url, await server.api_key(), 2, ())
    assert shown.scope == scope
    assert shown.succeeded is (scope == "device")
    right = {"PC1": 2, "PC2": 2 if scope == "device" else 0}
    assert shown.main.halves[scope].counts() == right


async def test_a_running_server_that_knows_another_key(running: Running) -> None:
    with pytest.raises(PlayFailed, match="401"):
        await reproduce_at(running.url, "sk_wrong", 1, VARIANTS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_it_started_ends_with_it(number: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("--messages", "5000"),
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Its folders exist as soon as servers are being started; then it is interrupted.
    while not any(tmp_path.iterdir()):
        assert process.poll() is None
    process.send_signal(number)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "interrupted" in said
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in every_command_line()


def every_command_line() -> str:
    """Of the processes that run now."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended while we looked
    return "\n".join(line for line in lines if "client-sim-" in line)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--url", "http://h"], "--url needs --key"),
        (["--key", "sk_x"], "--key needs --url"),
        (["--url", "http://h", "--key", "k", "--server-command", "c"], "choose one"),
        (["--messages", "0"], "1 to 100000"),
        (["--picture", "/nowhere/a.svg"], "cannot write /nowhere/a.svg: there is no folder"),
        (["--picture", "/"], "cannot write /: it is a folder"),
    ],
)
def test_arguments_that_make_no_sense(arguments: list[str], sentence: str) -> None:
    done = ran(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr.splitlines()[-1]


def test_a_running_server_that_is_not_there() -> None:
    done = ran("--url", "http://127.0.0.1:1", "--key", "sk_x")
    sentence = "cannot reach http://127.0.0.1:1: connection refused; is syncd serve running?"
    assert (done.returncode, done.stderr) == (1, f"client-sim reproduce: {sentence}\n")
