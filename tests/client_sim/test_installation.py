"""An installation against the real server: logs in, shows, logs out, keeps its store."""

import secrets
from pathlib import Path

from client_sim import door
from client_sim.installation import Installation
from client_sim.live_server import socket_url
from tests.client_sim.conftest import Running


async def test_two_logins_with_one_store(running: Running, tmp_path: Path) -> None:
    account = f"installation-{secrets.token_hex(4)}"
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "PC1", "pc")
        url, store = socket_url(running.url), tmp_path / "pc.db"
        pc = Installation("PC1", "pc", url, made.token, store, verify_start=True)
        await opened.publish(account, b"one")
        assert await pc.login() == 1
        assert (pc.online, pc.start) == (True, 0)
        await opened.publish(account, b"two")
        await pc.wait_shown(2)
        await pc.logout()
        assert not pc.online
        await opened.publish(account, b"three")
        assert await pc.login() == 1
        assert pc.start == 2
        await pc.logout()
    held = pc.holding()
    assert [line.seq for line in held.lines] == [1, 2, 3]
    assert held.position is not None
    assert held.position.seq == 3
    assert (held.check, held.trouble) == ((), ())


async def test_what_goes_wrong_is_measured(running: Running, tmp_path: Path) -> None:
    url = socket_url(running.url)
    pc = Installation("PC1", "pc", url, "sd_wrong", tmp_path / "pc.db", verify_start=True)
    assert await pc.login() == 0
    await pc.logout()
    assert "not_authenticated" in pc.holding().trouble[0]
