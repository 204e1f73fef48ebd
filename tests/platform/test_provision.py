"""Provisioning: every operation over a socket, its errors, and a document that names them all."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from syncd.platform.app import application
from syncd.platform.bell import Bell
from syncd.platform.clock import Clock
from syncd.platform.provision import Provision
from syncd.platform.world import World
from tests.platform.town import database


class Office:
    """Where a world is made, request by request."""

    def __init__(self, client: "TestClient[web.Request, web.Application]") -> None:
        self.client = client

    async def ask(self, name: str, status: int = 200, /, **given: Any) -> Any:
        response = await self.client.post(f"/provision/{name}", json=given)
        assert response.status == status, await response.text()
        return await response.json()

    async def app(self, kind: str, **change: Any) -> Any:
        given = {"kind": kind, "name": "Inbox", "owner": "owner", "account": "open"}
        return await self.ask("app", **given | change)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    clock, bell = Clock(), Bell()
    world = World(database(), Random(5).randbytes)
    app = application(world, clock.now, bell)
    Provision(world, clock, bell).join(app)
    async with TestClient(TestServer(app)) as client:
        office = Office(client)
        await office.ask("account", account="open")
        await office.ask("person", person="alice", nickname="\u5f20\u4e09")
        yield office


async def session(office: Office, app: Any, code: str) -> Any:
    given = {**app, "js_code": code, "grant_type": "authorization_code"}
    return await (await office.client.get("/sns/jscode2session", params=given)).json(
        content_type="text/plain"
    )


async def granted(office: Office, app: Any, code: str) -> Any:
    given = {**app, "code": code, "grant_type": "authorization_code"}
    response = await office.client.get("/sns/oauth2/access_token", params=given)
    return await response.json(content_type="text/plain")


async def test_a_person_logs_in_to_a_program(office: Office) -> None:
    program = await office.app("mini-program")
    given = {"appid": program["appid"], "person": "alice"}
    code = (await office.ask("login-code", **given))["code"]
    openid = (await session(office, program, code))["openid"]
    shown = await office.ask("user-info", **given)
    assert set(shown) == {"rawData", "signature", "encryptedData", "iv"}
    await office.ask("person-state", person="alice", state="ended")
    await office.ask("person-state", person="alice", state="normal")
    code = (await office.ask("login-code", **given))["code"]
    assert (await session(office, program, code))["openid"] != openid


async def test_a_busy_platform_answers_so_often_that_it_is(office: Office) -> None:
    program = await office.app("mini-program")
    code = (await office.ask("login-code", appid=program["appid"], person="alice"))["code"]
    await office.ask("busy", answers=2)
    answers = [await session(office, program, code) for _ in range(3)]
    assert [answer.get("errcode") for answer in answers] == [-1, -1, None]


async def test_a_moved_clock_is_the_platforms(office: Office) -> None:
    program = await office.app("mini-program")
    code = (await office.ask("login-code", appid=program["appid"], person="alice"))["code"]
    before = (await office.ask("clock", forward_s=0))["now"]
    assert (await office.ask("clock", forward_s=300))["now"] >= before + 300
    assert (await session(office, program, code))["errcode"] == 40029


async def test_an_app_is_bound_registered_and_frozen(office: Office) -> None:
    mobile = await office.app("mobile", account=None)
    await office.ask("binding", appid=mobile["appid"], account="open")
    await office.ask("host", appid=mobile["appid"], registered="rp.example")
    given = {"appid": mobile["appid"], "person": "alice", "scope": "snsapi_userinfo"}
    code = (await office.ask("oauth-code", **given))["code"]
    assert "unionid" in await granted(office, mobile, code)
    code = (await office.ask("oauth-code", **given, snapshot=True))["code"]
    assert (await granted(office, mobile, code))["is_snapshotuser"] == 1
    await office.ask("secret-state", appid=mobile["appid"], frozen=True)
    assert (await granted(office, mobile, code))["errcode"] == 40243
    await office.ask("secret-state", appid=mobile["appid"], frozen=False)
    await office.ask("app-state", appid=mobile["appid"], state="frozen")
    assert (await granted(office, mobile, code))["errcode"] == 50002
    refusal = await office.ask("oauth-code", 409, **given)
    assert (refusal["error"], refusal["errcode"]) == ("refused", 50002)


async def test_a_person_follows_an_account_and_leaves(office: Office) -> None:
    account = await office.app("official-account")
    await office.ask("follow", appid=account["appid"], person="alice")
    given = {"grant_type": "client_credential", **account}
    token = await (await office.client.get("/cgi-bin/token", params=given)).json()
    query = {"access_token": token["access_token"]}
    for follows, count in ((True, 1), (False, 0)):
        await office.ask("follow", appid=account["appid"], person="alice", follows=follows)
        page = await (await office.client.get("/cgi-bin/user/get", params=query)).json()
        assert page["total"] == count


async def test_a_qr_code_is_scanned_and_confirmed(office: Office) -> None:
    website = await office.app("website", registered="rp.example")
    link = {"appid": website["appid"], "redirect_uri": "https://rp.example/"}
    link |= {"response_type": "code", "scope": "snsapi_login"}
    page = await (await office.client.get("/connect/qrconnect", params=link)).text()
    uuid = page.split("/connect/qrcode/")[1].split('"')[0]
    shown = await office.ask("qr-scan", uuid=uuid, person="alice")
    assert shown["appid"] == website["appid"]
    assert shown["matching"] in page
    await office.ask("person", person="bob")
    for name, change in (("qr-scan", {}), ("qr-decision", {"agreed": True})):
        await office.ask(name, 409, uuid=uuid, person="bob", **change)
    await office.ask("qr-decision", uuid=uuid, person="alice", agreed=True)
    poll = await office.client.get("/connect/l/qrconnect", params={"uuid": uuid})
    assert "wx_errcode=405" in await poll.text()


async def test_a_link_makes_a_browser_somebodys(office: Office) -> None:
    path = (await office.ask("browser", person="alice"))["path"]
    shown = await office.client.get(path)
    assert "\u5f20\u4e09" in await shown.text()


@pytest.mark.parametrize(
    ("name", "status", "given"),
    [
        ("person", 400, {}),
        ("person", 400, {"person": ""}),
        ("person", 400, {"person": "bob", "extra": 1}),
        ("person-state", 400, {"person": "alice", "state": "asleep"}),
        ("person-state", 404, {"person": "nobody", "state": "ended"}),
        ("app", 404, {"kind": "mobile", "name": "a", "owner": "o", "account": "none"}),
        ("binding", 404, {"appid": "wxnone", "account": None}),
        ("login-code", 404, {"appid": "wxnone", "person": "nobody"}),
        ("login-code", 409, {"appid": "wxnone", "person": "alice"}),
        ("clock", 400, {"forward_s": -1}),
        ("qr-scan", 409, {"uuid": "none", "person": "alice"}),
    ],
)
async def test_bad_requests(office: Office, name: str, status: int, given: Any) -> None:
    answer = await office.ask(name, status, **given)
    assert answer["error"] in {"bad_request", "not_found", "refused"}
    assert answer["text"]


async def test_what_a_page_of_another_site_can_send_is_refused(office: Office) -> None:
    response = await office.client.post("/provision/person", data=b'{"person":"mallory"}')
    assert response.status == 415


async def test_the_document_names_exactly_what_there_is(office: Office) -> None:
    document = await (await office.client.get("/provision/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    app = office.client.app
    assert app is not None
    routes = {
        route.resource.canonical
        for route in app.router.routes()
        if route.resource and route.resource.canonical.startswith("/provision")
    }
    assert {*document["paths"], "/provision/openapi.json"} == routes
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        taken = path["post"]["requestBody"]["content"]["application/json"]["schema"]
        name = taken["$ref"].rpartition("/")[2]
        assert schemas[name]["additionalProperties"] is False


async def test_without_provisioning_there_is_none() -> None:
    world = World(database(), Random(5).randbytes)
    async with TestClient(TestServer(application(world, Clock().now))) as client:
        assert (await client.post("/provision/person", json={"person": "a"})).status == 404
