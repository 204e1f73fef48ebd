"""Forked servers: their output, their ends, their environment."""

from pathlib import Path

import pytest

from client_sim.live.nursery import Nursery
from client_sim.live_server import LiveServer, ServerFailed


async def test_a_forked_server_is_a_process_like_any_other(
    tmp_path: Path, nursery: Nursery
) -> None:
    server = LiveServer(tmp_path / "data", "device", nursery)
    await server.start()
    url = server.url
    assert (await server.command("key", "one")).startswith("sk_")
    assert await server.kill() == -9
    await server.start()
    assert server.url == url
    with pytest.raises(ServerFailed, match=r"(?s)key command ended with 1.*of this name"):
        await server.command("key", "one")
    assert await server.stop() == 0


async def test_each_child_has_its_own_environment(tmp_path: Path, nursery: Nursery) -> None:
    for level, logged in (("info", True), ("error", False)):
        folder = tmp_path / level
        folder.mkdir()
        environment = {"SYNCD_LOG_LEVEL": level}
        server = LiveServer(folder / "data", "device", nursery, environment=environment)
        await server.start()
        await server.stop()
        assert ("= listening" in server.log_tail()) is logged


async def test_what_the_arguments_are_worth(tmp_path: Path, nursery: Nursery) -> None:
    server = LiveServer(tmp_path / "data", "device", nursery, ("--no-such-flag",))
    with pytest.raises(ServerFailed, match=r"(?s)ended with 2 before.*no-such-flag"):
        await server.start()
    await server.stop()
