"""The SDK against the real server: what a person with several devices expects."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import web

from syncd import errors
from syncd.client import (
    Accepted,
    Closed,
    Device,
    Item,
    MemoryStore,
    PendingState,
    Refused,
    SendRefused,
    ServerSkipped,
    Stopped,
    StoreInUse,
    StoreMismatch,
    StoreUnusable,
    View,
    connect,
)
from syncd.limits import BODY_BYTES_MAX
from syncd.model import AccountId, CursorScope
from syncd.protocol import client_commands as commands
from syncd.server.app import SERVICE, application
from syncd.wire.frames import Welcome
from tests.client.conftest import Server
from tests.client.peer import serving, soon, until

ENCODINGS: list[Literal["msgpack", "json"]] = ["msgpack", "json"]


async def take(device: Device, count: int) -> list[Item]:
    """The next `count` entries. The last of them is not finished yet."""
    return [await soon(anext(device)) for _ in range(count)]


def bodies(items: list[Item]) -> list[bytes]:
    return [item.entry.body for item in items]


# ---------------------------------------------------------------- the point of it all


async def test_what_pc1_got_pc2_gets_too(server: Server) -> None:
    await server.token("alice")
    async with connect(server.url, token=await server.token("bob")) as bob:
        assert await soon(bob.send_to("alice", b"while nobody was there")) == Accepted(1, 1, False)
    for _ in ("PC1", "PC2", "phone"):
        async with connect(server.url, token=await server.token("alice")) as device:
            assert bodies(await take(device, 1)) == [b"while nobody was there"]
            assert isinstance(device.verdict, Welcome)
            assert device.verdict.missed == 1


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_what_i_send_here_reaches_my_other_devices(
    server: Server, encoding: Literal["msgpack", "json"]
) -> None:
    one, other = await server.token("alice"), await server.token("alice")
    await server.token("bob")
    async with (
        connect(server.url, token=one, encoding=encoding) as pc,
        connect(server.url, token=other, encoding=encoding) as phone,
    ):
        accepted = await soon(pc.send_to("bob", b"hello"))
        for device in (pc, phone):
            [item] = await take(device, 1)
            assert (item.seq, item.entry.body) == (accepted.seq, b"hello")
            assert item.entry.identity.device == pc.device_id
            assert device.account == "alice"
            assert device.state == "syncing"


async def test_many_messages_keep_their_order(server: Server) -> None:
    await server.token("bob")
    async with connect(server.url, token=await server.token("alice")) as device:
        sent = [b"%d" % number for number in range(3000)]
        outcomes = await soon(device.send_many("alice~bob", sent))
        assert [outcome.number for outcome in outcomes] == list(range(1, 3001))
        assert bodies(await take(device, 3000)) == sent
        assert await device.pending() == []


async def test_batches_that_fill_the_window_flow(server: Server) -> None:
    await server.token("bob")
    sent = [bytes([number]) * BODY_BYTES_MAX for number in range(12)]
    async with connect(server.url, token=await server.token("alice"), window=65_536) as device:
        await soon(device.send_many("alice~bob", sent))
        assert bodies(await take(device, 12)) == sent


# ---------------------------------------------------------------- what is kept


async def test_a_durable_store_goes_on_where_the_application_was(
    server: Server, tmp_path: Path
) -> None:
    token, store = await server.token("alice"), tmp_path / "alice.db"
    await server.token("bob")
    async with connect(server.url, token=token, store=store) as device:
        await soon(device.send_many("alice~bob", [b"1", b"2", b"3"]))
        await soon(device.caught_up())
        assert bodies(await take(device, 2)) == [b"1", b"2"]
        assert device.position is not None
        assert device.position.seq == 3
    # The second entry was not finished: it comes again, from the store, before any network.
    async with connect(server.url, store=store) as device:
        assert bodies(await take(device, 2)) == [b"2", b"3"]
        await soon(device.caught_up())
        assert device.verdict is not None
        assert device.verdict.missed == 0


async def test_messages_wait_for_the_network(server: Server, tmp_path: Path) -> None:
    token, store = await server.token("alice"), tmp_path / "alice.db"
    await server.token("bob")
    async with connect(server.url, token=token, store=store) as device:
        await soon(device.send_to("bob", b"first"))
        await soon(device.caught_up())
    await server.service.drain()
    async with connect(server.url, store=store) as device:
        assert await soon(device.enqueue("alice~bob", b"second")) == 2
        sending = asyncio.ensure_future(device.send("alice~bob", b"third"))
        assert bodies(await take(device, 1)) == [b"first"]

        async def two_wait() -> bool:
            return len(await device.pending()) == 2

        await until(two_wait)
        sending.cancel()
    assert sending.cancelled()
    async with connect(server.url, store=store) as device:
        waiting = await device.pending()
        assert [(each.number, each.state) for each in waiting] == [
            (2, PendingState.WAITING),
            (3, PendingState.WAITING),
        ]


async def test_a_store_belongs_to_one_device_and_one_server(server: Server, tmp_path: Path) -> None:
    store = tmp_path / "alice.db"
    async with connect(server.url, token=await server.token("alice"), store=store) as device:
        await soon(device.caught_up())
    with pytest.raises(StoreMismatch):
        async with connect(server.url, token=await server.token("alice"), store=store) as device:
            await soon(device.caught_up())
    with pytest.raises(StoreMismatch):
        async with connect("ws://elsewhere/v1/sync", store=store):
            pass


async def test_two_runs_do_not_share_a_store(server: Server, tmp_path: Path) -> None:
    token, store = await server.token("alice"), tmp_path / "alice.db"
    async with connect(server.url, token=token, store=store):
        with pytest.raises(StoreInUse):
            async with connect(server.url, token=token, store=store):
                pass
    async with connect(server.url, token=token, store=store) as device:
        await soon(device.caught_up())


async def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("Dear diary, " * 100)
    with pytest.raises(StoreUnusable):
        async with connect("ws://127.0.0.1:1/v1/sync", token="t", store=other):
            pass
    assert other.read_text().startswith("Dear diary")


async def test_a_cursor_device_goes_on_at_what_it_finished(server: Server) -> None:
    token = await server.token("bot")
    for body in (b"1", b"2", b"3"):
        await server.service.publish("bot", body)
    async with connect(server.url, token=token, cursor=True) as device:
        assert bodies(await take(device, 3)) == [b"1", b"2", b"3"]

    async def cursor_is_saved() -> bool:
        [known] = await server.service.devices("bot")
        return known.cursor == 2

    await until(cursor_is_saved)
    async with connect(server.url, token=token, cursor=True) as device:
        assert bodies(await take(device, 1)) == [b"3"]


@pytest.mark.parametrize("seed", range(3))
async def test_cancelled_at_any_moment_a_device_leaves_its_store_whole(
    server: Server, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    token, store = await server.token("alice"), tmp_path / "alice.db"
    await server.token("bob")
    confirmed: list[bytes] = []

    async def live(run: int, steps: asyncio.Queue[None]) -> None:
        async with connect(server.url, token=token, store=store) as device:
            steps.put_nowait(None)
            for count in range(4):
                body = b"%d.%d" % (run, count)
                await device.enqueue("alice~bob", body)
                confirmed.append(body)
                steps.put_nowait(None)
            await device.send("alice~bob", b"%d" % run)
            async for _ in device:
                steps.put_nowait(None)

    for run in range(25):
        steps: asyncio.Queue[None] = asyncio.Queue()
        living = asyncio.ensure_future(live(run, steps))
        for _ in range(chance.randrange(7)):
            await soon(steps.get())
        for _ in range(chance.randrange(40)):  # and a little further, to any await in between
            await asyncio.sleep(0)
        living.cancel()
        await soon(asyncio.wait([living]))
        assert living.cancelled()
    async with connect(server.url, token=token, store=store) as device:
        await soon(device.send("alice~bob", b"last"))
        while (await soon(anext(device))).entry.body != b"last":
            pass
        assert await device.pending() == []
    found: list[bytes] = []
    async with connect(server.url, token=await server.token("alice")) as device:
        while b"last" not in found:
            found += bodies(await take(device, 1))
    assert len(found) == len(set(found))
    assert confirmed
    assert [body for body in found if body in set(confirmed)] == confirmed


# ---------------------------------------------------------------- refusals


async def test_a_definite_refusal_is_raised_where_it_belongs(server: Server) -> None:
    await server.token("bob")
    async with connect(server.url, token=await server.token("alice")) as device:
        with pytest.raises(SendRefused) as refused:
            await soon(device.send_to("nobody", b"hello"))
        assert refused.value.refusal is errors.UNKNOWN_ACCOUNT
        assert refused.value.number == 1
        outcomes = await soon(device.send_many("alice~nobody", [b"hello"]))
        assert outcomes == [Refused(2, errors.UNKNOWN_ACCOUNT)]
        [kept, other] = await device.pending()
        assert kept.state is PendingState.REFUSED
        assert await device.forget(kept.ticket)
        assert await device.pending() == [other]
        assert (await soon(device.send_to("bob", b"hello"))).number == 3


async def test_what_is_too_large_is_not_even_queued(server: Server) -> None:
    async with connect(server.url, token=await server.token("alice")) as device:
        with pytest.raises(SendRefused) as refused:
            await device.send("alice~alice", bytes(BODY_BYTES_MAX + 1))
        assert refused.value.refusal is errors.TOO_LARGE
        with pytest.raises(ValueError, match="conversation"):
            await device.send("", b"hello")
        assert await device.pending() == []


@pytest.mark.parametrize("waiter", ["send", "caught_up", "iterate", "enqueue"])
async def test_a_wrong_token_stops_every_waiter(server: Server, waiter: str) -> None:
    async with connect(server.url, token="wrong") as device:
        waiting: dict[str, Any] = {
            "send": lambda: device.send_to("bob", b"hello"),
            "caught_up": device.caught_up,
            "iterate": lambda: anext(device),
            "enqueue": lambda: device.send("alice~bob", b"hello"),
        }
        with pytest.raises(Stopped) as stopped:
            await soon(waiting[waiter]())
        assert stopped.value.refusal is errors.NOT_AUTHENTICATED
        assert device.state == "stopped"


async def test_iteration_ends_when_the_device_is_closed(server: Server) -> None:
    async with connect(server.url, token=await server.token("alice")) as device:

        async def all_of_it() -> list[Item]:
            return [item async for item in device]

        iterating = asyncio.ensure_future(all_of_it())
        await soon(device.caught_up())
        await soon(device.close())
        assert await soon(iterating) == []
        with pytest.raises(Closed):
            await device.send("alice~alice", b"hello")
        await soon(device.close())


# ---------------------------------------------------------------- conversations


async def seen(device: Device, view: View) -> View:
    """Everything up to the device's head, seen."""
    await soon(device.caught_up())
    assert device.position is not None
    if device.position.seq > 0:
        async for item in device:
            view.apply(*item)
            if item.seq == device.position.seq:
                break
    view.trim(device.floor)
    return view


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_people_in_a_group_edit_recall_read_and_delete(
    server: Server, encoding: Literal["msgpack", "json"]
) -> None:
    alice, bob = AccountId("alice"), AccountId("bob")
    away = await server.token("alice"), await server.token("bob")
    await server.token("carol")
    async with (
        connect(server.url, token=await server.token("alice"), encoding=encoding) as pc,
        connect(server.url, token=await server.token("bob"), encoding=encoding) as phone,
    ):
        await soon(pc.create_group("friends", ["bob"]))
        await soon(pc.add("friends", ["carol"]))
        for body in (b"one", b"two", b"three", b"four"):
            await soon(pc.send("friends", body))
        await soon(pc.caught_up())
        bobs = await seen(phone, View(bob))
        one, two, three, _ = [shown.identity for shown in bobs.messages("friends")]
        await soon(pc.edit("friends", one, b"one!"))
        await soon(pc.recall("friends", two))
        await soon(phone.read("friends", one))
        await soon(phone.delete("friends", three))
        with pytest.raises(SendRefused) as refused:
            await soon(phone.recall("friends", one))
        assert refused.value.refusal is errors.FORBIDDEN
        await soon(pc.remove("friends", ["carol"]))
        await soon(phone.leave("friends"))
        await seen(phone, bobs)
        alices = await seen(pc, View(alice))
    assert [(each.body, each.edited) for each in bobs.messages("friends")] == [
        (b"one!", True),
        (None, False),
        (b"four", False),
    ]
    assert bobs.unread_counts() == {"friends": 1}
    assert list(bobs.members("friends")) == list(alices.members("friends")) == ["alice"]
    assert [each.body for each in alices.messages("friends")] == [b"one!", None, b"three", b"four"]
    for token, live in zip(away, (alices, bobs), strict=True):
        async with connect(server.url, token=token) as device:
            assert await seen(device, View(alice if live is alices else bob)) == live


