"""Both backends, for tests that must hold on either."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from syncd.storage import Storage
from syncd.storage.address import MEMORY, open_storage


@pytest.fixture(params=["memory", "sqlite"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    opened = await open_storage(MEMORY if request.param == "memory" else str(tmp_path / "store"))
    yield opened
    await opened.close()
