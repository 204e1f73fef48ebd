"""A town whose platform answers for the real host names, and Node with its libraries."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.platform.third_party.loopback import Loopback, loopback
from tests.platform.town import Town

SCRIPTS = Path(__file__).parent / "node"
INSTALL_S = 60

Play = Callable[..., Awaitable[Any]]


@pytest.fixture
async def streets(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Loopback]:
    """Where the town's platform is; requests of this process for the real hosts lead there."""
    async with loopback(town.app, tmp_path) as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        yield place


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JavaScript libraries at the versions of node/package.json, in a folder of their own."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("there is no Node here to run JavaScript clients with")
    folder = tmp_path_factory.mktemp("node")
    for each in SCRIPTS.iterdir():
        shutil.copy(each, folder)
    install = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        pytest.skip("npm could not fetch the JavaScript clients in time")
    if done.returncode != 0:
        pytest.skip("npm reaches no registry that has the JavaScript clients")
    return folder


@pytest.fixture
def play(node_modules: Path, streets: Loopback) -> Play:
    """Runs one of the scripts in node/ and returns what it said."""

    async def run(script: str, **given: Any) -> Any:
        process = await asyncio.create_subprocess_exec(
            "node",
            "--require",
            "./loopback.cjs",
            f"{script}.cjs",
            json.dumps(given),
            cwd=node_modules,
            env={
                **os.environ,
                "NODE_EXTRA_CA_CERTS": str(streets.authority),
                "PLATFORM_TLS_PORT": str(streets.tls_port),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, complaints = await process.communicate()
        assert process.returncode == 0, complaints.decode()
        return json.loads(out)

    return run