# ---------------------------------------------------------------- the wrong cursor scope


@pytest.fixture(name="wrong")
async def server_with_the_bug() -> AsyncIterator[Server]:
    app = application(store="memory:", cursor_scope=CursorScope.PLATFORM)
    async with serving(app) as url:
        yield Server(url, app[SERVICE])
        await app[SERVICE].drain()


async def test_the_founding_bug_is_noticed(wrong: Server) -> None:
    one, two = await wrong.token("alice"), await wrong.token("alice")
    for body in (b"1", b"2"):
        await wrong.service.publish("alice", body)
    async with connect(wrong.url, token=one) as first:
        assert bodies(await take(first, 2)) == [b"1", b"2"]
        following = asyncio.ensure_future(anext(first))  # finishes the second

        async def cursor_is_saved() -> bool:
            return (await wrong.service.devices("alice"))[0].cursor == 2

        await until(cursor_is_saved)
        following.cancel()
    with pytest.raises(ServerSkipped) as skipped:
        async with connect(wrong.url, token=two) as second:
            await soon(anext(second))
    assert (skipped.value.stated, skipped.value.start, skipped.value.missed) == (None, 2, 2)
    async with connect(wrong.url, token=two, verify_start=False) as second:
        await soon(second.caught_up())
        assert second.verdict is not None
        assert second.verdict.missed == 0
        assert second.skipped is not None
        assert "2 entries would never have come" in str(second.skipped)


