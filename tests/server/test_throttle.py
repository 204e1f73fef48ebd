"""What one account, address or credential may ask for, seen from outside of a real service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from syncd import errors, limits
from syncd.model import AccountId, Kind, direct
from syncd.server.throttle import Rates, Throttle, network_of
from syncd.wire.frames import Answers, Goodbye, Hello, Message, Send
from tests.server.conftest import Running
from tests.server.peers import ANNE, BEN, Town, found_town, instance, until

Begin = Callable[..., Awaitable[Town]]


@pytest.fixture
async def begin(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Begin]:
    towns: list[Town] = []

    async def begun(rates: Rates) -> Town:
        towns.append(await found_town(start, monkeypatch, rates=rates))
        return towns[-1]

    yield begun
    for town in towns:
        await town.close()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# ---------------------------------------------------------------- messages


def test_an_account_that_sent_too_much_is_exhausted_for_a_while() -> None:
    clock = Clock()
    throttle = Throttle(Rates(account=100), clock)
    throttle.submitted(ANNE, round(100 * limits.ACCOUNT_BURST_S) + 100)
    assert throttle.exhausted(ANNE)
    assert not throttle.exhausted(BEN)
    clock.now = 1.1
    assert not throttle.exhausted(ANNE)


def test_large_frames_and_many_small_ones_count_too() -> None:
    throttle = Throttle(Rates(account=100), Clock())
    for _ in range(10):
        throttle.received(ANNE, limits.CLIENT_FRAME_BYTES_MAX)
    assert throttle.exhausted(ANNE)
    for _ in range(10_000):
        throttle.received(BEN, 10)
    assert throttle.exhausted(BEN)


def test_who_fetches_a_backlog_again_and_again_is_slowed_down() -> None:
    throttle = Throttle(Rates(), Clock())
    for _ in range(100):
        throttle.delivered(ANNE, limits.BATCH_BYTES_MAX)
    assert not throttle.exhausted(ANNE)
    for _ in range(100):
        throttle.delivered(ANNE, limits.BATCH_BYTES_MAX)
    assert throttle.exhausted(ANNE)


def test_twenty_messages_a_second_to_a_largest_group_are_sustained() -> None:
    clock = Clock()
    throttle = Throttle(Rates(), clock)
    for _ in range(20 * 600):
        assert not throttle.exhausted(ANNE)
        throttle.received(ANNE, 200)
        throttle.submitted(ANNE, 1)
        throttle.fanned_out(ANNE, limits.MEMBERS_MAX - 2)
        clock.now += 1 / 20
    for _ in range(200):
        throttle.fanned_out(BEN, limits.MEMBERS_MAX - 2)
    assert throttle.exhausted(BEN)


async def test_a_flood_is_read_slowly_and_loses_nothing(begin: Begin) -> None:
    town = await begin(Rates(account=200))
    flooding, other = await town.live("phone"), await town.live("laptop")
    sent = 0
    for _ in range(10):
        numbers = range(sent + 1, sent + 101)
        messages = [Message(each, Kind.MESSAGE, direct(ANNE, ANNE), None, b"") for each in numbers]
        await flooding.say(Send(tuple(messages)))
        sent += 100
    throttle = town.backstage.throttle
    await until(lambda: throttle.exhausted(ANNE))
    said = Message(1, Kind.MESSAGE, direct(BEN, BEN), None, b"not mine")
    await other.say(Send((said,)))
    assert (await other.hear(Answers)).accepted[0].number == 1
    answered: list[int] = []
    async with asyncio.timeout(20):
        while len(answered) < sent:
            frame = flooding.codec.decode_server(await flooding.socket.recv(decode=False))
            if isinstance(frame, Answers):
                assert frame.refused == ()
                answered += [each.number for each in frame.accepted]
    assert answered == list(range(1, sent + 1))


# ---------------------------------------------------------------- hellos


def test_hellos_of_one_account_are_bounded() -> None:
    clock = Clock()
    throttle = Throttle(Rates(), clock)
    allowed = [throttle.hello(ANNE) for _ in range(limits.ACCOUNT_HELLOS_BURST)]
    assert set(allowed) == {0}
    wait_ms = throttle.hello(ANNE)
    assert 0 < wait_ms <= 1000 / limits.ACCOUNT_HELLOS_PER_SECOND
    assert throttle.hello(BEN) == 0
    clock.now = wait_ms / 1000
    assert throttle.hello(ANNE) == 0


async def test_who_is_told_to_slow_down_is_kept_waiting_but_not_in_any_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "HELD_SOCKETS_PER_ACCOUNT_MAX", 2)
    throttle = Throttle(Rates(), Clock())
    held = [asyncio.ensure_future(throttle.hold(ANNE)) for _ in range(2)]
    await asyncio.sleep(0)
    await throttle.hold(ANNE)  # the third is let go at once
    assert not any(each.done() for each in held)
    for each in held:
        each.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    monkeypatch.setattr(limits, "HELLO_HELD_S", 0)
    await throttle.hold(ANNE)


async def test_a_reconnect_loop_is_told_to_slow_down_before_anything_is_written(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ACCOUNT_HELLOS_BURST", 3)
    town = await begin(Rates())
    for _ in range(3):
        peer = await town.live("phone")
    generation = (await town.running.service.devices(ANNE))[0].generation
    slowed = await town.socket()
    await slowed.say(Hello(town.tokens["phone"], instance(9), None, False, 65_536))
    goodbye = await slowed.hear(Goodbye)
    assert (goodbye.code, goodbye.name) == (errors.SLOW_DOWN.code, errors.SLOW_DOWN.name)
    assert goodbye.retry_after is not None
    assert 0 < goodbye.retry_after <= 1000 / limits.ACCOUNT_HELLOS_PER_SECOND
    with pytest.raises(ConnectionClosed):
        await slowed.socket.recv()
    assert slowed.socket.close_code == errors.SLOW_DOWN.code
    assert (await town.running.service.devices(ANNE))[0].generation == generation
    said = Message(1, Kind.MESSAGE, direct(ANNE, BEN), None, b"the older session lives on")
    await peer.say(Send((said,)))
    await peer.hear(Answers)
    await town.live("laptop")  # another account


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("remote", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        (None, ""),
        ("a socket in a folder", "a socket in a folder"),
    ],
)
def test_an_address_stands_for_whoever_has_it(remote: str | None, network: str) -> None:
    assert network_of(remote) == network


async def test_upgrades_of_one_address_are_bounded(begin: Begin) -> None:
    town = await begin(Rates(address=1))
    statuses: list[int] = []
    for _ in range(round(limits.ADDRESS_BURST_S) + 5):
        async with town.running.http.get("/v1/messages") as answer:  # they count alike
            statuses.append(answer.status)
    assert statuses[0] == errors.METHOD_NOT_ALLOWED.code
    assert statuses[-1] == errors.TOO_MANY_REQUESTS.code
    with pytest.raises(InvalidStatus) as refused:
        await town.socket()
    response = refused.value.response
    assert response.status_code == errors.TOO_MANY_REQUESTS.code
    assert int(response.headers["Retry-After"]) >= 1
    async with town.running.http.get("/healthz") as answer:
        assert answer.status == 200


async def test_sockets_that_never_say_who_they_are_are_bounded(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STRANGERS_PER_ADDRESS_MAX", 3)
    town = await begin(Rates())
    strangers = [await town.socket() for _ in range(3)]
    with pytest.raises(InvalidStatus) as refused:
        await town.socket()
    assert refused.value.response.status_code == errors.TOO_MANY_REQUESTS.code
    await strangers[0].greet(town.tokens["phone"])  # no stranger any more
    await strangers[1].socket.close()
    await town.only(2)
    for _ in range(2):
        await town.socket()


async def test_without_a_rate_an_address_has_no_limit(begin: Begin) -> None:
    town = await begin(Rates(address=0))
    for _ in range(200):
        async with town.running.http.get("/v1/messages") as answer:
            assert answer.status == errors.METHOD_NOT_ALLOWED.code


# ---------------------------------------------------------------- credentials


async def test_a_key_that_opens_has_a_limit_of_its_own(begin: Begin) -> None:
    town = await begin(Rates(address=1, key=2))
    key = await town.running.key()
    headers = {"Authorization": f"Bearer {key}"}
    statuses: list[int] = []
    for _ in range(60):
        async with town.running.http.get("/v1/accounts/anne/devices", headers=headers) as answer:
            statuses.append(answer.status)
            if answer.status == errors.TOO_MANY_REQUESTS.code:
                assert int(answer.headers["Retry-After"]) >= 1
    assert statuses[0] == 200
    assert errors.TOO_MANY_REQUESTS.code in statuses
    other = {"Authorization": f"Bearer {await town.running.key('other')}"}
    async with town.running.http.get("/v1/accounts/anne/devices", headers=other) as answer:
        assert answer.status == 200


async def test_trying_keys_counts_for_the_address(begin: Begin) -> None:
    town = await begin(Rates(address=1, key=0))
    statuses: list[int] = []
    for each in range(round(limits.ADDRESS_BURST_S) + 5):
        headers = {"Authorization": f"Bearer sk_{each:043d}"}
        async with town.running.http.get("/v1/accounts/anne/devices", headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses[0] == errors.UNAUTHORIZED.code
    assert statuses[-1] == errors.TOO_MANY_REQUESTS.code


def test_what_is_known_of_accounts_stays_small() -> None:
    clock = Clock()
    throttle = Throttle(Rates(), clock)
    for each in range(20_000):
        clock.now += 0.001
        throttle.received(AccountId(f"account-{each}"), 100)
    assert len(throttle._messages) <= 1024
