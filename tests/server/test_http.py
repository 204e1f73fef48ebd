"""The HTTP door: health, publishing, devices, and refusals as rows of the table."""

import asyncio
import json
from base64 import b64encode
from typing import Any

import pytest

from syncd import errors
from syncd.identity.devices import Devices
from syncd.identity.keys import Keys
from syncd.limits import BODY_BYTES_MAX
from syncd.model import ReadRequest
from syncd.storage import Storage
from syncd.storage.address import open_storage
from syncd.wire.codec import unpack_entries
from syncd.wire.frames import Entry


async def post(running: Any, path: str, body: Any, key: str | None, **headers: str) -> Any:
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    async with running.http.post(path, json=body, headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.content_type == "application/json"
        return response.status, await response.json()


async def entries(storage: Storage, account: str) -> list[Entry]:
    [page] = await storage.read([ReadRequest(account, 0, 1 << 20)])
    return list(unpack_entries(page.to, page.entries))


@pytest.fixture
async def storage(tmp_path: Any) -> Any:
    opened = await open_storage(str(tmp_path / "own"))
    await opened.create_account("bob")
    yield opened
    await opened.close()


@pytest.fixture
async def door(start: Any, storage: Storage) -> Any:
    return await start(store=storage)


@pytest.fixture
async def key(door: Any, storage: Storage) -> str:
    return await Keys(storage).create("shop")


async def test_health_and_readiness(running: Any) -> None:
    for path, status in (("/healthz", "ok"), ("/readyz", "ready")):
        async with running.http.get(path) as response:
            assert (response.status, await response.json()) == (200, {"status": status})
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Server"] == "syncd"


async def test_readiness_ends_when_the_service_drains(running: Any) -> None:
    await running.service.drain()
    async with running.http.get("/readyz") as response:
        assert (response.status, await response.json()) == (503, {"status": "draining"})
    async with running.http.get("/healthz") as response:
        assert response.status == 200


async def test_a_draining_service_asks_to_come_back(running: Any) -> None:
    key = await running.key()
    await running.service.drain()
    headers = {"Authorization": f"Bearer {key}"}
    body = {"to": "bob", "text": "x"}
    async with running.http.post("/v1/messages", json=body, headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (503, "draining")
        assert response.headers["Retry-After"] == "1"
    async with running.http.get("/v1/sync") as response:
        assert (response.status, (await response.json())["error"]) == (503, "draining")


async def test_text_from_nobody(door: Any, key: str, storage: Storage) -> None:
    assert await post(door, "/v1/messages", {"to": "bob", "text": "héllo"}, key) == (
        200,
        {"seq": 1, "duplicate": False},
    )
    [entry] = await entries(storage, "bob")
    assert (entry.account, entry.conversation, entry.number) == ("", "bob~bob", 1)
    assert entry.body == "héllo".encode()
    assert (entry.kind, entry.target) == (1, None)


async def test_bytes_from_somebody(door: Any, key: str, storage: Storage) -> None:
    body = {"to": "bob", "from": "alice", "body": b64encode(b"\0\xff").decode()}
    assert (await post(door, "/v1/messages", body, key))[0] == 200
    [entry] = await entries(storage, "bob")
    assert (entry.account, entry.conversation, entry.body) == ("alice", "alice~bob", b"\0\xff")


async def test_a_conversation_can_be_named(door: Any, key: str, storage: Storage) -> None:
    body = {"to": "bob", "text": "x", "conversation": "bob~carol"}
    assert (await post(door, "/v1/messages", body, key))[0] == 200
    [entry] = await entries(storage, "bob")
    assert (entry.account, entry.conversation) == ("", "bob~carol")


async def test_entries_without_a_device_count_from_one_under_one_id(
    door: Any, key: str, storage: Storage
) -> None:
    for text in "abc":
        await post(door, "/v1/messages", {"to": "bob", "text": text}, key)
    found = await entries(storage, "bob")
    assert [entry.number for entry in found] == [1, 2, 3]
    assert len({entry.device for entry in found}) == 1


async def test_the_same_key_and_content_is_one_entry(door: Any, key: str, storage: Storage) -> None:
    body = {"to": "bob", "text": "x"}
    headers = {"Idempotency-Key": "order-17"}
    assert (await post(door, "/v1/messages", body, key, **headers))[1]["duplicate"] is False
    assert await post(door, "/v1/messages", body, key, **headers) == (
        200,
        {"seq": 1, "duplicate": True},
    )
    assert len(await entries(storage, "bob")) == 1


@pytest.mark.parametrize(
    "change", [{"text": "y"}, {"from": "alice", "conversation": "bob~bob"}, {"to": "carol"}]
)
async def test_the_same_key_with_other_content_conflicts(
    door: Any, key: str, storage: Storage, change: dict[str, str]
) -> None:
    await storage.create_account("carol")
    body = {"to": "bob", "text": "x"}
    headers = {"Idempotency-Key": "order-17"}
    await post(door, "/v1/messages", body, key, **headers)
    status, refused = await post(door, "/v1/messages", body | change, key, **headers)
    assert (status, refused["error"]) == (409, "idempotency_conflict")


async def test_publishers_do_not_meet_in_their_keys(door: Any, key: str, storage: Storage) -> None:
    other = await Keys(storage).create("billing")
    for publisher in (key, other):
        headers = {"Idempotency-Key": "order-17"}
        body = {"to": "bob", "text": publisher[:3]}
        assert (await post(door, "/v1/messages", body, publisher, **headers))[1][
            "duplicate"
        ] is False


async def test_many_at_once_are_all_kept(door: Any, key: str, storage: Storage) -> None:
    answers = await asyncio.gather(
        *(post(door, "/v1/messages", {"to": "bob", "text": str(n)}, key) for n in range(50))
    )
    assert sorted(answer["seq"] for _, answer in answers) == list(range(1, 51))
    assert len(await entries(storage, "bob")) == 50


async def test_the_largest_body_passes_and_one_byte_more_does_not(door: Any, key: str) -> None:
    largest = "\x01" * BODY_BYTES_MAX  # six bytes each as JSON
    assert (await post(door, "/v1/messages", {"to": "bob", "text": largest}, key))[0] == 200
    status, refused = await post(door, "/v1/messages", {"to": "bob", "text": largest + "x"}, key)
    assert (status, refused["error"]) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, errors.BAD_REQUEST),
        ([], errors.BAD_REQUEST),
        ({"to": "bob"}, errors.BAD_REQUEST),
        ({"to": "bob", "text": "x", "body": "eA=="}, errors.BAD_REQUEST),
        ({"to": "bob", "body": "eA"}, errors.BAD_REQUEST),
        ({"to": "bob", "body": "e A=="}, errors.BAD_REQUEST),
        ({"to": "bob", "body": "eB=="}, errors.BAD_REQUEST),
        ({"to": "bob", "body": "é"}, errors.BAD_REQUEST),
        ({"to": "bob", "text": 1}, errors.BAD_REQUEST),
        ({"to": ["bob"], "text": "x"}, errors.BAD_REQUEST),
        ({"to": "bob", "text": "x", "seq": 7}, errors.BAD_REQUEST),
        ({"to": "bo b", "text": "x"}, errors.BAD_REQUEST),
        ({"to": "bob", "text": "x", "from": "a~b"}, errors.BAD_REQUEST),
        ({"to": "bob", "text": "x", "conversation": "alice~carol"}, errors.BAD_REQUEST),
        ({"to": "bob", "text": "x", "conversation": "carol~bob"}, errors.BAD_REQUEST),
        ({"to": "nobody", "text": "x"}, errors.NO_SUCH_ACCOUNT),
    ],
)
async def test_what_cannot_be_published(
    door: Any, key: str, storage: Storage, body: Any, refusal: errors.Refusal
) -> None:
    status, refused = await post(door, "/v1/messages", body, key)
    assert (status, refused["error"]) == (refusal.code, refusal.name)
    assert refused["text"].endswith(".")
    assert await entries(storage, "bob") == []


