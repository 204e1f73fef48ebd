"""The HTTP door of the real server, as the simulator uses it."""

import secrets

import pytest

from client_sim import door
from tests.client_sim.conftest import Running


async def test_a_device_a_message_and_where_they_stand(running: Running) -> None:
    account = f"door-{secrets.token_hex(4)}"
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "PC1", "pc")
        assert await opened.publish(account, b"\x00hello") == 1
        assert await opened.standings(account) == {made.device: door.Standing(0, 1)}


async def test_a_refusal_names_the_request(running: Running) -> None:
    async with door.opened(running.url, "sk_wrong") as opened:
        with pytest.raises(door.Unauthorized, match=r"POST http://.*/v1/devices: 401"):
            await opened.create_device("alice", "PC1", "pc")


async def test_nobody_answers() -> None:
    async with door.opened("http://127.0.0.1:1", "sk_any") as opened:
        with pytest.raises(door.DoorShut, match=r"127\.0\.0\.1:1"):
            await opened.standings("alice")
