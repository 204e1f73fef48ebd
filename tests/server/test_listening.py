"""The listening socket, and at which pace it lets in; the process is tried in tests/acceptance."""

import asyncio
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.limits import ACCEPTED_AT_ONCE, PEER_SILENT_TIMEOUT_S
from syncd.server.listening import Pace, address_of, bound


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


@given(
    st.floats(1.0, 10_000.0),
    st.lists(st.tuples(st.floats(0.0, 0.1), st.integers(1, 8)), min_size=1, max_size=60),
)
def test_a_crowd_is_spread_and_a_trickle_is_not_held_up(
    per_second: float, crowd: list[tuple[float, int]]
) -> None:
    """In no stretch of time come more than the pace allows, but for one handful and for what came
    late; and who comes more slowly than that is never kept waiting."""
    pace, now, came = Pace(per_second), 1000.0, []
    for idle_s, count in crowd:
        came.append((now, count))
        pause_s = pace.pause_s(now, count)
        assert 0.0 <= pause_s <= count / per_second + 1e-9
        now += pause_s + idle_s
    for first, (begin, _) in enumerate(came):
        taken = 0
        for at, count in came[first:]:
            assert taken <= per_second * (at - begin + Pace.LATE_S) + 1e-6
            taken += count


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
