"""Every answer that is not the one that was hoped for is a refusal, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import web

from syncd.client.address import http_address
from syncd.client.exceptions import LoginRefused
from syncd.client.http import http
from tests.client.desk import desk, refusal


class Told(msgspec.Struct):
    number: int


async def ask(answer: Any) -> Told:
    async with desk(answer) as there, http(http_address(there.url)) as door:
        told = await door.ask("/v1/asked", {"a": 1}, Told, "a token")
        assert there.asked == [("/v1/asked", {"a": 1}, "Bearer a token")]
        return told


async def refused(answer: Any) -> LoginRefused:
    with pytest.raises(LoginRefused) as caught:
        await ask(answer)
    return caught.value


async def test_an_answer_may_hold_more_than_is_known() -> None:
    assert await ask({"number": 7, "later": True}) == Told(7)


@pytest.mark.parametrize(
    ("status", "name", "retryable"),
    [
        (401, "invalid_code", False),
        (403, "account_gone", False),
        (429, "slow_down", True),
        (503, "upstream_unavailable", True),
        (400, "of_a_later_server", False),
        (503, "of_a_later_server", True),
    ],
)
async def test_a_refusal_says_its_name_and_whether_to_try_again(
    status: int, name: str, retryable: bool
) -> None:
    said = await refused(refusal(status, name))
    assert (said.name, said.text, said.retryable) == (name, "So it is.", retryable)
    assert said.retry_after_s is None


async def test_a_refusal_may_say_when() -> None:
    said = await refused(refusal(429, "slow_down", **{"Retry-After": "7"}))
    assert said.retry_after_s == 7
    said = await refused(refusal(503, "busy", **{"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}))
    assert said.retry_after_s is None


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(body=b"<html>"),
        web.Response(body=b'{"number":"seven"}'),
        web.Response(body=b'{"number":7}', status=302, headers={"Location": "/v1/elsewhere"}),
        web.Response(body=b'{"number":7,"more":"' + bytes(300_000) + b'"}'),
        web.Response(body=b"nothing to read", status=502),
    ],
    ids=["html", "another form", "redirect", "too large", "gateway"],
)
async def test_what_cannot_be_read_is_no_answer(answer: web.Response) -> None:
    said = await refused(answer)
    assert (said.name, said.retryable) == ("unreachable", True)


async def test_nor_is_silence() -> None:
    async with desk() as there:
        address = http_address(there.url)
    async with http(address) as door:
        with pytest.raises(LoginRefused, match="unreachable"):
            await door.ask("/v1/asked", {}, Told)
