"""Whoever may no longer be connected gets nothing more, whatever got lost and however it reads."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.live_connections import LiveConnections, sessions_of
from syncd.server import rights, rounds
from syncd.storage import StorageError
from syncd.wire.codec import MsgpackCodec
from syncd.wire.frames import Hello
from tests.server.conftest import Running
from tests.server.conftest import start as start
from tests.server.pairings import Asker
from tests.server.peers import ANNE, Town, found_town, instance, masked, raw_socket, until

Start = Callable[..., Awaitable[Running]]
BODY = b"x" * 4096


@pytest.fixture
async def town(start: Start, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Town]:
    made = await found_town(start, monkeypatch, store="memory:")
    yield made
    await made.close()


@pytest.fixture(params=[0.05])
async def deaf_town(
    start: Start, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Town]:
    """Nothing that identity says ever reaches the sockets, as if another process had said it. The
    parameter is the time between two looks."""
    monkeypatch.setattr(LiveConnections, "end", lambda live, device, refusal: None)
    monkeypatch.setattr(rights, "SESSIONS_LOOK_S", request.param)
    made = await found_town(start, monkeypatch, store="memory:")
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def flood(town: Town) -> AsyncIterator[None]:
    """Messages to Anne without an end, while this lasts."""

    async def pour() -> None:
        while True:
            await town.publish(8, BODY)

    pouring = asyncio.create_task(pour())
    try:
        yield
    finally:
        pouring.cancel()
        await asyncio.wait([pouring])


async def device_of(town: Town, name: str) -> str:
    found = await town.running.service.devices(ANNE)
    return next(each.device for each in found if each.name == name)


async def devices_of(town: Town, account: str) -> list[str]:
    return [each.device for each in await town.running.service.devices(account)]


async def revoked(town: Town) -> Refusal:
    await town.running.service.revoke(await device_of(town, "phone"))
    return errors.DEVICE_REVOKED


async def rotated(town: Town) -> Refusal:
    storage = town.running.service._serving().storage
    await storage.change_credential(await device_of(town, "phone"), b"another hash" + bytes(20))
    return errors.TOKEN_ROTATED


async def signed_out(town: Town) -> Refusal:
    status, _ = await Asker(town.running, town.tokens["phone"]).post("/v1/self/logout")
    assert status == 200
    return errors.SIGNED_OUT


async def test_a_flood_ends_with_the_right(town: Town) -> None:
    phone = await town.live("phone", window=limits.WINDOW_BYTES_MAX)
    async with flood(town):
        await phone.catch_up(200)
        refusal = await revoked(town)
        began = time.monotonic()
        await phone.hears_goodbye(refusal)
        print(f"{time.monotonic() - began:.3f} s from the revocation to the close")


@pytest.mark.parametrize(
    ("deaf_town", "end"),
    [(limits.SESSIONS_LOOK_S, revoked), (0.05, signed_out), (0.05, rotated)],
    indirect=["deaf_town"],
)
async def test_it_ends_too_when_the_word_of_it_is_lost(
    deaf_town: Town,
    end: Callable[[Town], Awaitable[Refusal]],
) -> None:
    phone = await deaf_town.live("phone", number=1)
    witness = await deaf_town.live("witness", number=2)
    async with flood(deaf_town):
        await phone.catch_up(50)
        refusal = await end(deaf_town)
        began = time.monotonic()
        await phone.hears_goodbye(refusal)
        print(f"{time.monotonic() - began:.3f} s from the end to the close, its word lost")
    assert witness.socket.close_code is None
    await deaf_town.only(1)


async def test_who_logged_in_anew_while_somebody_looked_goes_on(town: Town) -> None:
    """The look saw the session of the old token; the new one is none of its business."""
    live = town.backstage.live
    await town.live("phone")
    before = sessions_of(live.all())
    [device] = before
    rotated_credential = await town.running.service._serving().devices.rotate(ANNE, device)
    await town.only(0)
    phone = await town.socket()
    await phone.greet(rotated_credential.token)
    live.end_all({device: errors.TOKEN_ROTATED}, before)
    after = sessions_of(live.all())
    assert list(after) == [device]
    live.end_all({device: errors.DEVICE_REVOKED}, after)
    await phone.hears_goodbye(errors.DEVICE_REVOKED)


async def test_a_device_that_does_not_read_is_cut_off_from_what_was_on_its_way(
    town: Town,
) -> None:
    """Megabytes lie in buffers of ours and of the kernel when the right ends: it gets only what
    its own kernel had taken by then."""
    reader, writer = await raw_socket(town, receive_bytes=4096)
    hello = Hello(town.tokens["phone"], instance(1), None, False, limits.WINDOW_BYTES_MAX)
    await town.publish(900, BODY)
    writer.write(masked(2, MsgpackCodec().encode(hello)))
    connection = town.connection()
    await until(lambda: connection._written_bytes > 3_000_000)
    waiting = connection._transport.get_write_buffer_size
    assert waiting() > 100_000
    await revoked(town)
    await until(lambda: waiting() == 0)
    taken = 0
    with contextlib.suppress(ConnectionResetError):
        while got := await reader.read(65536):
            taken += len(got)
        raise AssertionError("it ended as if everything had been said")
    assert taken < connection._written_bytes
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_very_many_are_looked_at_in_parts(
    deaf_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "LOOKED_AT_ONCE", 1)
    peers = [
        await deaf_town.live(name, number=number)
        for number, name in enumerate(deaf_town.tokens, start=1)
    ]
    for each in (*await devices_of(deaf_town, "anne"), *await devices_of(deaf_town, "ben")):
        await deaf_town.running.service.revoke(each)
    for peer in peers:
        await peer.hears_goodbye(errors.DEVICE_REVOKED)


async def test_a_look_that_fails_is_not_the_last_one(
    deaf_town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that does not answer for a moment must not switch the look off."""
    people = type(deaf_town.running.service._serving().storage.people)
    real, failures = people.over, []

    async def over(self: object, sessions: object) -> object:
        if not failures:
            failures.append(1)
            raise StorageError("a moment", definite=True)
        return await real(self, sessions)

    monkeypatch.setattr(people, "over", over)
    phone = await deaf_town.live("phone")
    refusal = await revoked(deaf_town)
    await phone.hears_goodbye(refusal)
    assert failures
    assert "rights could not be looked up" in caplog.text
