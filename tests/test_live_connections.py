"""Who is connected: the newest socket of each device, and nothing of those that are gone."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from syncd.live_connections import sessions_of
from tests.server.conftest import Running
from tests.server.conftest import start as start
from tests.server.peers import ANNE, BEN, Town, found_town, until


@pytest.fixture
async def town(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Town]:
    made = await found_town(start, monkeypatch)
    yield made
    await made.close()


async def test_each_device_of_an_account_is_found_once(town: Town) -> None:
    live = town.backstage.live
    await town.live("phone", number=1)
    await town.live("witness", number=2)
    await town.live("phone", number=3)
    instances = sorted(connection.session.instance[-1] for _, connection in live.of(ANNE))
    assert instances == ["2", "3"]
    assert live.of(BEN) == ()


async def test_a_fenced_socket_does_not_take_the_newer_one_along(town: Town) -> None:
    older = await town.live("phone", number=1)
    await town.live("phone", number=2)
    await older.socket.wait_closed()
    await town.only(1)
    [(_, connection)] = town.backstage.live.of(ANNE)
    assert connection.session.instance.endswith("2")


async def test_who_left_is_forgotten(town: Town) -> None:
    live = town.backstage.live
    peer = await town.live("laptop")
    assert len(live.of(BEN)) == 1
    await peer.socket.close()
    await until(lambda: live.of(BEN) == ())
    await town.only(0)


async def test_a_session_is_told_once_it_was_let_in(town: Town) -> None:
    live = town.backstage.live
    assert (live.all(), sessions_of(live.all())) == ((), {})
    for number, name in enumerate(town.tokens, start=1):
        await town.live(name, number=number)
    await town.socket()  # nobody yet
    await until(lambda: len(live.all()) == 4)
    devices = [device for account in (ANNE, BEN) for device, _ in live.of(account)]
    assert sorted(sessions_of(live.all())) == sorted(devices)
    assert len(devices) == 3
