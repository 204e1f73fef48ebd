"""README is believed by strangers: its examples run, its links lead somewhere, its files exist."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from client_sim.door import opened
from client_sim.live_server import LiveServer, started
from syncd import SERVICE, client

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
RECEIVE, SEND, PEOPLE, FRIENDS, EMBED, POLICY = PYTHON
SHOWN = re.findall(r"```text\n(.*?)```", README, re.DOTALL)
ADDRESS = "127.0.0.1:8470"


@pytest.fixture
async def server() -> AsyncIterator[LiveServer]:
    async with started("device") as live:
        yield live


async def tokens(server: LiveServer) -> list[str]:
    async with opened(server.url, await server.api_key()) as door:
        pairs = (("alice", "pc"), ("bob", "phone"))
        return [(await door.create_device(one, two, two)).token for one, two in pairs]


async def run(server: LiveServer, example: str, folder: Path) -> asyncio.subprocess.Process:
    source = example.replace(ADDRESS, server.url.removeprefix("http://"))
    assert source != example, "the example names the default address"
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", source, cwd=folder, stdin=pipe, stdout=pipe
    )


async def test_the_example_that_sends_reaches_the_example_that_receives(
    server: LiveServer, tmp_path: Path
) -> None:
    alice, bob = await tokens(server)
    receiving = await run(server, RECEIVE, tmp_path)
    sending = await run(server, SEND, tmp_path)
    assert receiving.stdin is not None
    assert receiving.stdout is not None
    try:
        receiving.stdin.write(f"{alice}\n".encode())
        said, _ = await asyncio.wait_for(sending.communicate(f"{bob}\n".encode()), 30)
        assert b"at seq 1" in said
        assert sending.returncode == 0
        line = await asyncio.wait_for(receiving.stdout.readline(), 30)
        assert line.removeprefix(b"token: ").strip() == b"1 bob b'hello'"
    finally:
        for process in (receiving, sending):
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_a_phone_by_code_and_two_pcs_by_qr_all_sync(tmp_path: Path) -> None:
    typed = [line.partition("#")[0].split() for line in README.splitlines()]
    said = [words[2:] for words in typed if words[:2] == [".venv/bin/syncd", "platform"]]
    start, *steps, code = said
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(served("platform", *start, folder=tmp_path))
        for step in steps:
            await syncd("platform", *step, "--url", platform, folder=tmp_path)
        serve = ("serve", "--login", "login.toml", "--data", "data")
        url = await stack.enter_async_context(served(*serve, folder=tmp_path))
        pasted = await syncd("platform", *code, "--url", platform, folder=tmp_path)
        source = PEOPLE.replace(ADDRESS, url.removeprefix("http://"))
        walking = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, cwd=tmp_path, stdin=PIPE, stdout=PIPE
        )
        printed, _ = await asyncio.wait_for(walking.communicate(pasted), 40)
    assert walking.returncode == 0
    [shown] = [text for text in SHOWN if "wants in" in text]
    assert plain(printed.decode().removeprefix("code: ")) == plain(shown)


def plain(text: str) -> str:
    """Without the digits that a pairing drew."""
    return re.sub(r"\b(\d\d) there, \1 here", "alike", text)


async def syncd(*arguments: str, folder: Path) -> bytes:
    command = (sys.executable, "-m", "syncd", *arguments)
    running = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE)
    said, _ = await asyncio.wait_for(running.communicate(), 30)
    assert running.returncode == 0
    return said


@asynccontextmanager
async def served(*arguments: str, folder: Path) -> AsyncIterator[str]:
    """Where a command that serves listens; it ends with the block."""
    command = (sys.executable, "-m", "syncd", *arguments, "--port", "0")
    running = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE)
    try:
        assert running.stdout is not None
        line = await asyncio.wait_for(running.stdout.readline(), 30)
        yield line.decode().removeprefix("listening on ").strip()
    finally:
        running.terminate()
        await asyncio.wait_for(running.wait(), 30)


async def test_three_devices_of_two_people_show_the_same_as_is_printed(
    server: LiveServer, tmp_path: Path
) -> None:
    talking = await run(server, FRIENDS, tmp_path)
    try:
        key = await server.api_key()
        said, _ = await asyncio.wait_for(talking.communicate(f"{key}\n".encode()), 30)
    finally:
        if talking.returncode is None:
            talking.kill()
        await talking.wait()
    assert talking.returncode == 0
    assert said.decode().removeprefix("API key: ") in SHOWN


async def test_the_embedded_application_syncs_under_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(EMBED, "README.md", "exec"), names)
    runner = web.AppRunner(names["make_app"]())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"http://{host}:{port}/login", json={"user": "alice"})
            token = (await answer.json())["token"]
        async with (
            asyncio.timeout(30),
            client.connect(f"http://{host}:{port}/sync", token=token) as device,
        ):
            async for item in device:
                assert item.entry.body == b"welcome"
                break
    finally:
        await runner.cleanup()


async def test_the_policy_keeps_one_account_from_another_in_groups_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(POLICY, "README.md", "exec"), names)
    runner = web.AppRunner(names["sync"])
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        service = names["sync"][SERVICE]
        made = {
            who: await service.create_device(who, name="PC", platform="pc")
            for who in ("alice", "bob", "mallory")
        }
        token = made["mallory"].token
        async with (
            asyncio.timeout(30),
            client.connect(f"http://{host}:{port}", token=token) as mallory,
        ):
            await mallory.create_group("all", ["alice", "bob"])
            await mallory.create_group("two", ["bob"])
            await mallory.send_to("bob", b"hello")
            await mallory.send("two", b"hello")
            for conversation in ("alice~mallory", "all"):
                with pytest.raises(client.SendRefused, match="by the policy"):
                    await mallory.send(conversation, b"hello")
            with pytest.raises(client.SendRefused, match="not a member"):
                await mallory.send("nowhere", b"hello")
    finally:
        await runner.cleanup()


def test_the_first_screen_says_what_it_is_how_to_start_and_what_comes_out() -> None:
    screen = "\n".join(README.splitlines()[:60])
    for words in ("client-sim reproduce", "-m pytest", "Reproduced and fixed", "founding_bug.svg"):
        assert words in screen


def test_nothing_was_left_to_be_filled_in() -> None:
    assert re.findall(r"^[A-Z]{5,}$", README, re.MULTILINE) == []


def test_every_relative_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(("example", "lines_max"), [(EMBED, 15), (FRIENDS, 45), (POLICY, 13)])
def test_an_example_is_short(example: str, lines_max: int) -> None:
    code = [line for line in example.splitlines() if line.strip()]
    assert len(code) <= lines_max
