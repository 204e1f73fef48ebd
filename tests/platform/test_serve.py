"""The platform as a process: one line when it is there, SIGTERM ends it, the world outlives it."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession

from syncd.platform.serve import MEMORY, is_loopback, open_database

PROGRAM = """
import asyncio, sys
from syncd.platform.serve import serve
asyncio.run(serve(sys.argv[1], "127.0.0.1", 0, sys.argv[2] == "testing"))
"""


@asynccontextmanager
async def served(data: str, mode: str) -> AsyncIterator[str]:
    """Its URL; ended by SIGTERM, in order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, data, mode, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    line = (await process.stdout.readline()).decode()
    assert line.startswith("listening on http://127.0.0.1:")
    try:
        yield line.split()[-1]
    finally:
        process.terminate()
        assert await process.wait() == 0


async def test_a_world_in_a_file_outlives_its_process(tmp_path: Path) -> None:
    data = str(tmp_path / "platform.db")
    made = {"kind": "mini-program", "name": "Inbox", "owner": "owner"}
    async with ClientSession() as client:
        async with served(data, "testing") as url:
            await client.post(f"{url}/provision/person", json={"person": "alice"})
            app = await (await client.post(f"{url}/provision/app", json=made)).json()
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                open_database(data)
        async with served(data, "") as url:
            assert (await client.post(f"{url}/provision/person", json={})).status == 404
            query = {"grant_type": "client_credential", **app}
            token = await (await client.get(f"{url}/cgi-bin/token", params=query)).json()
            assert token["expires_in"] == 7200


def test_a_world_in_memory_is_anybodys() -> None:
    for db in (open_database(MEMORY), open_database(MEMORY)):
        db.close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.0.2.7", False),
        ("platform.example", False),
        ("", False),
    ],
)
def test_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
