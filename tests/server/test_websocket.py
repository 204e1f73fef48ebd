"""The upgrade: who may open a socket, in which encoding, and what happens to impossible bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.exceptions import InvalidStatus

from syncd import errors, limits
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from syncd.wire.frames import Hello, Welcome
from tests.server.conftest import Running
from tests.server.peers import (
    BINARY,
    TEXT,
    Town,
    found_town,
    instance,
    masked,
    raw_socket,
)

PAGE = "https://example.org"


@pytest.fixture
async def town(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Town]:
    made = await found_town(start, monkeypatch, allowed_origins=[PAGE])
    yield made
    await made.close()


@pytest.mark.parametrize("subprotocol", [MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL])
async def test_both_encodings_serve(town: Town, subprotocol: str) -> None:
    peer = await town.socket(subprotocol)
    assert peer.socket.subprotocol == subprotocol
    verdict = await peer.greet(town.tokens["phone"])
    assert isinstance(verdict, Welcome)
    await town.still_serves()


@pytest.mark.parametrize("offer", ["", "chat", "syncd.v2.msgpack"])
async def test_an_unknown_subprotocol_is_refused_before_the_upgrade(town: Town, offer: str) -> None:
    headers = {"Sec-WebSocket-Protocol": offer} if offer else {}
    async with town.running.http.get("/v1/sync", headers=headers) as answer:
        assert answer.status == errors.NO_SUBPROTOCOL.code
        assert (await answer.json())["error"] == "no_subprotocol"
    await town.still_serves()


async def test_the_first_known_subprotocol_of_an_offer_is_taken(town: Town) -> None:
    peer = await town.socket(
        MSGPACK_SUBPROTOCOL, additional_headers={"Sec-WebSocket-Protocol": "chat, other"}
    )
    assert peer.socket.subprotocol == MSGPACK_SUBPROTOCOL


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": PAGE + ".evil.example"},
        {"Origin": PAGE.replace("https", "http")},
        {"Cookie": "session=1"},
        {"Origin": "https://evil.example", "Cookie": "session=1"},
    ],
)
async def test_a_foreign_page_opens_no_socket(town: Town, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await town.socket(additional_headers=headers)
    assert refused.value.response.status_code == errors.FOREIGN_ORIGIN.code
    assert len(town.backstage.live) == 0
    await town.still_serves()


@pytest.mark.parametrize("headers", [{}, {"Origin": PAGE}, {"Origin": PAGE, "Cookie": "a=b"}])
async def test_programs_and_allowed_pages_may_come(town: Town, headers: dict[str, str]) -> None:
    peer = await town.socket(additional_headers=headers)
    await peer.greet(town.tokens["phone"])


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_page_of_this_very_host_may_come(town: Town, scheme: str) -> None:
    """Behind a proxy that speaks TLS the scheme is another one."""
    host = town.running.url.removeprefix("http://")
    headers = {"Origin": f"{scheme}://{host}", "Cookie": "a=b"}
    peer = await town.socket(additional_headers=headers)
    await peer.greet(town.tokens["phone"])


@pytest.mark.parametrize(
    "origin",
    ["http://{}.evil.example", "http://a@{}", "file://{}", "http://127.0.0.1", "//{}", "{}"],
)
async def test_what_only_looks_like_this_host_is_foreign(town: Town, origin: str) -> None:
    host = town.running.url.removeprefix("http://")
    with pytest.raises(InvalidStatus):
        await town.socket(additional_headers={"Origin": origin.format(host)})


async def test_compression_is_not_agreed_on(town: Town) -> None:
    peer = await town.socket(additional_headers={"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert peer.socket.protocol.extensions == []


async def test_a_plain_request_gets_an_answer_and_no_socket(town: Town) -> None:
    headers = {"Sec-WebSocket-Protocol": MSGPACK_SUBPROTOCOL}
    async with town.running.http.get("/v1/sync", headers=headers) as answer:
        assert 400 <= answer.status < 500
    assert len(town.backstage.live) == 0


@pytest.mark.parametrize("lead", ["at once", "after the verdict"])
async def test_an_oversized_message_ends_in_1009(town: Town, lead: str) -> None:
    peer = await (town.socket() if lead == "at once" else town.live())
    await peer.socket.send(bytes(limits.CLIENT_FRAME_BYTES_MAX + 1))
    async with asyncio.timeout(10):
        await peer.socket.wait_closed()
    assert peer.socket.close_code == 1009
    await town.only(0)
    await town.still_serves()


async def test_a_message_in_many_fragments_counts_as_a_whole(town: Town) -> None:
    reader, writer = await raw_socket(town)
    piece = bytes(limits.CLIENT_FRAME_BYTES_MAX // 2)
    writer.write(masked(BINARY, piece, final=False))
    writer.write(masked(0, piece, final=False) + masked(0, piece))
    async with asyncio.timeout(10):
        assert (1009).to_bytes(2, "big") in await reader.read()
    writer.close()
    await town.still_serves()


async def test_a_hello_in_fragments_is_a_hello(town: Town) -> None:
    reader, writer = await raw_socket(town)
    codec = (await town.socket()).codec
    hello = codec.encode(Hello(town.tokens["phone"], instance(1), None, False, 65_536))
    writer.write(masked(BINARY, hello[:5], final=False) + masked(0, hello[5:]))
    async with asyncio.timeout(10):
        first = await reader.readexactly(2)
        verdict = codec.decode_server(await reader.readexactly(first[1]))
    assert isinstance(verdict, Welcome)
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x82",  # half a frame's head
        masked(BINARY, b"x" * 100)[:50],
        masked(BINARY, b"x" * 50_000)[:20_000],
        masked(TEXT, b"{", final=False),
    ],
    ids=["half a head", "half a frame", "part of a long frame", "a first fragment"],
)
async def test_a_peer_that_vanishes_mid_frame_leaves_nothing_behind(
    town: Town, sent: bytes
) -> None:
    _, writer = await raw_socket(town)
    writer.write(sent)
    await writer.drain()
    writer.transport.abort()
    await town.only(0)
    await town.still_serves()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x8b\x80\x00\x00\x00\x00",  # a reserved opcode
        b"\xc2\x80\x00\x00\x00\x00",  # a reserved bit
        masked(0, b"x"),  # a continuation of nothing
        masked(9, b"x" * 10, final=False),  # a control frame in fragments
        b"\x82\xff" + b"\xff" * 8 + b"mask",  # a length of 2**64 - 1
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["opcode", "bit", "continuation", "fragmented ping", "endless", "another request"],
)
async def test_bytes_that_are_no_websocket_end_that_socket_alone(town: Town, sent: bytes) -> None:
    reader, writer = await raw_socket(town)
    writer.write(sent)
    async with asyncio.timeout(10):
        await reader.read()
    writer.close()
    await town.only(0)
    await town.still_serves()


# ---------------------------------------------------------------- who never gets in


async def test_a_socket_that_never_says_who_it_is_dies(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HELLO_TIMEOUT_S", 0.3)
    peer = await town.socket()
    await peer.hears_goodbye(errors.HELLO_TIMEOUT)
    await town.only(0)


async def test_a_socket_whose_token_is_judged_for_ever_dies(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ponder(token: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(limits, "ADMITTING_TIMEOUT_S", 0.3)
    town = await found_town(start, monkeypatch, authenticate=ponder)
    peer = await town.socket()
    await peer.say(Hello("any", instance(1), None, False, 65_536))
    await peer.hears_goodbye(errors.HELLO_TIMEOUT)
    await peer.socket.close()
    await town.only(0)
