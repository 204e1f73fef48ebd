"""One real server for the tests that only need some server, started once."""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from client_sim.live_server import LiveServer


@dataclass(frozen=True)
class Running:
    """A server that runs, and an API key of it."""

    url: str
    key: str


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        server = LiveServer(Path(folder) / "data", "device")
        try:
            runner.run(server.start())
            yield Running(server.url, runner.run(server.api_key()))
        finally:
            assert runner.run(server.stop()) == 0
