"""Canaries: tokens, keys and bodies go everywhere that they may, and are found in no log."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from typing import Any

import pytest
from websockets.asyncio.client import connect

from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Ack, Hello, Message, Send

CODEC = codec_for(MSGPACK_SUBPROTOCOL)
BODY = "canary-body-7f3a"
UNKNOWN = "sd_" + "Q" * 43


def request(url: str, method: str, headers: dict[str, str], body: Any = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=30) as response:
            return str(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return str(error.read())


async def talk(url: str, token: str, *frames: bytes) -> None:
    subprotocols: Any = [MSGPACK_SUBPROTOCOL]
    async with connect(url, subprotocols=subprotocols) as socket:
        hello = Hello(token, "0123456789abcdef", None, False, 65536)
        await socket.send(CODEC.encode(hello))
        await socket.recv()
        for frame in frames:
            await socket.send(frame)
            await socket.recv()


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_secret_is_in_any_log_or_answer(start_server: Any, log_format: str) -> None:
    server = start_server("--log-level", "debug", "--log-format", log_format)
    token, key = server.token("alice"), server.key()
    server.token("bob")
    message = Message(1, 1, "alice~bob", None, BODY.encode())
    await talk(server.websocket_url, token, CODEC.encode(Send((message,))))
    await talk(server.websocket_url, UNKNOWN)
    await talk(server.websocket_url, token, CODEC.encode(Ack(bytes(8), 9)) + token.encode())

    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    messages = f"{server.url}/v1/messages"
    answers = [
        request(messages, "POST", headers, {"to": "bob", "text": BODY}),
        request(messages, "POST", headers, {"to": "bob", token: BODY}),
        request(messages, "POST", headers, {"to": token + "~", "text": BODY}),
        request(messages, "POST", headers | {"Idempotency-Key": f"{key} {BODY}"}, {"to": "bob"}),
        request(messages, "POST", headers | {"Authorization": f"Bearer {UNKNOWN}"}, {}),
        request(f"{server.url}/v1/sync?token={token}", "GET", {}),
        request(f"{server.url}/{key}", "GET", {"Referer": f"http://a/?token={token}"}),
        request(f"{server.url}/v1/accounts/{token}/devices", "GET", headers),
        request(f"{server.url}/v1/devices/{token}", "DELETE", headers),
        request(messages, "BAD" + token.replace("_", "").replace("-", ""), headers),
    ]
    assert server.stop() == 0
    logged = server.logged()
    assert "admin: key" in logged  # there is something to search
    for secret in (token, key, UNKNOWN, BODY, b64encode(BODY.encode()).decode()):
        assert secret not in logged
        assert secret[4:24] not in logged
        assert not any(secret in answer for answer in answers)
