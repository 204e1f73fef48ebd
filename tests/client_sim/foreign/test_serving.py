"""Requests on standard input become calls, what they give and raise become answers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PEER = """
import sys
from client_sim.foreign.serving import Failed, serve

class Echo:
    name, can, since = "an echo", ("ack",), "beginning"
    def pull(self, account, device, wait_ms):
        return {"messages": [account]}
    def login(self, account, device):
        raise Failed("not you")
    def ack(self, account, device, place):
        raise ConnectionResetError
    def forget(self, account, device):
        raise AssertionError("it did not offer that")
    def shut(self):
        print("shut", file=sys.stderr)

sys.exit(serve(Echo()))
"""
ROOT = Path(__file__).resolve().parents[3]


def served(*requests: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    lines = "".join(json.dumps({"id": n, **each}) + "\n" for n, each in enumerate(requests))
    done = subprocess.run(
        [sys.executable, "-c", PEER],
        input=lines,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_answers_in_order_and_an_end() -> None:
    seat = {"account": "alice", "device": "PC1"}
    answers, said = served(
        {"do": "hello", "version": 1},
        {"do": "pull", **seat, "wait_ms": 5},
        {"do": "login", **seat},
        {"do": "ack", **seat, "place": 1},
        {"do": "forget", **seat},
    )
    assert answers == [
        {"id": 0, "ok": True, "name": "an echo", "can": ["ack"], "since": "beginning"},
        {"id": 1, "ok": True, "messages": ["alice"]},
        {"id": 2, "ok": False, "error": "not you"},
        {"id": 3, "ok": False, "error": "ConnectionResetError"},
        {"id": 4, "ok": False, "error": "there is no forget here"},
    ]
    assert said == "shut\n"
