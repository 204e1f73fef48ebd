"""One connection over real sockets: frames, encodings, closes, and giving up."""

from __future__ import annotations

import asyncio
import socket as plain

import pytest
from aiohttp import web

from syncd import errors
from syncd.client.socket import SocketDialled, SocketDialler
from syncd.protocol import client_events as events
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Heartbeat
from tests.client.peer import Talk, peer, serving, soon
from tests.protocol.client_plays import EPOCH, ack

FRAME = ack(3).frame
BEAT = Heartbeat(EPOCH, 2, 1)


def dialled(url: str, subprotocol: str = MSGPACK_SUBPROTOCOL) -> SocketDialled:
    return SocketDialler(url, codec_for(subprotocol)).dial()


@pytest.mark.parametrize("subprotocol", [MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL])
async def test_frames_go_both_ways(subprotocol: str) -> None:
    async def script(talk: Talk) -> None:
        assert await talk.hear() == FRAME
        await talk.say(BEAT)
        assert await talk.listen() == errors.GAP.code

    async with peer(script) as url:
        line = dialled(url, subprotocol)
        assert await soon(line.connect())
        await line.send(FRAME)
        received = await soon(line.receive())
        assert isinstance(received, events.Received)
        assert received.frame == BEAT
        assert received.size == len(codec_for(subprotocol).encode(BEAT))
        line.close(errors.GAP)
        line.close(None)
        assert await soon(line.receive()) is None
        assert line.disconnected().code is not None
        await line.send(FRAME)  # on a line that is gone a frame is lost, as it may be on any


@pytest.mark.parametrize(
    ("subprotocol", "data", "refusal"),
    [
        (MSGPACK_SUBPROTOCOL, "text", errors.WRONG_ENCODING),
        (JSON_SUBPROTOCOL, b"bytes", errors.WRONG_ENCODING),
        (MSGPACK_SUBPROTOCOL, b"\xc1", errors.MALFORMED_FRAME),
        (JSON_SUBPROTOCOL, "{", errors.MALFORMED_FRAME),
    ],
)
async def test_what_is_no_frame_is_malformed(
    subprotocol: str, data: str | bytes, refusal: errors.Refusal
) -> None:
    async def script(talk: Talk) -> None:
        if isinstance(data, bytes):
            await talk.socket.send_bytes(data)
        else:
            await talk.socket.send_str(data)
        await talk.listen()

    async with peer(script) as url:
        line = dialled(url, subprotocol)
        assert await soon(line.connect())
        assert await soon(line.receive()) == events.Malformed(refusal)
        line.close(None)
        assert await soon(line.receive()) is None


async def test_the_servers_close_code_is_told() -> None:
    async def script(talk: Talk) -> None:
        await talk.socket.close(code=errors.DEVICE_REVOKED.code, message=b"device_revoked")

    async with peer(script) as url:
        line = dialled(url)
        assert await soon(line.connect())
        assert await soon(line.receive()) is None
        assert line.disconnected() == events.Disconnected(4504, "device_revoked")


async def test_a_line_that_breaks_has_no_code() -> None:
    async def script(talk: Talk) -> None:
        transport = talk.socket._req.transport
        assert isinstance(transport, asyncio.Transport)
        transport.abort()

    async with peer(script) as url:
        line = dialled(url)
        assert await soon(line.connect())
        assert await soon(line.receive()) is None
        assert line.disconnected().code is None


async def test_a_line_that_is_cut_ends_at_once_and_without_a_word() -> None:
    async def script(talk: Talk) -> None:
        assert await talk.listen() in (None, 1006)

    async with peer(script) as url:
        line = dialled(url)
        assert await soon(line.connect())
        line.cut()
        line.close(None)
        await soon(line.closed())
        assert await soon(line.receive()) is None
        assert line.disconnected().code is None
    early = dialled(url)
    early.cut()
    assert not await soon(early.connect())


async def test_nobody_listens() -> None:
    with plain.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = dialled(f"ws://127.0.0.1:{port}/v1/sync")
    assert not await soon(line.connect())
    assert line.disconnected().code is None
    assert "Error" in line.disconnected().reason


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, "the server answers 404: no sync socket at this path"),
        (503, "the server answers 503"),
        (200, "the server answers 200"),
    ],
)
async def test_a_server_that_answers_no_socket_is_told_by_its_status(
    status: int, reason: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/v1/sync", answer)
    async with serving(app) as url:
        line = dialled(url)
        assert not await soon(line.connect())
        assert line.disconnected() == events.Disconnected(None, reason)


async def test_a_server_without_our_subprotocol_is_left() -> None:
    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/v1/sync", answer)
    async with serving(app) as url:
        line = dialled(url)
        assert not await soon(line.connect())
        assert line.disconnected().code is None


async def test_connecting_can_be_given_up_at_any_time() -> None:
    with plain.create_server(("127.0.0.1", 0)) as silent:
        line = dialled(f"ws://127.0.0.1:{silent.getsockname()[1]}/v1/sync")
        connecting = asyncio.ensure_future(line.connect())
        await asyncio.sleep(0)
        line.close(None)
        assert not await soon(connecting)
        early = dialled(f"ws://127.0.0.1:{silent.getsockname()[1]}/v1/sync")
        early.close(None)
        assert not await soon(early.connect())
        assert early.disconnected() == events.Disconnected(None, "given up")
