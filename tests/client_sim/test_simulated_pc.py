"""The simulated PC, in this process, against the real server: its line, its store, its state."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from client_sim import door
from client_sim.live.proxy import carried
from client_sim.simulated_pc import PcSettings
from tests.client_sim.conftest import Running
from tests.client_sim.desks import Desk, desk, new_account, seated


@pytest.mark.parametrize("durable", [True, False])
async def test_send_offline_online_state_wipe(
    running: Running, tmp_path: Path, durable: bool
) -> None:
    account = new_account()
    async with desk(running, account, tmp_path / "pc.db" if durable else None) as at:
        await at.type("online", "= caught up at 0")
        await at.type(f"send {account} first", f"[1] {account} to {account}: first")
        await at.type("offline", "= offline")
        await at.type(f"send {account} second one", "= queued")
        await at.type("state", "= outbox 1")
        await at.type("online", f"[2] {account} to {account}: second one")
        await at.type("state", "= cursor 2 (epoch ")
        await at.type("wipe", f"[2] {account} to {account}: second one")


async def test_a_token_that_is_not_known(running: Running) -> None:
    async with seated(running, "sd_wrong") as at:
        await at.type("online", "! 4503 not_authenticated")
        assert at.pc.failed


async def test_the_line_goes_and_comes_back(running: Running) -> None:
    account = new_account()
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "PC1", "pc")
    async with AsyncExitStack() as cable:
        link = await cable.enter_async_context(
            carried("127.0.0.1", int(running.url.rsplit(":", 1)[1]))
        )
        at = Desk(PcSettings(f"ws://127.0.0.1:{link.port}/v1/sync", made.token))
        try:
            await at.pc.online()
            assert at.said == ["= connecting"]
            await at.expect("= caught up at 0")
            assert at.all[:2] == ["= connecting", "= online"]
            await cable.aclose()
            failed = (
                f"! cannot reach http://127.0.0.1:{link.port}: connection refused; trying again"
            )
            assert await at.expect("! cannot reach") == failed
            assert at.all[-2:] == ["! connection lost; trying again", failed]
            await at.type(f"send {account} later", "= queued; it waits in the outbox")
            await at.type("typing team", "! offline: nobody would hear it")
            await at.type("state", "= outbox 1")
        finally:
            await at.pc.close()


@pytest.mark.parametrize("durable", [True, False])
async def test_what_waits_says_what_it_is_meant_to_do(
    running: Running, tmp_path: Path, durable: bool
) -> None:
    account, team = new_account(), new_account("team")
    async with desk(running, account, tmp_path / "pc.db" if durable else None) as at:
        await at.type("online", "= caught up at 0")
        await at.type(f"send {account} hello", f"[1] {account} to {account}: hello")
        await at.type("offline", "= offline")
        for line in (f"group {team} {account}", "edit 1 hallo", "recall 1", f"say {team} hi"):
            await at.type(line, "= queued; it waits in the outbox")
        assert (await at.shown("state"))[-4:] == [
            f"=   number 2 waiting: create {team} with {account}",
            "=   number 3 waiting: edit 1: hallo",
            "=   number 4 waiting: recall 1",
            "=   number 5 waiting: hi",
        ]
        await at.type("online", f"[5] {account} in {team}: hi")
        assert [line for line in at.all if line.startswith("[")] == [
            f"[1] {account} to {account}: hello",
            f"[2] {account} creates {team} with {account}",
            f"[3] {account} edits 1: hallo",
            f"[4] {account} recalls 1",
            f"[5] {account} in {team}: hi",
        ]


async def test_a_new_start_knows_what_an_earlier_one_saw(running: Running, tmp_path: Path) -> None:
    account, friend = new_account(), new_account()
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "PC1", "pc")
        await opened.create_device(friend, "PC1", "pc")
    store = tmp_path / "pc.db"
    async with seated(running, made.token, account, store) as at:
        await at.type("online", "= caught up at 0")
        await at.type(f"send {friend} hello", f"[1] {account} to {friend}: hello")
    pair = "~".join(sorted((account, friend)))
    held = [f"= {pair}: 0 unread", f"=   [1] {account}: hello"]
    async with seated(running, made.token, account, store) as again:
        await again.type("online", "= caught up at 1")
        assert await again.shown(f"show {pair}") == held
        await again.type("edit 1 hallo", f"[2] {account} edits 1: hallo")
        await again.type("wipe", "= caught up at 2")
        held = [f"= {pair}: 0 unread", f"=   [1] {account}: hallo (edited)"]
        assert await again.shown(f"show {pair}") == held
        await again.type("offline", "= offline")
        assert await again.shown(f"show {pair}") == held


async def test_a_store_knows_whose_it_is_without_a_server(running: Running, tmp_path: Path) -> None:
    account = new_account()
    async with door.opened(running.url, running.key) as opened:
        made = await opened.create_device(account, "PC1", "pc")
    async with carried("127.0.0.1", int(running.url.rsplit(":", 1)[1])) as link:
        settings = PcSettings(f"ws://127.0.0.1:{link.port}/v1/sync", made.token, tmp_path / "pc.db")
        at = Desk(settings)
        await at.type("online", "= caught up at 0")
        await at.type(f"send {account} hello", f"[1] {account} to {account}: hello")
        await at.pc.close()
    later = Desk(settings)
    try:
        await later.type("online", "! cannot reach")
        pair = f"{account}~{account}"
        assert (await later.shown(f"show {pair}"))[1:] == [f"=   [1] {account}: hello"]
        await later.type("edit 1 hallo", "= queued; it waits in the outbox")
        await later.type("offline", "= offline")
        await later.type(f"send {account} more", "= queued; it waits in the outbox")
        await later.type("state", f"= account {account}")
        assert "=   number 2 waiting: edit 1: hallo" in later.all
    finally:
        await later.pc.close()
