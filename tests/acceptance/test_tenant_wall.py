"""The tenant wall: no byte of another account's log, ids or existence reaches a device.

Ann and Ben write to each other with a canary in every body. Cyn's device, a raw socket that keeps
every byte it gets, asks for what is not hers in every way that the protocol has. Then a journal of
all her bytes, and of everything that the server logged, is searched for the canary.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from syncd import client
from syncd.model import Chain, Epoch, Kind, Position, direct
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, MsgpackCodec
from syncd.wire.frames import Ack, Hello, Message, Send

CANARY = b"canary-of-ann-and-ben"
CODEC = MsgpackCodec()
INSTANCE = "0123456789abcdef"


def hello(token: str, position: Position | None = None, cursor: bool = False) -> Hello:
    return Hello(token, INSTANCE, position, cursor, 65536)


async def heard(server: Any, opening: Hello, *frames: Ack | Send) -> bytes:
    """All bytes of a socket that says these frames, until the server has nothing more to say."""
    got = b""
    url = server.websocket_url
    async with connect(url, subprotocols=[MSGPACK_SUBPROTOCOL], compression=None) as socket:
        await socket.send(CODEC.encode(opening))
        got += await everything(socket)
        for frame in frames:
            try:
                await socket.send(CODEC.encode(frame))
            except ConnectionClosed:
                break
            got += await everything(socket)
    return got


async def everything(socket: ClientConnection) -> bytes:
    """What comes within the time that a busy server may need; silence is an answer here."""
    got = b""
    try:
        async with asyncio.timeout(0.5):
            while True:
                message = await socket.recv()
                assert isinstance(message, bytes)
                got += message
    except (TimeoutError, ConnectionClosed) as end:
        return got + str(getattr(end, "rcvd", "")).encode()


@pytest.fixture
async def victims(server: Any) -> Position:
    """Ann and Ben talk; gives the position of Ann's phone, as if it had been stolen."""
    ann, ben = server.token("ann"), server.token("ben")
    url = server.websocket_url
    async with client.connect(url, token=ann) as one, client.connect(url, token=ben) as two:
        for count in range(20):
            await one.send_to("ben", CANARY + str(count).encode())
            await two.send_to("ann", CANARY + str(count).encode())
        await one.caught_up()
        async for item in one:
            if item.seq == 40:
                break
        position = one.position
    assert position is not None
    return position


async def test_no_byte_of_another_log_reaches_a_device(server: Any, victims: Position) -> None:
    token = server.token("cyn")
    theirs = direct("ann", "ben")
    sends: list[Callable[[], Awaitable[bytes]]] = [
        lambda: heard(server, hello(token)),
        lambda: heard(server, hello(token, cursor=True)),
        lambda: heard(server, hello(token, victims)),
        lambda: heard(server, hello(token, Position(victims.epoch, 0, Chain(bytes(8))))),
        lambda: heard(server, hello(token, Position(Epoch(bytes(8)), 7, victims.chain))),
        lambda: heard(server, hello(token), Ack(victims.epoch, 20)),
        lambda: heard(
            server,
            hello(token),
            Send((Message(1, Kind.MESSAGE, theirs, None, b"let me in"),)),
        ),
    ]
    bytes_of_cyn = b"".join([await send() for send in sends])
    assert b"cyn" in bytes_of_cyn, "the socket did hear something"
    for secret in (CANARY, bytes(victims.epoch), bytes(victims.chain)):
        assert secret not in bytes_of_cyn
    assert CANARY.decode() not in server.logged()
