"""One real server for the tests that only need some server, started once."""

import asyncio
import logging
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


@pytest.fixture(autouse=True)
def own_log_levels() -> Iterator[None]:
    """Some commands silence the service's logs in their process, which here is everybody's."""
    loggers = [logging.getLogger(name) for name in ("syncd", "syncd.client")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
