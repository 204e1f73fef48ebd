"""The listening socket and what is no HTTP; the process itself is tried in tests/acceptance."""

import asyncio
import socket
from typing import Any

import pytest

from syncd.limits import ACCEPTED_AT_ONCE, PEER_SILENT_TIMEOUT_S
from syncd.server.serve import address_of, bound


def test_a_port_is_held_before_anybody_may_connect() -> None:
    with bound("127.0.0.1", 0) as listening:
        address = listening.getsockname()
        with socket.socket() as early, pytest.raises(ConnectionRefusedError):
            early.connect(address)
        listening.listen()
        with pytest.raises(OSError, match="in use"):
            bound(*address)


def test_accepted_sockets_notice_a_silent_peer() -> None:
    with bound("127.0.0.1", 0) as listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()) as _:
            accepted, _ = listening.accept()
            with accepted:
                silent_ms = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert silent_ms == PEER_SILENT_TIMEOUT_S * 1000


def test_the_shown_address_is_a_url() -> None:
    with bound("127.0.0.1", 0) as listening:
        assert address_of(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"
    if socket.has_ipv6:
        with bound("::1", 0) as listening:
            assert address_of(listening) == f"http://[::1]:{listening.getsockname()[1]}"


async def test_a_whole_office_connects_while_nobody_accepts(running: Any) -> None:
    address, count = ("127.0.0.1", running.port), 20 * ACCEPTED_AT_ONCE
    # While the loop stands still; the kernel would try again a second later what finds no room.
    clients = [socket.create_connection(address, timeout=0.9) for _ in range(count)]
    streams = [await asyncio.open_connection(sock=client) for client in clients]
    for _, writer in streams:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    for reader, writer in streams:
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()


async def test_a_connection_carries_many_requests(running: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    for _ in range(3):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        await reader.readexactly(len(b'{"status":"ok"}'))
    writer.close()
    await writer.wait_closed()
