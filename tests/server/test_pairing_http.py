"""A PC logs in because a phone said yes, and all the ways in which it must not."""

from collections.abc import Awaitable, Callable
from xml.etree import ElementTree

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from syncd import limits
from syncd.errors import DEVICE_REVOKED, TOKEN_ROTATED
from syncd.model import Kind
from syncd.notices import DeviceAdded, read_notice
from syncd.server.app import application
from syncd.wire.frames import Batch
from tests.server.conftest import Running
from tests.server.conftest import start as start
from tests.server.pairings import Asker, let_in, phone
from tests.server.peers import Town, found_town

Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def running(start: Start, monkeypatch: pytest.MonkeyPatch) -> Running:
    # A test asks again at once; that this is too soon has a test of its own.
    monkeypatch.setattr(limits, "PAIRING_INTERVAL_S", 0)
    return await start(store="memory:")


@pytest.fixture
async def town(start: Start, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setattr(limits, "PAIRING_INTERVAL_S", 0)
    return await found_town(start, monkeypatch, store="memory:")


async def test_a_pc_logs_in_by_a_yes_of_the_phone(running: Running) -> None:
    alice, pc = await phone(running), Asker(running)
    begun = await pc.begin()
    assert (begun["expires_in"], len(begun["matching_code"])) == (300, 2)
    assert await pc.fetch(begun) == (
        400,
        {
            "error": "authorization_pending",
            "text": "Nobody has confirmed yet: ask again after the interval.",
        },
    )
    status, scanned = await alice.scan(begun)
    assert (status, scanned) == (
        200,
        {
            "name": "PC1",
            "platform": "pc",
            "place": "127.0.0.1, the same network as this device",
            "matching_code": begun["matching_code"],
        },
    )
    assert await alice.confirm(begun) == (200, {"confirmed": True})
    status, login = await pc.fetch(begun)
    assert status == 200
    assert (login["account"], login["case"], login["new_device"]) == ("alice", "vouched", True)
    assert login["device"] != alice.device
    listed = await Asker(running, login["token"]).ask("GET", "/v1/self/devices")
    assert [each["name"] for each in listed[1]["devices"]] == ["phone", "PC1"]


async def test_the_new_device_syncs_and_the_old_one_is_told(town: Town) -> None:
    """The notice is an entry of the account's log: all devices see it."""
    running = town.running
    anne = Asker(running, town.tokens["phone"])
    watching = await town.live("phone")
    login = await let_in(anne)
    batch = await watching.hear(Batch)
    [entry] = batch.entries
    assert (entry.kind, entry.account, entry.conversation) == (Kind.SYSTEM, "", "anne~anne")
    assert read_notice(entry.body or b"") == DeviceAdded(login["device"], "PC1", "pc")
    fresh = await town.socket()
    verdict = await fresh.greet(login["token"])
    assert (verdict.account, verdict.device, verdict.missed) == ("anne", login["device"], 1)
    await town.close()


async def test_the_picture_is_an_image_of_the_address_and_nothing_else(running: Running) -> None:
    begun = await Asker(running).begin()
    assert begun["verification_uri"] == f"{running.url}/pair"
    assert begun["verification_uri_complete"] == f"{running.url}/pair#{begun['user_code']}"
    picture = ElementTree.fromstring(begun["qr"])
    assert {each.tag.rpartition("}")[2] for each in picture.iter()} <= {"svg", "g", "path"}


async def test_the_address_is_the_one_that_the_page_was_reached_by(running: Running) -> None:
    """Behind a proxy that speaks TLS only the page knows it; a foreign page is not believed."""
    host = running.url.removeprefix("http://")
    pc, body = Asker(running), {"name": "PC1", "platform": "pc"}
    _, begun = await pc.ask("POST", "/v1/pairing", body, Origin=f"https://{host}")
    assert begun["verification_uri"] == f"https://{host}/pair"
    _, begun = await pc.ask("POST", "/v1/pairing", body, Origin="https://evil.example")
    assert begun["verification_uri"] == f"http://{host}/pair"
    status, refused = await pc.ask("POST", "/v1/pairing", body, Host="evil.example/<script>")
    assert (status, refused["error"]) == (400, "bad_request")


async def test_a_service_that_is_mounted_names_its_own_page() -> None:
    outer = web.Application()
    outer.add_subapp("/chat", application(store="memory:"))
    async with TestClient(TestServer(outer)) as client:
        body = {"name": "PC1", "platform": "pc"}
        async with client.post("/chat/v1/pairing", json=body) as response:
            begun = await response.json()
        assert begun["verification_uri"] == str(client.make_url("/chat/pair"))
        async with client.get("/chat/pair") as response:
            assert 'src="pair.js"' in await response.text()  # relative, so it is found there


@pytest.mark.parametrize("header", ["X_FORWARDED_FOR", "Forwarded", "Via"])
async def test_behind_a_proxy_the_place_is_said_to_be_unknown(
    running: Running, header: str
) -> None:
    """What such a header says may be invented by whoever asks, so it is not repeated."""
    alice, pc = await phone(running), Asker(running)
    body = {"name": "PC1", "platform": "pc"}
    _, begun = await pc.ask("POST", "/v1/pairing", body, **{header: "203.0.113.9"})
    _, scanned = await alice.scan(begun)
    assert scanned["place"] == "unknown: it came through a proxy"


# ---------------------------------------------------------------- attacks


async def test_scanning_alone_lets_nobody_in(running: Running) -> None:
    alice, pc = await phone(running), Asker(running)
    begun = await pc.begin()
    await alice.scan(begun)
    assert (await pc.fetch(begun))[1]["error"] == "authorization_pending"
    assert (await alice.post("/v1/pairing/confirm", user_code="BBBB-BBBB"))[0] == 404


async def test_the_second_scanner_is_refused(running: Running) -> None:
    """Somebody photographed the code over a shoulder: whoever comes second notices."""
    thief, alice = await phone(running, "mallory"), await phone(running)
    begun = await Asker(running).begin()
    assert (await thief.scan(begun))[0] == 200
    for act in (alice.scan, alice.confirm, alice.decline):
        assert await act(begun) == (
            409,
            {"error": "already_scanned", "text": "Another device has scanned this code."},
        )


async def test_the_login_is_for_whoever_began_and_only_once(running: Running) -> None:
    alice, pc, thief = await phone(running), Asker(running), Asker(running)
    begun = await pc.begin()
    await alice.scan(begun)
    await alice.confirm(begun)
    for seen in (begun["user_code"], begun["matching_code"], begun["verification_uri_complete"]):
        status, refused = await thief.post("/v1/pairing/token", device_code=seen)
        assert (status, refused["error"]) == (400, "expired_token")
    assert (await pc.fetch(begun))[0] == 200
    assert (await thief.fetch(begun))[1]["error"] == "expired_token"
    devices = await running.service.devices("alice")
    assert [each.name for each in devices] == ["phone", "PC1"]


async def test_no_is_as_easy_as_yes_and_final(running: Running) -> None:
    alice, pc = await phone(running), Asker(running)
    begun = await pc.begin()
    await alice.scan(begun)
    assert await alice.decline(begun) == (200, {"declined": True})
    assert (await pc.fetch(begun))[1]["error"] == "access_denied"
    assert (await alice.confirm(begun))[0] == 404
    assert (await pc.fetch(begun))[1]["error"] == "access_denied"
    assert len(await running.service.devices("alice")) == 1


async def test_a_yes_counts_no_more_when_the_phone_is_revoked(running: Running) -> None:
    alice, pc = await phone(running), Asker(running)
    begun = await pc.begin()
    await alice.scan(begun)
    await alice.confirm(begun)
    await running.service.revoke(alice.device)
    status, refused = await pc.fetch(begun)
    assert (status, refused["error"]) == (400, "access_denied")
    assert (await alice.confirm(begun))[0] == 401
    assert len(await running.service.devices("alice")) == 1


async def test_a_yes_counts_no_more_when_the_phone_is_signed_out(running: Running) -> None:
    alice, pc = await phone(running), Asker(running)
    begun = await pc.begin()
    await alice.scan(begun)
    await alice.confirm(begun)
    assert (await alice.post("/v1/self/logout"))[0] == 200
    assert (await pc.fetch(begun))[1]["error"] == "access_denied"


async def test_guessing_codes_is_stopped(running: Running) -> None:
    guesser = await phone(running, "mallory")
    guesses = [
        await guesser.post("/v1/pairing/scan", user_code=f"BCDF-GH{one}{other}")
        for one in "BCDF"
        for other in "BCDF"
    ]
    assert guesses[0][0] == 404
    assert (guesses[-1][0], guesses[-1][1]["error"]) == (429, "slow_down")


async def test_a_code_that_has_expired_is_over(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PAIRING_LIFETIME_S", 0.0)
    alice, pc = await phone(running), Asker(running)
    begun = await pc.begin()
    assert (await alice.scan(begun))[0] == 404
    assert (await pc.fetch(begun))[1]["error"] == "expired_token"


async def test_who_asks_too_soon_is_told_to_wait(start: Start) -> None:
    pc = Asker(await start(store="memory:"))
    begun = await pc.begin()
    assert (await pc.fetch(begun))[1]["error"] == "authorization_pending"
    status, refused = await pc.fetch(begun)
    assert (status, refused["error"]) == (429, "slow_down")


async def test_nobody_decides_without_a_devices_token(running: Running) -> None:
    begun = await Asker(running).begin()
    for token in ("", "sd_" + "A" * 43, "ss_" + "A" * 43, "nonsense"):
        for act in ("scan", "confirm", "decline"):
            stranger = Asker(running, token)
            status, _ = await stranger.post(f"/v1/pairing/{act}", user_code=begun["user_code"])
            assert status == 401


async def test_an_api_key_is_no_person(start: Start) -> None:
    running = await start()
    operator = Asker(running, await running.key())
    begun = await Asker(running).begin()
    assert (await operator.scan(begun))[0] == 401


async def test_a_token_from_before_the_login_is_worth_nothing_after_it(town: Town) -> None:
    """Fixation: whoever planted or kept the old token of the device has nothing."""
    anne = Asker(town.running, town.tokens["phone"])
    first = await let_in(anne)
    old = await town.socket()
    await old.greet(first["token"])
    again = await let_in(anne, device={"id": first["device"], "secret": first["secret"]})
    assert again["device"] == first["device"]
    assert (again["new_device"], again["secret"]) == (False, None)
    assert again["token"] != first["token"]
    await old.hears_goodbye(TOKEN_ROTATED)
    assert (await Asker(town.running, first["token"]).ask("GET", "/v1/self/devices"))[0] == 401
    await town.close()


async def test_a_revoked_device_does_not_get_in_again(town: Town) -> None:
    anne, pc = Asker(town.running, town.tokens["phone"]), Asker(town.running)
    first = await let_in(anne)
    live = await town.socket()
    await live.greet(first["token"])
    await anne.ask("DELETE", f"/v1/self/devices/{first['device']}")
    await live.hears_goodbye(DEVICE_REVOKED)
    begun = await pc.begin(device={"id": first["device"], "secret": first["secret"]})
    await anne.scan(begun)
    await anne.confirm(begun)
    assert (await pc.fetch(begun))[1]["error"] == "device_revoked"
    await town.close()


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", "", " a", "x" * 1000])
async def test_a_name_that_could_disguise_something_is_refused(running: Running, name: str) -> None:
    status, refused = await Asker(running).post("/v1/pairing", name=name, platform="pc")
    assert (status, refused["error"]) == (400, "bad_request")


async def test_a_name_is_passed_on_as_text(running: Running) -> None:
    name = "<img src=x onerror=alert(1)>'\"&"
    alice, pc = await phone(running), Asker(running)
    begun = await pc.begin(name)
    _, scanned = await alice.scan(begun)
    assert scanned["name"] == name
    assert name not in begun["qr"]


async def test_nobody_says_who_is_to_be_logged_in(running: Running) -> None:
    alice, pc = await phone(running), Asker(running)
    status, _ = await pc.post("/v1/pairing", name="PC1", platform="pc", account="alice")
    assert status == 400
    begun = await pc.begin()
    status, _ = await alice.post("/v1/pairing/scan", user_code=begun["user_code"], account="bob")
    assert status == 400


async def test_a_foreign_page_cannot_begin_in_the_browsers_name(running: Running) -> None:
    """A form of another site can send no JSON without asking first, and nobody answers that."""
    async with running.http.post("/v1/pairing", data='{"name":"PC1","platform":"pc"}') as response:
        assert response.status == 415
    async with running.http.options("/v1/pairing") as response:
        assert response.status == 405
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_no_code_is_ever_logged(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    alice, pc = await phone(running), Asker(running)
    begun = await pc.begin()
    await alice.scan(begun)
    await alice.confirm(begun)
    _, login = await pc.fetch(begun)
    told = caplog.text
    for secret in (begun["device_code"], login["token"], login["secret"], alice.token):
        assert secret not in told
