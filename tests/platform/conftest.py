"""A platform for the tests that need one, and browsers."""

from collections.abc import AsyncIterator

import pytest

from tests.platform.town import Browser, Town, running


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with running(Town()) as town:
        yield town


@pytest.fixture
async def phone(town: Town) -> AsyncIterator[Browser]:
    async with Browser(town) as browser:
        yield await browser.of("alice")


@pytest.fixture
async def pc(town: Town) -> AsyncIterator[Browser]:
    async with Browser(town) as browser:
        yield browser
