"""Bad input over HTTP: each has its answer, nothing else breaks, nothing is repeated back."""

import gzip
import json
import zlib
from typing import Any

import pytest

from syncd import errors
from syncd.server.intake import REQUEST_BYTES_MAX

TOKEN = "sd_" + "A" * 43


@pytest.fixture
async def key(running: Any) -> str:
    await running.service.create_device("bob", name="PC1", platform="pc")
    return await running.key()


async def send(running: Any, key: str, data: Any, **headers: str) -> tuple[int, str]:
    given = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | headers
    async with running.http.post("/v1/messages", data=data, headers=given) as response:
        return response.status, (await response.json()).get("error", "")


GOOD = json.dumps({"to": "bob", "text": "x"}).encode()


async def test_the_good_request_is_good(running: Any, key: str) -> None:
    assert await send(running, key, GOOD) == (200, "")
    headers = {"Content-Type": "Application/JSON; Charset=UTF-8"}
    assert await send(running, key, GOOD, **headers) == (200, "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b'{"to":"bob","text":"x"}{}',
        b'{"to":"bob","to":"bob","text":"x"}',
        b'{"to":"bob","text":"x","text":"y"}',
        b'{"to":"bob","text":NaN}',
        b'{"to":"bob","text":-Infinity}',
        b'{"to":"bob","text":"\xff"}',
        b'{"to":"bob","text":"\\ud800"}',
        b'{"to":"b\\u0000ob","text":"x"}',
        b'\xef\xbb\xbf{"to":"bob","text":"x"}',
        b"[" * 100_000,
        b'{"a":' * 30_000,
        b"1" * 5000,
        GOOD.decode().encode("utf-16"),
        b"to=bob&text=x",
    ],
)
async def test_what_is_no_strict_json(running: Any, key: str, body: bytes) -> None:
    assert await send(running, key, body) == (400, "bad_request")
    assert await send(running, key, GOOD) == (200, "")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/json5",
        "multipart/form-data; boundary=x",
        "",
    ],
)
async def test_other_content_types(running: Any, key: str, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert await send(running, key, GOOD, **headers) == (415, "unsupported_media_type")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "nonsense"])
async def test_a_compressed_body_is_refused_unread(running: Any, key: str, coding: str) -> None:
    bomb = zlib.compress(bytes(1 << 22)) if coding == "deflate" else gzip.compress(bytes(1 << 22))
    headers = {"Content-Encoding": coding}
    assert await send(running, key, bomb, **headers) == (415, "unsupported_media_type")


async def test_a_body_beyond_the_cap_is_refused(running: Any, key: str) -> None:
    assert await send(running, key, b" " * (REQUEST_BYTES_MAX + 1)) == (413, "payload_too_large")


async def test_so_is_one_that_does_not_say_how_long_it_is(running: Any, key: str) -> None:
    async def chunks() -> Any:
        for _ in range(REQUEST_BYTES_MAX // 4096 + 2):
            yield b" " * 4096

    assert await send(running, key, chunks()) == (413, "payload_too_large")


@pytest.mark.parametrize(
    "query",
    [
        "token=x",
        "access_token=x",
        "api_key=x",
        "Token=x",
        f"anything={TOKEN}",
        f"{TOKEN}",
        "anything=%73d_" + "A" * 43,
        "anything=eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.x",
    ],
)
@pytest.mark.parametrize("path", ["/v1/sync", "/v1/messages", "/healthz", "/v1/nothing"])
async def test_a_credential_in_a_url_is_refused(running: Any, path: str, query: str) -> None:
    async with running.http.get(f"{path}?{query}") as response:
        answer = await response.text()
    assert (response.status, json.loads(answer)["error"]) == (400, "token_in_url")
    assert TOKEN not in answer


async def test_a_credential_in_a_path_is_refused(running: Any) -> None:
    async with running.http.get(f"/v1/accounts/{TOKEN}/devices") as response:
        assert (await response.json())["error"] == "token_in_url"


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 201, "é"])
async def test_an_idempotency_key_that_is_none(running: Any, key: str, given: str) -> None:
    assert await send(running, key, GOOD, **{"Idempotency-Key": given}) == (400, "bad_request")


async def test_two_idempotency_keys_are_none(running: Any, key: str) -> None:
    headers = [
        ("Authorization", f"Bearer {key}"),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "a"),
        ("Idempotency-Key", "b"),
    ]
    async with running.http.post("/v1/messages", data=GOOD, headers=headers) as response:
        assert (await response.json())["error"] == "bad_request"


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 140 + b"\r\n",
        b"GET /" + TOKEN.encode() + b" \x00 HTTP/1.1\r\n\r\n",
        TOKEN.encode() + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 100,
    ],
)
async def test_what_is_no_http_is_a_bad_request(
    running: Any, request_head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    head, _, body = (await running.raw(request_head)).partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert b"Server: syncd\r\n" in head
    assert json.loads(body)["error"] == errors.BAD_REQUEST.name
    assert TOKEN.encode() not in body
    assert TOKEN not in caplog.text
    async with running.http.get("/healthz") as response:
        assert response.status == 200


async def test_a_body_that_breaks_off_changes_nothing(running: Any, key: str) -> None:
    head = (
        f"POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = await running.raw(head.encode() + b"zz\r\n")
    assert b" 400 " in answer.splitlines()[0]
    assert (await running.service.devices("bob"))[0].head == 0
