"""A client in another language, written from PROTOCOL.md alone, plays the founding report.

stranger.mjs was written by somebody who had read nothing of this project but that page, on Node's
built-in modules. With the wrong key its second PC gets 0 of 7 (and says that the server skipped
entries, as the page demands); with the right one it gets 7 of 7. stranger_groups.mjs is another
one's, who tried groups, every kind, wrong targets, signals and unread counts as the page has them.
"""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from client_sim.door import opened
from client_sim.live_server import started

STRANGER = Path(__file__).parent / "stranger.mjs"
GROUPS = STRANGER.with_name("stranger_groups.mjs")
BODIES = [f"message {count}" for count in range(1, 8)]


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("no node on this machine: the stranger's client is in JavaScript")
    return found


async def play(node: str, url: str, token: str) -> dict[str, Any]:
    """One PC of the stranger: what it says about its one session."""
    host, port = url.removeprefix("http://").split(":")
    process = await asyncio.create_subprocess_exec(
        node, str(STRANGER), host, port, token, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), 30)
    return dict(json.loads(said)) | {"exit": process.returncode}


async def cursor_saved(door: Any, device: str, seq: int) -> None:
    """The ack of a device that left is saved behind: wait until it is."""
    async with asyncio.timeout(10):
        standing = (await door.standings("alice"))[device]
        while standing.cursor < seq:
            standing = (await door.standings("alice"))[device]


@pytest.mark.parametrize(("scope", "second"), [("platform", []), ("device", BODIES)])
async def test_the_second_pc_of_a_stranger(node: str, scope: str, second: list[str]) -> None:
    async with started(scope) as server, opened(server.url, await server.api_key()) as door:
        pc1 = await door.create_device("alice", "PC1", "pc")
        for body in BODIES:
            await door.publish("alice", body.encode())
        first = await play(node, server.url, pc1.token)
        assert (first["bodies"], first["seqs"], first["exit"]) == (BODIES, [*range(1, 8)], 0)
        await cursor_saved(door, pc1.device, 7)
        pc2 = await door.create_device("alice", "PC2", "pc")
        other = await play(node, server.url, pc2.token)
        assert other["bodies"] == second
        if second:
            assert (other["seqs"], other["chain"]) == (first["seqs"], first["chain"])
        else:
            assert other["error"] == "the server skipped entries 1..7"


async def test_groups_as_a_stranger_read_of_them(node: str, tmp_path: Path) -> None:
    stores, tokens = tmp_path / "stores", tmp_path / "tokens"
    stores.mkdir()
    async with started("device") as server, opened(server.url, await server.api_key()) as door:
        lines = [
            f"{account}.{name} {(await door.create_device(account, name, 'pc')).token}"
            for account in ("alice", "bob", "carol")
            for name in ("PC1", "PC2")
        ]
        tokens.write_text("\n".join(lines))
        host, port = server.url.removeprefix("http://").split(":")
        places = (sys.executable, str(server.data), str(tokens), str(stores))
        process = await asyncio.create_subprocess_exec(
            node, str(GROUPS), host, port, *places, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode()
    assert " 0 not," in said.decode().splitlines()[-1]
