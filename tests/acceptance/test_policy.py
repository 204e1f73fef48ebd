"""`syncd serve --policy-url --recall-within-s`: another program decides, and the server obeys."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from websockets.asyncio.client import connect

from syncd import errors
from syncd.model import Identity, Kind
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Answers, Hello, Message, Send, Welcome

CODEC = codec_for(MSGPACK_SUBPROTOCOL)
SUBPROTOCOLS: Any = [MSGPACK_SUBPROTOCOL]


class Decider(BaseHTTPRequestHandler):
    """Forbids what speaks of a secret. `broken` makes it fail."""

    broken: ClassVar[bool] = False
    asked: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"]
        self.asked.extend(messages)
        allowed = [each["body"] != "c2VjcmV0" for each in messages]
        answer = json.dumps({"allow": allowed}).encode()
        self.send_response(500 if self.broken else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing on the terminal of the tests."""


@pytest.fixture
def policy_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Decider, "broken", False)
    monkeypatch.setattr(Decider, "asked", [])
    with ThreadingHTTPServer(("127.0.0.1", 0), Decider) as deciding:
        serving = threading.Thread(target=deciding.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{deciding.server_port}/policy"
        deciding.shutdown()
        serving.join()


class Line:
    """One socket of a device, from hello to close."""

    def __init__(self, server: Any, token: str) -> None:
        self.server, self.token = server, token

    async def __aenter__(self) -> "Line":
        self.socket = await connect(
            self.server.websocket_url, subprotocols=SUBPROTOCOLS, proxy=None, compression=None
        )
        await self.socket.send(CODEC.encode(Hello(self.token, "0" * 16, None, False, 65536)))
        self.device = (await self.hears(Welcome)).device
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def hears(self, kind: type) -> Any:
        async with asyncio.timeout(30):
            while True:
                frame = CODEC.decode_server(await self.socket.recv(decode=False))
                if isinstance(frame, kind):
                    return frame

    async def say(self, *messages: Message) -> dict[int, int | None]:
        """What became of each: None where it was accepted, else the code."""
        await self.socket.send(CODEC.encode(Send(messages)))
        told: dict[int, int | None] = {}
        while len(told) < len(messages):
            answers = await self.hears(Answers)
            told |= dict.fromkeys([each.number for each in answers.accepted])
            told |= {each.number: each.code for each in answers.refused}
        return told


def said(number: int, body: bytes = b"hello") -> Message:
    return Message(number, Kind.MESSAGE, "alice~bob", None, body)


async def test_another_program_decides(start_server: Callable[..., Any], policy_url: str) -> None:
    server = start_server("--policy-url", policy_url, "--recall-within-s", "1000000")
    await asyncio.to_thread(server.token, "bob")
    token = await asyncio.to_thread(server.token, "alice")
    async with Line(server, token) as line:
        told = await line.say(said(1), said(2, b"secret"), said(3))
        assert told == {1: None, 2: errors.FORBIDDEN.code, 3: None}
        recall = Message(4, Kind.RECALL, "alice~bob", Identity(line.device, 1), b"")
        read = Message(5, Kind.READ, "alice~bob", Identity(line.device, 3), b"")
        assert await line.say(recall, read) == {4: None, 5: None}
        Decider.broken = True
        assert await line.say(said(6)) == {6: errors.POLICY_UNAVAILABLE.code}
    assert [each["number"] for each in Decider.asked] == [1, 2, 3, 4, 6]
    Decider.broken = False
    async with Line(server, token) as line:
        assert await line.say(said(6)) == {6: None}
    assert await asyncio.to_thread(server.stop) == 0
