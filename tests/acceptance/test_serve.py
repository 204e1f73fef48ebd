"""`syncd serve` as a process: it starts, drains, ends as its exit status says, and shuts idlers."""

import asyncio
import json
import os
import resource
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from syncd import errors
from syncd.limits import REQUEST_HEAD_TIMEOUT_S
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Answers, Goodbye, Hello, Message, Send, ServerFrame, Welcome

CODEC = codec_for(MSGPACK_SUBPROTOCOL)
SUBPROTOCOLS: Any = [MSGPACK_SUBPROTOCOL]


def post(url: str, key: str, body: dict[str, str]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


async def log_in(socket: ClientConnection, token: str) -> Welcome:
    hello = Hello(token, "0123456789abcdef", None, False, 65536)
    await socket.send(CODEC.encode(hello))
    welcome = await receive(socket)
    assert isinstance(welcome, Welcome)
    return welcome


async def receive(socket: ClientConnection) -> ServerFrame:
    async with asyncio.timeout(30):
        return CODEC.decode_server(await socket.recv(decode=False))


def send(numbers: range) -> bytes:
    messages = tuple(Message(number, 1, "alice~bob", None, b"x") for number in numbers)
    return CODEC.encode(Send(messages))


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_exit_0(server: Any, with_signal: signal.Signals) -> None:
    assert server.stop(with_signal) == 0
    assert server.logged().splitlines()[-1].endswith("= stopped")
    assert "Traceback" not in server.logged()
    assert not (server.data / "admin.sock").exists()


@pytest.fixture
def few_files() -> Iterator[None]:
    """Who is started meanwhile is given 128 open files, and may raise that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_soft_limit_of_open_files_limits_nobody(few_files: None, server: Any) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    patience_s = REQUEST_HEAD_TIMEOUT_S / 2  # later the first ones have made room
    with ExitStack() as held:
        for _ in range(200):
            line = socket.create_connection(("127.0.0.1", server.port), timeout=patience_s)
            held.enter_context(line)
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert line.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_who_finds_no_room_is_let_in_when_there_is(server: Any) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (100, hard))
    address, asking = ("127.0.0.1", server.port), b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    lines = [socket.create_connection(address, timeout=30) for _ in range(150)]
    while "! no connection can be accepted" not in server.logged():
        os.sched_yield()
    for line in lines[:100]:
        line.close()
    for line in lines[100:]:
        line.sendall(asking)
        assert line.recv(4096).startswith(b"HTTP/1.1 200 ")
        line.close()


async def test_sigterm_says_come_back_and_loses_nothing(server: Any, start_server: Any) -> None:
    token = server.token("alice")
    server.token("bob")
    accepted: set[int] = set()
    goodbye: Goodbye | None = None
    async with connect(server.websocket_url, subprotocols=SUBPROTOCOLS) as sender:
        await log_in(sender, token)
        for first in range(1, 1000, 10):
            await sender.send(send(range(first, first + 10)))
        while len(accepted) < 10:
            accepted |= answered(await receive(sender))
        server.process.send_signal(signal.SIGTERM)
        while goodbye is None:
            frame = await receive(sender)
            accepted |= answered(frame)
            goodbye = frame if isinstance(frame, Goodbye) else None
        await sender.wait_closed()
        assert sender.close_code == goodbye.code == errors.DRAINING.code
    began = time.monotonic()
    assert server.wait() == 0
    assert time.monotonic() - began < 5
    again = start_server()
    async with connect(again.websocket_url, subprotocols=SUBPROTOCOLS) as sender:
        welcome = await log_in(sender, token)
        assert welcome.sent >= max(accepted)
        await sender.send(send(range(1, welcome.sent + 1)))
        repeated: set[int] = set()
        while len(repeated) < welcome.sent:
            repeated |= answered(await receive(sender))
        assert accepted <= repeated


def answered(frame: ServerFrame) -> set[int]:
    return {each.number for each in frame.accepted} if isinstance(frame, Answers) else set()


def test_what_http_accepted_survives_kill_9(server: Any, start_server: Any) -> None:
    server.token("bob")
    key = server.key()
    seqs = [
        post(f"{server.url}/v1/messages", key, {"to": "bob", "text": str(n)})["seq"]
        for n in range(20)
    ]
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    assert (server.data / "admin.sock").exists()  # nobody was left to remove it
    again = start_server()
    assert seqs == list(range(1, 21))
    assert post(f"{again.url}/v1/messages", key, {"to": "bob", "text": "x"})["seq"] == 21


def test_readiness_while_it_serves(server: Any) -> None:
    with urllib.request.urlopen(f"{server.url}/readyz", timeout=30) as response:
        assert json.load(response) == {"status": "ready"}


def test_a_second_server_on_the_same_folder_does_not_start(server: Any) -> None:
    ran = server.run("serve", "--port", "0")
    assert (ran.returncode, ran.stdout) == (1, "")
    sentence = f"another syncd serves {server.data}; stop it or choose another --data"
    assert ran.stderr.splitlines()[-1] == f"syncd: {sentence}"
    assert ran.stderr.count("= waiting") == 1
    assert "Traceback" not in ran.stderr
    assert server.token("alice").startswith("sd_")


def test_a_port_that_is_taken_is_a_sentence(server: Any, tmp_path: Path) -> None:
    ran = server.run("serve", "--port", str(server.port), "--data", str(tmp_path / "other"))
    assert (ran.returncode, ran.stdout) == (1, "")
    [sentence] = ran.stderr.splitlines()
    assert sentence.startswith(f"syncd: port {server.port} is taken, ")
    assert not (tmp_path / "other").exists()


def test_a_wrong_cursor_scope_warns_and_stays_with_its_store(start_server: Any) -> None:
    server = start_server("--cursor-scope", "platform")
    assert "second-PC bug" in server.logged()
    assert server.stop() == 0
    ran = server.run("serve", "--port", "0")
    assert ran.returncode == 1
    assert "cursor scope platform" in ran.stderr.splitlines()[-1]


def test_json_logs_are_one_object_a_line(start_server: Any) -> None:
    server = start_server("--log-format", "json")
    server.stop()
    lines = [json.loads(line) for line in server.logged().splitlines()]
    assert [line["message"] for line in lines][0::2] == ["= listening", "= stopped"]
    assert lines[0]["facts"] == {"address": server.url}


async def test_whoever_never_finishes_a_request_is_shut_and_nobody_else(server: Any) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    half_body = (
        f"POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {server.key()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    token = server.token("alice")
    async with connect(server.websocket_url, subprotocols=SUBPROTOCOLS) as device:
        await log_in(device, token)
        took = await asyncio.gather(
            seconds_until_shut(server, b""),
            seconds_until_shut(server, b"GET /v1/sync HTTP/1.1\r\nHost: a\r\nUpgr"),
            seconds_until_shut(server, whole + b"GET /he"),
            seconds_until_shut(server, half_body.encode()),
        )
        *heads, body = took
        assert min(took) > REQUEST_HEAD_TIMEOUT_S - 1, took
        assert max(heads) < REQUEST_HEAD_TIMEOUT_S + 2, took
        # A body is given as long, and its refusal 2 s more to be read.
        assert body < REQUEST_HEAD_TIMEOUT_S + 4, took
        # The device was as silent as they were, after a whole request.
        async with asyncio.timeout(10):
            await (await device.ping())


async def seconds_until_shut(server: Any, sent: bytes) -> float:
    """How long the server leaves a connection open that sends this and then nothing."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    async with asyncio.timeout(60):
        await reader.read()
    writer.close()
    return time.monotonic() - began


def test_a_storage_failure_of_unknown_outcome_ends_the_process(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    # The environment's fault, injected below our code: from now on COMMIT fails.
    (site / "sitecustomize.py").write_text(
        "import os\n"
        "if os.environ.get('BREAK_COMMITS'):\n"
        "    import sqlite3\n"
        "    import syncd.storage.transaction as transaction\n"
        "    commit = transaction._SQL['commit']\n"
        "    class Statements(dict):\n"
        "        def __getitem__(self, name):\n"
        "            if name == 'commit' and os.path.exists(os.environ['BREAK_COMMITS']):\n"
        "                raise sqlite3.OperationalError('disk I/O error')\n"
        "            return super().__getitem__(name)\n"
        "    transaction._SQL = Statements(transaction._SQL)\n"
    )
    root = Path(__file__).resolve().parents[2]
    broken = tmp_path / "broken"
    environment = {"PYTHONPATH": f"{site}:{root}", "BREAK_COMMITS": str(broken)}
    server = start_server(environment=environment)
    server.token("bob")
    key = server.key()
    broken.touch()
    with pytest.raises((urllib.error.URLError, ConnectionError)) as unanswered:
        post(f"{server.url}/v1/messages", key, {"to": "bob", "text": "x"})
    assert not isinstance(unanswered.value, urllib.error.HTTPError)
    assert server.wait() == 70
    assert "the outcome is unknown" in server.logged()