# ---------------------------------------------------------------- arguments and secrets


async def test_an_address_holds_no_credential() -> None:
    with pytest.raises(ValueError, match="address") as refused:
        async with connect("ws://host/v1/sync?token=secret", token="t"):
            pass
    assert "secret" not in str(refused.value)


async def test_any_form_of_the_address_is_the_same_server(server: Server, tmp_path: Path) -> None:
    token, store = await server.token("alice"), tmp_path / "alice.db"
    root = server.url.removesuffix("/v1/sync")
    for url in (root, root.replace("ws://", "http://") + "/", server.url):
        async with connect(url, token=token, store=store) as device:
            await soon(device.caught_up())


async def test_a_server_that_is_not_there_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        attempts.put_nowait(None)
        return web.Response(status=404)

    app = web.Application()
    app.router.add_get("/nowhere/v1/sync", refuse)
    attempts: asyncio.Queue[None] = asyncio.Queue()
    news: list[commands.News] = []
    async with serving(app) as url:
        address = url.replace("/v1/sync", "/nowhere")
        async with connect(address, token="secret", hear=news.append):
            for _ in range(3):
                await soon(attempts.get())
    [told] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert told.name == "syncd.client"
    reason = "the server answers 404: no sync socket at this path"
    assert told.getMessage() == f"cannot connect to {address}/v1/sync: {reason}"
    assert "secret" not in caplog.text
    [unreachable] = news
    assert isinstance(unreachable, commands.Unreachable)


async def test_a_window_has_bounds() -> None:
    with pytest.raises(ValueError, match="window"):
        async with connect("ws://host/v1/sync", token="t", window=1):
            pass


async def test_without_a_token_there_is_nothing_to_say() -> None:
    with pytest.raises(ValueError, match="token"):
        async with connect("ws://host/v1/sync", store=MemoryStore()):
            pass


async def test_the_token_is_in_no_log_and_for_its_owner_only(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, store = await server.token("alice"), tmp_path / "alice.db"
    with caplog.at_level(logging.DEBUG):
        async with connect(server.url, token=token, store=store) as device:
            await soon(device.send_to("alice", b"hello"))
            await take(device, 1)
            assert token not in repr(device)
            for name in os.listdir(tmp_path):
                assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert caplog.records
    assert token not in caplog.text
