"""Logging in to a real server over HTTP, by a code and by QR."""

from pathlib import Path

import pytest

from client_sim.door import DoorShut
from client_sim.evidence import FreshCode, LoginRefused, Scanned, UsedCode
from client_sim.live.entrance import Entrance
from client_sim.live.nursery import Nursery
from tests.client_sim.live.staging import staged

APP = FreshCode("alice", "app")


async def test_by_code_and_by_qr(tmp_path: Path, nursery: Nursery) -> None:
    async with staged(tmp_path, nursery) as cast:
        house = cast.house
        phone = await house.log_in("phone", "phone", None, APP)
        assert phone.secret
        again = await house.log_in("phone", "phone", phone, APP)
        assert (again.device, again.account, again.secret) == (phone.device, phone.account, "")
        pc = await house.log_in("PC1", "pc", None, Scanned("phone", again.token))
        assert (pc.account, pc.device != phone.device) == (phone.account, True)
        with pytest.raises(LoginRefused, match="unauthorized"):
            await house.log_in("PC2", "pc", None, Scanned("phone", phone.token))
        with pytest.raises(LoginRefused, match="code_used"):
            await house.log_in("PC2", "pc", None, UsedCode("phone"))


async def test_where_nobody_answers_one_may_ask_again() -> None:
    entrance = Entrance("http://127.0.0.1:9", "PC1", "pc", None)
    with pytest.raises(DoorShut):
        await entrance.by_code("app", "a code")
