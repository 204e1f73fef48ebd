"""From a bug in a live server to a play of a few lines, as somebody who hunts it would go."""

import asyncio
import subprocess
import sys
from pathlib import Path

from client_sim import play as plays
from client_sim.actor import Troupe
from client_sim.history import History, Send, read
from client_sim.judging.court import judge
from client_sim.live.house import LiveHouse
from client_sim.performing import play_in
from client_sim.planted.planting import server_command

BUG = "start_at_the_head"
JUDGE = "explicit-gap"


def client_sim(*arguments: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "client_sim", *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def test_a_recorded_bug_becomes_a_short_play(tmp_path: Path) -> None:
    play = plays.load("new_laptop")
    house = LiveHouse(tmp_path, History(), command=server_command(BUG), seed=1)
    asyncio.run(play_in(house, play, Troupe(house, play.options, house.chance), 1))
    recording, retold, small = tmp_path / "server.jsonl", tmp_path / "a.toml", tmp_path / "b.toml"
    assert JUDGE in judge(house.history.records).broken
    sends = [record for record in read(recording) if isinstance(record, Send)]
    assert all(len(send.body or "") == 16 for send in sends)  # fingerprints, no bodies
    assert len(sends) > 100

    made = client_sim("from-journal", str(recording), "-o", str(retold), "--bug", BUG, "--seeds=2")
    assert made.returncode == 1
    assert f"{JUDGE} fails in 2" in made.stdout

    shrunk = client_sim("shrink", str(retold), "--bug", BUG, "-o", str(small))
    assert shrunk.returncode == 0, shrunk.stderr
    assert len(plays.load(str(small)).steps) <= 10
    failing = client_sim("run", str(small), "--bug", BUG)
    assert failing.returncode == 1
    assert JUDGE in failing.stdout
    assert client_sim("run", str(small)).returncode == 0
