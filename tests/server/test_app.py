"""The application: alone, mounted in another one, with an embedder's login, and when it fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

import syncd
from syncd import errors
from syncd.model import CursorScope, DeviceId, Done, Work
from syncd.server.app import SERVICE, application
from syncd.storage import StorageError, StoreRefused
from syncd.storage.address import open_storage
from syncd.storage.memory import MemoryStorage
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Batch, Goodbye, Hello, ServerFrame, Welcome

CODEC = codec_for(MSGPACK_SUBPROTOCOL)
INSTANCE = "0123456789abcdef"


class Line:
    """A bare client of the sync address."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def hello(self, token: str, instance: str = INSTANCE) -> None:
        frame = Hello(token, instance, None, False, 65536)
        await self.socket.send_bytes(CODEC.encode(frame))

    async def frame(self) -> ServerFrame:
        return CODEC.decode_server(await self.socket.receive_bytes(timeout=10))


@asynccontextmanager
async def line(http: Any, path: str = "/v1/sync") -> AsyncIterator[Line]:
    async with http.ws_connect(path, protocols=[MSGPACK_SUBPROTOCOL]) as socket:
        yield Line(socket)


async def test_a_published_entry_reaches_a_device_that_logs_in_later(running: Any) -> None:
    credential = await running.service.create_device("bob", name="PC1", platform="pc")
    await running.service.publish("bob", b"early")
    async with line(running.http) as one:
        await one.hello(credential.token)
        welcome, batch = await one.frame(), await one.frame()
        assert isinstance(welcome, Welcome)
        assert (welcome.account, welcome.device, welcome.missed) == ("bob", credential.device, 1)
        assert isinstance(batch, Batch)
        assert batch.entries[0].body == b"early"
        await running.service.publish("bob", b"live")
        batch = await one.frame()
        assert isinstance(batch, Batch)
        assert batch.entries[0].body == b"live"


async def test_revocation_ends_the_live_socket(running: Any) -> None:
    credential = await running.service.create_device("bob", name="PC1", platform="pc")
    async with line(running.http) as one:
        await one.hello(credential.token)
        assert isinstance(await one.frame(), Welcome)
        await running.service.revoke(credential.device)
        goodbye = await one.frame()
        assert isinstance(goodbye, Goodbye)
        assert goodbye.code == errors.DEVICE_REVOKED.code
    async with line(running.http) as one:
        await one.hello(credential.token)
        goodbye = await one.frame()
        assert isinstance(goodbye, Goodbye)
        assert goodbye.code == errors.DEVICE_REVOKED.code


async def test_draining_says_come_back(running: Any) -> None:
    credential = await running.service.create_device("bob", name="PC1", platform="pc")
    async with line(running.http) as one:
        await one.hello(credential.token)
        assert isinstance(await one.frame(), Welcome)
        draining = asyncio.create_task(running.service.drain())
        goodbye = await one.frame()
        assert isinstance(goodbye, Goodbye)
        assert goodbye.code == errors.DRAINING.code
        assert (await one.socket.receive()).type is aiohttp.WSMsgType.CLOSE
        assert one.socket.close_code == errors.DRAINING.code
        await draining
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with line(running.http):
            pass
    assert refused.value.status == 503


async def test_it_mounts_under_any_path_of_an_existing_application(tmp_path: Path) -> None:
    async def home(request: web.Request) -> web.Response:
        return web.Response(text="home")

    outer = web.Application()
    outer.router.add_get("/", home)
    inner = syncd.application(store=tmp_path / "store")
    outer.add_subapp("/chat/sync", inner)
    async with TestClient(TestServer(outer)) as http:
        service = inner[syncd.SERVICE]
        assert isinstance(service, syncd.Service)
        assert service.ready
        credential = await service.create_device("bob", name="PC1", platform="pc")
        await service.publish("bob", b"x", sender="alice", key="1")
        async with line(http, "/chat/sync/v1/sync") as one:
            await one.hello(credential.token)
            assert isinstance(await one.frame(), Welcome)
        assert await (await http.get("/")).text() == "home"
        assert (await http.get("/chat/sync/readyz")).status == 200
        missing = await http.get("/chat/sync/nothing")
        assert (await missing.json())["error"] == "not_found"
        foreign = await http.get("/nothing?token=x")
        assert foreign.content_type == "text/plain"  # the rest of the application is not ours
    assert not service.ready


async def test_an_embedders_own_login_vouches_for_devices(start: Any) -> None:
    sessions: dict[str, syncd.Admission] = {}

    async def authenticate(token: str) -> syncd.Admission | None:
        if token == "explode":
            raise ValueError(f"cannot read {token}")
        return sessions.get(token)

    running = await start(authenticate=authenticate)
    credential = await running.service.create_device("bob", name="PC1", platform="pc")
    sessions["cookie-17"] = syncd.Admission(
        account="bob", device=credential.device, credential=None
    )
    sessions["stranger"] = syncd.Admission(
        account="bob", device=DeviceId("0" * 24), credential=None
    )
    for token, expected in (
        ("cookie-17", Welcome),
        (credential.token, Welcome),
        ("stranger", errors.NOT_AUTHENTICATED),
        ("cookie-18", errors.NOT_AUTHENTICATED),
        ("explode", errors.INTERNAL),
    ):
        async with line(running.http) as one:
            await one.hello(token)
            frame = await one.frame()
            if isinstance(expected, errors.Refusal):
                assert isinstance(frame, Goodbye)
                assert frame.name == expected.name
            else:
                assert isinstance(frame, expected)


