"""A running service that is recorded, and the records as the simulator reads them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from client_sim import history
from client_sim.history import Record
from tests.server.conftest import Running
from tests.server.conftest import start as start
from tests.server.peers import Town, found_town


def recorded(path: Path) -> list[Record]:
    """What stands in a journal, after a look at each line: nothing in it is unknown to a record."""
    for line in path.read_bytes().splitlines():
        [record] = history.parse([line])
        known = {*(each.encode_name for each in msgspec.structs.fields(record)), "what"}
        assert set(json.loads(line)) <= known, line
    return history.read(path)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "server.jsonl"


@pytest.fixture
async def town(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch, journal: Path
) -> AsyncIterator[Town]:
    """Everybody of tests/server/peers.py, recorded."""
    made = await found_town(start, monkeypatch, journal=journal)
    yield made
    await made.close()
