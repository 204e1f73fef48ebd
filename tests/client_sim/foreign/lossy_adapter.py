"""The template, filled in for lossy_server.py as a newcomer would."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("lossy_server.py")
server = subprocess.Popen(
    [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
assert server.stdout is not None
PORT = int(server.stdout.readline())
CONNECTIONS: dict[tuple[str, str], "Connection"] = {}


class Connection:
    def __init__(self, account: str, device: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", PORT), 5)
        self.arrived: list[dict[str, str]] = []
        self.rest = b""
        self.ask(f"HELLO {account} {device}", b"WELCOME")

    def ask(self, line: str, wanted: bytes) -> None:
        self.socket.sendall(line.encode() + b"\n")
        while self.read(5.0) != wanted:
            pass

    def read(self, wait_s: float) -> bytes | None:
        while b"\n" not in self.rest:
            self.socket.settimeout(wait_s)
            try:
                read = self.socket.recv(65536)
            except TimeoutError:
                return None
            if not read:
                raise ConnectionError("the server is gone")
            self.rest += read
        line, self.rest = self.rest.split(b"\n", 1)
        if line.startswith(b"MESSAGE "):
            self.arrived.append(json.loads(line.removeprefix(b"MESSAGE ")))
        return line


def hello(version: int) -> dict[str, Any]:
    return {"name": "a lossy server", "can": [], "quiet_ms": 20}


def enrol(account: str, device: str, platform: str) -> None:
    pass


def login(account: str, device: str) -> None:
    CONNECTIONS[account, device] = Connection(account, device)


def send(account: str, device: str, to: str, message: str, body: str) -> None:
    said = json.dumps({"message": message, "body": body})
    CONNECTIONS[account, device].ask(f"SEND {to} {said}", b"OK")


def pull(account: str, device: str, wait_ms: int) -> dict[str, Any]:
    connection = CONNECTIONS[account, device]
    wait_s = max(wait_ms, 1) / 1000
    while not connection.arrived and connection.read(wait_s):
        pass
    while connection.read(0.001):
        pass
    arrived, connection.arrived = connection.arrived, []
    return {"messages": arrived}


def cut(account: str, device: str) -> None:
    if connection := CONNECTIONS.pop((account, device), None):
        connection.socket.close()


close = cut

for line in sys.stdin:
    request = json.loads(line)
    answer = {"id": request.pop("id"), "ok": True}
    try:
        answer.update(globals()[request.pop("do")](**request) or {})
    except Exception as error:
        answer.update(ok=False, error=repr(error))
    print(json.dumps(answer), flush=True)
server.communicate()
