"""A person looks after the own devices, and after no others."""

from collections.abc import Awaitable, Callable

import pytest

from syncd import limits
from syncd.errors import DEVICE_REVOKED, SIGNED_OUT
from syncd.wire.frames import Hello
from tests.server.conftest import Running
from tests.server.conftest import start as start
from tests.server.pairings import Asker, let_in
from tests.server.peers import Town, found_town, instance


@pytest.fixture
async def town(start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setattr(limits, "PAIRING_INTERVAL_S", 0)
    return await found_town(start, monkeypatch, store="memory:")


@pytest.fixture
def anne(town: Town) -> Asker:
    return Asker(town.running, town.tokens["phone"])


async def states(asker: Asker) -> dict[str, tuple[bool, bool, str | None]]:
    """This one, revoked, signed out: of each device by name."""
    status, listed = await asker.ask("GET", "/v1/self/devices")
    assert status == 200, listed
    return {
        each["name"]: (each["this"], each["revoked"], each["signed_out"])
        for each in listed["devices"]
    }


async def ids(asker: Asker) -> dict[str, str]:
    _, listed = await asker.ask("GET", "/v1/self/devices")
    return {each["name"]: each["device"] for each in listed["devices"]}


async def test_the_own_devices_are_listed(town: Town, anne: Asker) -> None:
    assert await states(anne) == {"phone": (True, False, None), "witness": (False, False, None)}
    ben = Asker(town.running, town.tokens["laptop"])
    assert await states(ben) == {"laptop": (True, False, None)}


async def test_a_device_is_renamed(anne: Asker) -> None:
    device = (await ids(anne))["witness"]
    answer = await anne.ask("PATCH", f"/v1/self/devices/{device}", {"name": "Küche"})
    assert answer == (200, {"device": device, "name": "Küche"})
    assert "Küche" in await states(anne)
    status, _ = await anne.ask("PATCH", f"/v1/self/devices/{device}", {"name": "a\nb"})
    assert status == 400


async def test_a_device_is_revoked_and_its_socket_closes(town: Town, anne: Asker) -> None:
    witness = await town.live("witness")
    device = (await ids(anne))["witness"]
    for _ in range(2):
        answer = await anne.ask("DELETE", f"/v1/self/devices/{device}")
        assert answer == (200, {"device": device, "revoked": True})
    await witness.hears_goodbye(DEVICE_REVOKED)
    assert (await states(anne))["witness"] == (False, True, None)
    assert (await Asker(town.running, town.tokens["witness"]).ask("GET", "/v1/self/devices"))[
        0
    ] == 401
    await town.close()


async def test_the_device_that_asks_may_be_revoked_too(town: Town, anne: Asker) -> None:
    device = (await ids(anne))["phone"]
    assert (await anne.ask("DELETE", f"/v1/self/devices/{device}"))[0] == 200
    assert (await anne.ask("GET", "/v1/self/devices"))[0] == 401


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_devices_of_others_look_like_none(town: Town, anne: Asker, method: str) -> None:
    ben = Asker(town.running, town.tokens["laptop"])
    foreign = (await ids(ben))["laptop"]
    body = {"name": "mine"} if method == "PATCH" else None
    of_others = await anne.ask(method, f"/v1/self/devices/{foreign}", body)
    unknown = await anne.ask(method, f"/v1/self/devices/{'0' * 24}", body)
    nonsense = await anne.ask(method, "/v1/self/devices/nonsense", body)
    assert of_others == unknown == nonsense
    assert of_others[0] == 404
    assert await states(ben) == {"laptop": (True, False, None)}


async def test_logging_out_ends_this_device(town: Town, anne: Asker) -> None:
    phone, witness = await town.live("phone"), await town.live("witness")
    device = (await ids(anne))["phone"]
    assert await anne.post("/v1/self/logout") == (200, {"signed_out": [device]})
    await phone.hears_goodbye(SIGNED_OUT)
    assert (await anne.ask("GET", "/v1/self/devices"))[0] == 401
    late = await town.socket()
    await late.say(Hello(town.tokens["phone"], instance(7), None, False, limits.WINDOW_BYTES_MIN))
    await late.hears_goodbye(SIGNED_OUT)
    other = Asker(town.running, town.tokens["witness"])
    assert (await states(other))["phone"] == (False, False, "signed_out")
    assert witness.socket.close_code is None
    await town.close()


async def test_logging_out_everywhere(town: Town, anne: Asker) -> None:
    phone, witness = await town.live("phone"), await town.live("witness")
    laptop = await town.live("laptop")
    both = sorted((await ids(anne)).values())
    status, ended = await anne.post("/v1/self/logout", everywhere=True)
    assert (status, sorted(ended["signed_out"])) == (200, both)
    await phone.hears_goodbye(SIGNED_OUT)
    await witness.hears_goodbye(SIGNED_OUT)
    assert laptop.socket.close_code is None
    await town.close()


async def test_logging_out_everywhere_else(town: Town, anne: Asker) -> None:
    phone, witness = await town.live("phone"), await town.live("witness")
    await anne.post("/v1/self/logout", everywhere=True, keep_this=True)
    await witness.hears_goodbye(SIGNED_OUT)
    assert phone.socket.close_code is None
    assert (await states(anne))["witness"] == (False, False, "signed_out")
    status, _ = await anne.post("/v1/self/logout", keep_this=True)
    assert status == 400
    await town.close()


async def test_who_was_signed_out_comes_back_as_the_same_device(town: Town, anne: Asker) -> None:
    first = await let_in(anne, "PC1")
    pc = Asker(town.running, first["token"])
    assert (await pc.post("/v1/self/logout"))[0] == 200
    again = await let_in(anne, "PC1", device={"id": first["device"], "secret": first["secret"]})
    assert (again["device"], again["new_device"]) == (first["device"], False)
    assert (await states(anne))["PC1"] == (False, False, None)


async def test_nobody_looks_without_a_token(town: Town) -> None:
    for method, path in (
        ("GET", "/v1/self/devices"),
        ("PATCH", f"/v1/self/devices/{'0' * 24}"),
        ("DELETE", f"/v1/self/devices/{'0' * 24}"),
        ("POST", "/v1/self/logout"),
    ):
        assert (await Asker(town.running).ask(method, path, {}))[0] == 401
