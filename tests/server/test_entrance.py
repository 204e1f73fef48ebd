"""What login needs, and for how long it is there."""

import stat
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt

from syncd.identity.sealing import FILE_NAME
from syncd.identity.settings import LoginSettings
from syncd.server.entrance import Entrance
from syncd.server.throttle import Rates, Throttle
from syncd.storage.address import MEMORY
from tests.identity.reception import PHONE
from tests.identity.test_login import ISSUER, RSA
from tests.server.lobby import lobby


def key_files(folder: Path) -> list[Path]:
    return list(folder.rglob(FILE_NAME))


def paths(entrance: Entrance, service: Any) -> set[str]:
    return {each.path for each in entrance.routes(service, Throttle(Rates()))}


async def test_there_is_no_login_where_none_was_set_up(running: Any) -> None:
    assert "/v1/login" in paths(Entrance(LoginSettings()), running.service)
    assert "/v1/login" not in paths(Entrance(None), running.service)
    assert "/v1/self" in paths(Entrance(None), running.service)
    assert not (running.data / FILE_NAME).exists()


async def test_the_key_file_lies_beside_the_store(start: Any, tmp_path: Path) -> None:
    async with lobby(start) as hall:
        await hall.log_in(PHONE, "o-alice-phone")
        mode = (hall.running.data / FILE_NAME).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


async def test_a_store_in_memory_has_no_key_file(start: Any, tmp_path: Path) -> None:
    async with lobby(start, store=MEMORY) as hall:
        assert (await hall.log_in(PHONE, "o-alice-phone"))["case"] == "created"
    assert key_files(tmp_path) == []


async def test_an_issuers_keys_come_from_the_address_in_the_table(start: Any) -> None:
    asked: list[str] = []

    async def keys(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=ISSUER.keys)

    issuer = web.Application()
    issuer.router.add_get("/jwks.json", keys)
    async with TestServer(issuer) as site:
        url = str(site.make_url("/jwks.json"))
        async with lobby(start, replace(ISSUER, jwks=url, keys=b"")) as hall:
            now = int(time.time())
            claims = {"iss": ISSUER.url, "aud": "syncd", "sub": "alice", "iat": now, "exp": now + 9}
            token = jwt.encode({"alg": "RS256", "kid": "r1"}, claims, RSA)
            body = {"name": "PC1", "platform": "pc", "jwt": token}
            for _ in range(2):
                status, answer = await hall.ask("POST", "/v1/login", body)
                assert status == 200, answer
            assert asked == ["/jwks.json"]
            _, known = await hall.ask("GET", "/v1/self", token=answer["token"])
            assert [each["issuer"] for each in known["subjects"]] == [ISSUER.url]