async def test_a_program_makes_lists_and_revokes_devices(door: Any, key: str) -> None:
    wanted = {"account": "zoe", "name": "Zoë's PC", "platform": "pc"}
    status, made = await post(door, "/v1/devices", wanted, key)
    assert (status, set(made)) == (201, {"device", "token"})
    headers = {"Authorization": f"Bearer {key}"}
    async with door.http.get("/v1/accounts/zoe/devices", headers=headers) as response:
        listed = await response.json()
    assert [(each["device"], each["name"]) for each in listed["devices"]] == [
        (made["device"], "Zoë's PC")
    ]
    for _ in range(2):
        async with door.http.delete(f"/v1/devices/{made['device']}", headers=headers) as response:
            assert await response.json() == {"device": made["device"], "revoked": True}
    async with door.http.get("/v1/accounts/zoe/devices", headers=headers) as response:
        assert [each["revoked"] for each in (await response.json())["devices"]] == [True]


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/v1/accounts/nobody/devices", errors.NO_SUCH_ACCOUNT),
        ("/v1/accounts/a%20b/devices", errors.BAD_REQUEST),
        ("/v1/accounts/..%2Fetc/devices", errors.BAD_REQUEST),
        ("/v1/accounts/%FF/devices", errors.BAD_REQUEST),
        ("/v1/accounts//devices", errors.NOT_FOUND),
    ],
)
async def test_accounts_that_are_none(
    door: Any, key: str, path: str, refusal: errors.Refusal
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with door.http.get(path, headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (refusal.code, refusal.name)


@pytest.mark.parametrize("device", ["0" * 24, "x", "..%2F..%2Fetc", "'%20or%201=1"])
async def test_devices_that_are_none(door: Any, key: str, device: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with door.http.delete(f"/v1/devices/{device}", headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages"),
        ("POST", "/v1/devices"),
        ("GET", "/v1/accounts/bob/devices"),
        ("DELETE", "/v1/devices/" + "0" * 24),
    ],
)
async def test_without_a_key_nothing_is_done(
    door: Any, key: str, storage: Storage, method: str, path: str
) -> None:
    token = (await Devices(storage).create("bob", name="PC1", platform="pc")).token
    for given in (
        [],
        [("Authorization", "Bearer")],
        [("Authorization", f"Basic {key}")],
        [("Authorization", key)],
        [("Authorization", f"Bearer {key}x")],
        [("Authorization", f"Bearer {token}")],
        [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")],
        [("X-User-Id", "shop")],
    ):
        async with door.http.request(
            method, path, data=json.dumps({"to": "bob", "text": "x"}), headers=given
        ) as response:
            assert (response.status, (await response.json())["error"]) == (401, "unauthorized")
            assert response.headers["WWW-Authenticate"] == "Bearer"
    assert await entries(storage, "bob") == []


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        ("GET", "/", errors.NOT_FOUND),
        ("GET", "/v1/nothing", errors.NOT_FOUND),
        ("GET", "/v1/sync/", errors.NOT_FOUND),
        ("GET", "/v1/messages", errors.METHOD_NOT_ALLOWED),
        ("PUT", "/v1/messages", errors.METHOD_NOT_ALLOWED),
        ("OPTIONS", "/v1/messages", errors.METHOD_NOT_ALLOWED),
        ("TRACE", "/healthz", errors.METHOD_NOT_ALLOWED),
        ("POST", "/v1/sync", errors.METHOD_NOT_ALLOWED),
        ("GET", "/v1/sync", errors.NO_SUBPROTOCOL),
    ],
)
async def test_addresses_and_methods_that_are_none(
    running: Any, method: str, path: str, refusal: errors.Refusal
) -> None:
    async with running.http.request(method, path) as response:
        assert (response.status, (await response.json())["error"]) == (refusal.code, refusal.name)
        assert response.headers["Cache-Control"] == "no-store"
        assert ("Allow" in response.headers) == (refusal is errors.METHOD_NOT_ALLOWED)
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_an_upgrade_that_is_none_is_a_bad_request(running: Any) -> None:
    headers = {"Sec-WebSocket-Protocol": "syncd.v1.msgpack"}
    async with running.http.get("/v1/sync", headers=headers) as response:
        assert (response.status, (await response.json())["error"]) == (400, "bad_request")