async def test_what_the_embedders_login_raised_is_not_quoted(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def authenticate(token: str) -> syncd.Admission | None:
        raise ValueError(f"cannot read {token}")

    running = await start(authenticate=authenticate)
    async with line(running.http) as one:
        await one.hello("canary-17")
        assert isinstance(await one.frame(), Goodbye)
    assert "raised ValueError" in caplog.text
    assert "canary-17" not in caplog.text


async def test_a_foreign_page_opens_no_socket(start: Any) -> None:
    running = await start(allowed_origins=["https://chat.example"])
    for origin, admitted in (
        ("https://chat.example", True),
        ("https://chat.example.evil.example", False),
        ("https://evil.example", False),
        ("null", False),
    ):
        headers = {"Origin": origin, "Cookie": "session=1"}
        opening = running.http.ws_connect(
            "/v1/sync", protocols=[MSGPACK_SUBPROTOCOL], headers=headers
        )
        if admitted:
            await (await opening).close()
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await opening
            assert refused.value.status == 403


class BrokenDisk(MemoryStorage):
    """A real store whose next commit ends in the dark."""

    broken = False

    async def commit(self, work: Work) -> Done:
        if self.broken:
            raise StorageError("fsync failed", definite=False)
        return await super().commit(work)


async def test_an_unknown_commit_is_answered_by_nothing(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    storage, failures = BrokenDisk(), asyncio.Queue[StorageError]()
    running = await start(store=storage, on_failure=failures.put_nowait)
    credential = await running.service.create_device("bob", name="PC1", platform="pc")
    async with line(running.http) as one:
        await one.hello(credential.token)
        assert isinstance(await one.frame(), Welcome)
        storage.broken = True
        publishing = asyncio.create_task(running.service.publish("bob", b"x"))
        error = await failures.get()
        assert not error.definite
        message = await one.socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.CLOSED
        assert one.socket.close_code == 1006
    assert not publishing.done()
    publishing.cancel()
    async with running.http.get("/readyz") as response:
        assert (response.status, await response.json()) == (503, {"status": "failed"})
    assert failures.empty()


class BrokenProgram(MemoryStorage):
    """A backend with a bug."""

    async def commit(self, work: Work) -> Done:
        raise ZeroDivisionError


async def test_a_task_that_dies_of_a_bug_stops_the_service(start: Any) -> None:
    failures = asyncio.Queue[StorageError]()
    running = await start(store=BrokenProgram(), on_failure=failures.put_nowait)
    publishing = asyncio.create_task(running.service.publish("bob", b"x"))
    assert "ZeroDivisionError" in str(await failures.get())
    assert not running.service.ready
    publishing.cancel()


async def test_a_wrong_cursor_scope_warns_loudly(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await start(store=MemoryStorage(CursorScope.PLATFORM))
    [warning] = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "second-PC bug" in warning.getMessage()


async def test_a_store_has_one_server(
    start: Callable[..., Awaitable[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await start()
    monkeypatch.setattr("syncd.server.app._STORE_FREE_S", 0.0)
    with pytest.raises(StoreRefused, match="in use"):
        await start()
    assert running.service.ready


async def test_a_start_waits_for_a_store_that_is_held_for_a_moment(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()
    monkeypatch.setattr("syncd.server.app.log.info", lambda *_, **__: waiting.set())
    holder = await open_storage(str(tmp_path / "store"))
    starting = asyncio.create_task(start())
    await waiting.wait()
    await holder.close()
    assert (await starting).service.ready


async def test_a_start_that_fails_lets_go_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "admin.sock").mkdir()  # cannot be replaced by a socket
    for _ in range(2):
        runner = web.AppRunner(application(store=tmp_path / "store"))
        with pytest.raises(OSError, match=r"Is a directory|Operation not permitted"):
            await runner.setup()
        await runner.cleanup()


async def test_what_was_taken_is_durable_after_the_stop(tmp_path: Path) -> None:
    store = tmp_path / "store"
    runner = web.AppRunner(app := application(store=store))
    await runner.setup()
    service = app[SERVICE]
    await service.create_device("bob", name="PC1", platform="pc")
    publishing = [asyncio.create_task(service.publish("bob", b"x")) for _ in range(20)]
    await asyncio.sleep(0)  # they have handed it over, nothing is durable yet
    await runner.cleanup()
    seqs = [published.seq for published in await asyncio.gather(*publishing)]
    runner = web.AppRunner(app := application(store=store))
    await runner.setup()
    assert (await app[SERVICE].devices("bob"))[0].head == len(seqs) == 20
    await runner.cleanup()


async def test_a_storage_that_was_handed_over_stays_open(tmp_path: Path) -> None:
    storage = MemoryStorage()
    for seq in (1, 2):
        runner = web.AppRunner(app := application(store=storage))
        await runner.setup()
        await app[SERVICE].create_device("bob", name="PC1", platform="pc")
        assert (await app[SERVICE].publish("bob", b"x")).seq == seq
        await runner.cleanup()
