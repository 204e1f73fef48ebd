"""A phone lets two PCs in by QR, with the SDK on all three, and what one sends the others get."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from syncd import limits
from syncd.client import (
    Device,
    LoggedIn,
    LoginRefused,
    Newcomer,
    Prompt,
    approve,
    connect,
    decline,
    log_in_by_qr,
    scan,
)
from tests.server.conftest import Running
from tests.server.conftest import start as start


@pytest.fixture
async def running(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> Running:
    monkeypatch.setattr(limits, "PAIRING_INTERVAL_S", 0)
    return await start(store="memory:")


async def shown_code(
    running: Running, store: Path, name: str
) -> tuple[Prompt, asyncio.Task[LoggedIn]]:
    """What a PC shows, and the login that it waits for."""
    shown: asyncio.Future[Prompt] = asyncio.get_running_loop().create_future()
    login = log_in_by_qr(running.url, store=store, name=name, platform="pc", show=shown.set_result)
    waiting = asyncio.create_task(login)
    return await shown, waiting


async def let_in(running: Running, phone: Device, store: Path, name: str) -> LoggedIn:
    prompt, waiting = await shown_code(running, store, name)
    seen = await scan(running.url, phone, prompt.user_code)
    near = "127.0.0.1, the same network as this device"
    assert seen == Newcomer(name, "pc", near, prompt.matching_code)
    assert not waiting.done()
    await approve(running.url, phone, prompt.user_code)
    return await waiting


async def text_of(device: Device) -> bytes | None:
    """The next message that the device gets; notices are not meant."""
    async with asyncio.timeout(10):
        async for item in device:
            if item.entry.account:
                return item.entry.body
    return None


async def test_a_phone_and_two_pcs(running: Running, tmp_path: Path) -> None:
    made = await running.service.create_device("alice", name="phone", platform="phone")
    async with connect(running.url, token=made.token, store=tmp_path / "phone") as phone:
        first = await let_in(running, phone, tmp_path / "PC1", "PC1")
        second = await let_in(running, phone, tmp_path / "PC2", "PC2")
        assert (first.account, first.case, first.new_device) == ("alice", "vouched", True)
        assert len({made.device, first.device, second.device}) == 3
        async with (
            connect(running.url, store=tmp_path / "PC1") as pc1,
            connect(running.url, store=tmp_path / "PC2") as pc2,
        ):
            await pc1.send("alice~alice", b"from PC1")
            assert [await text_of(each) for each in (phone, pc1, pc2)] == [b"from PC1"] * 3
    names = [each.name for each in await running.service.devices("alice")]
    assert names == ["phone", "PC1", "PC2"]


async def test_a_store_that_logs_in_again_stays_its_device(
    running: Running, tmp_path: Path
) -> None:
    made = await running.service.create_device("alice", name="phone", platform="phone")
    async with connect(running.url, token=made.token, store=tmp_path / "phone") as phone:
        first = await let_in(running, phone, tmp_path / "PC1", "PC1")
        again = await let_in(running, phone, tmp_path / "PC1", "PC1")
    assert again.device == first.device
    assert not again.new_device


async def test_a_no_leaves_the_store_empty(running: Running, tmp_path: Path) -> None:
    made = await running.service.create_device("alice", name="phone", platform="phone")
    async with connect(running.url, token=made.token, store=tmp_path / "phone") as phone:
        prompt, waiting = await shown_code(running, tmp_path / "PC1", "PC1")
        await scan(running.url, phone, prompt.user_code)
        await decline(running.url, phone, prompt.user_code)
        with pytest.raises(LoginRefused) as refused:
            await waiting
    assert refused.value.name == "access_denied"
    assert len(await running.service.devices("alice")) == 1
