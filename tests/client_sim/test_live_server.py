"""Starting, killing and stopping the real server; failing with its own words."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from client_sim.live_server import (
    SYNCD,
    LiveServer,
    ServerFailed,
    command_of,
    http_url,
    signal_to,
    socket_url,
    started,
)


def test_addresses() -> None:
    assert socket_url("http://127.0.0.1:1/") == "ws://127.0.0.1:1/v1/sync"
    assert socket_url("https://host/chat") == "wss://host/chat/v1/sync"
    for url in ("ws://h:1/v1/sync", "http://h:1/", "http://h:1"):
        assert http_url(url) == "http://h:1"
    assert http_url("wss://host/chat/v1/sync") == "https://host/chat"


def test_commands() -> None:
    assert command_of(None) == SYNCD
    assert command_of("python 'a b.py' -x") == ("python", "a b.py", "-x")


async def test_start_key_kill_start_again_on_the_same_port_and_stop(tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data", "device")
    try:
        await server.start()
        url = server.url
        assert (await server.api_key()).startswith("sk_")
        assert await server.kill() == -9
        await server.start()
        assert server.url == url
    finally:
        status = await server.stop()
    assert status == 0
    assert await server.stop() is None


async def test_the_folder_and_the_process_end_with_the_block() -> None:
    async with started("device") as server:
        folder = server.data.parent
        assert folder.exists()
    assert not folder.exists()


async def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    words = "raise SystemExit('the disk is made of cheese')"
    with pytest.raises(ServerFailed, match=r"(?s)ended with 1 .*made of cheese"):
        async with started("device", (sys.executable, "-c", words)):
            pass


async def test_a_command_that_does_not_exist() -> None:
    with pytest.raises(ServerFailed, match="cannot run /nowhere/syncd"):
        async with started("device", ("/nowhere/syncd",)):
            pass


async def test_a_signal_leaves_the_exit_status_to_who_waits_for_it() -> None:
    for _ in range(10):
        process = await asyncio.create_subprocess_exec("sh", "-c", "exit 3")
        # It has ended, and asyncio may or may not have seen that. Blocking is the point: the loop
        # must not run in between.
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
        signal_to(process, signal.SIGKILL)
        assert await process.wait() == 3
