"""Logging in: what is said, what is stored, and that a lost answer costs nothing but a code.

Here the other side is scripted; with the real one: tests/acceptance/test_sdk_login.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from syncd.client import (
    ClientStore,
    LoggedIn,
    LoginRefused,
    MemoryStore,
    Newcomer,
    OtherAccount,
    Prompt,
    SqliteStore,
    StoreInUse,
    StoreMismatch,
    StoreUnusable,
    approve,
    bring_union,
    connect,
    decline,
    log_in,
    log_in_by_qr,
    scan,
)
from syncd.client.store import Credentials
from tests.client.desk import DEVICE, OTHER_DEVICE, Desk, answer, desk, refusal

SHOWN = {"name": "PC1", "platform": "pc"}
PROVEN = SHOWN | {"device": {"id": DEVICE, "secret": "ss_secret"}}
STORES: list[Callable[[Path], ClientStore]] = [lambda _: MemoryStore(), SqliteStore]


@pytest.fixture(name="store", params=STORES, ids=["memory", "sqlite"])
def a_store(request: pytest.FixtureRequest, tmp_path: Path) -> ClientStore:
    made: ClientStore = request.param(tmp_path / "store.db")
    return made


async def kept(store: ClientStore) -> Credentials:
    await store.open()
    try:
        return await store.call(lambda shelf: shelf.credentials())
    finally:
        await store.close()


async def by_code(there: Desk, store: Any, code: str = "a code") -> LoggedIn:
    return await log_in(there.url, store=store, app="phone", code=code, **SHOWN)


async def test_the_first_login_makes_a_device(store: ClientStore) -> None:
    async with desk(answer()) as there:
        assert await by_code(there, store) == LoggedIn("alice", DEVICE, "created", True)
    given = SHOWN | {"app": "phone", "code": "a code"}
    assert there.asked == [("/v1/login", given, None)]
    assert await kept(store) == Credentials(there.url, "alice", DEVICE, "sd_token", "ss_secret")


async def test_the_next_one_proves_it(store: ClientStore) -> None:
    again = answer(token="sd_newer", secret=None, new_device=False, case="returned")
    async with desk(answer(), again) as there:
        await by_code(there, store)
        done = await log_in(there.url, store=store, jwt="a.b.c", **SHOWN)
    assert (done.case, done.new_device, done.merged) == ("returned", False, None)
    assert there.asked[1] == ("/v1/login", PROVEN | {"jwt": "a.b.c"}, None)
    assert await kept(store) == Credentials(there.url, "alice", DEVICE, "sd_newer", "ss_secret")


async def test_a_guest_that_turns_out_to_be_somebody_keeps_its_store(store: ClientStore) -> None:
    merged = answer(account="home", secret=None, new_device=False, case="merged")
    async with desk(answer(), merged) as there:
        await by_code(there, store)
        assert (await by_code(there, store)).merged == "alice"
    assert (await kept(store)).account == "alice", "until reset{merged} comes, with the log's place"


@pytest.mark.parametrize("whose", [{"account": "bob"}, {}])
async def test_another_device_is_never_written_into_the_store(
    store: ClientStore, whose: dict[str, str]
) -> None:
    async with desk(answer(), answer(device=OTHER_DEVICE, token="sd_other", **whose)) as there:
        await by_code(there, store)
        before = await kept(store)
        with pytest.raises(OtherAccount, match=OTHER_DEVICE):
            await by_code(there, store)
    assert await kept(store) == before


async def test_a_refusal_changes_nothing_and_a_new_code_ends_well(store: ClientStore) -> None:
    lost = web.Response(body=b"{")
    async with desk(refusal(401, "invalid_code"), lost, answer()) as there:
        for code in ("wrong", "lost"):
            with pytest.raises(LoginRefused):
                await by_code(there, store, code)
            assert await kept(store) == Credentials("", None, None, None, None)
        await by_code(there, store, "new")


async def test_a_store_of_another_server_asks_nobody(store: ClientStore) -> None:
    async with desk(answer()) as there, desk() as elsewhere:
        await by_code(there, store)
        with pytest.raises(StoreMismatch):
            await by_code(elsewhere, store)


async def test_a_device_that_nothing_proves_needs_a_new_store(store: ClientStore) -> None:
    async with desk(answer(secret=None)) as there:
        await by_code(there, store)
        with pytest.raises(StoreUnusable, match="new store"):
            await by_code(there, store)


@pytest.mark.parametrize("proof", [{}, {"app": "phone"}, {"code": "c"}, {"code": "c", "jwt": "j"}])
async def test_a_proof_is_one_of_two(store: ClientStore, proof: dict[str, str]) -> None:
    async with desk() as there:
        with pytest.raises(ValueError, match="by app and code, or by jwt"):
            await log_in(there.url, store=store, **SHOWN, **proof)


async def test_a_running_device_lends_its_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    again = answer(token="sd_newer", secret=None)
    async with desk(answer(), again) as there:
        await by_code(there, path)
        async with connect(there.url, store=path) as device:
            assert (device.account, device.device_id) == ("alice", DEVICE)
            with pytest.raises(StoreInUse):
                await by_code(there, path)
            await by_code(there, device)
        assert (await kept(SqliteStore(path))).token == "sd_newer"


async def test_the_union_is_brought_by_who_is_logged_in(store: ClientStore) -> None:
    async with desk(answer(), answer(token="sd_newer", secret=None, case="upgraded")) as there:
        with pytest.raises(ValueError, match="log in first"):
            await bring_union(there.url, store, encrypted_data="e", iv="i")
        await by_code(there, store)
        done = await bring_union(there.url, store, encrypted_data="e", iv="i", raw_data="r")
    assert done.case == "upgraded"
    given = {"encrypted_data": "e", "iv": "i", "raw_data": "r", "signature": None}
    assert there.asked[1] == ("/v1/login/unionid", given, "Bearer sd_token")
    assert (await kept(store)).token == "sd_newer"


# ---------------------------------------------------------------- by QR

BEGUN = {
    "device_code": "sp_code",
    "user_code": "BCDF-GHJK",
    "matching_code": "47",
    "verification_uri_complete": "http://host/pair#BCDF-GHJK",
    "qr": "<svg/>",
    "expires_in": 300,
    "interval": 0,
}


def pending() -> web.Response:
    return refusal(400, "authorization_pending")


async def by_qr(there: Desk, store: Any, shown: list[Prompt]) -> LoggedIn:
    return await log_in_by_qr(there.url, store=store, show=shown.append, **SHOWN)


async def test_a_new_device_shows_a_code_and_waits(store: ClientStore) -> None:
    shown: list[Prompt] = []
    vouched = answer(case="vouched")
    async with desk(BEGUN, pending(), refusal(503, "busy"), pending(), vouched) as there:
        assert (await by_qr(there, store, shown)).case == "vouched"
    address = BEGUN["verification_uri_complete"]
    assert shown == [Prompt(address, "BCDF-GHJK", "47", "<svg/>", 300)]
    assert there.asked[0] == ("/v1/pairing", SHOWN, None)
    assert there.asked[1:] == [("/v1/pairing/token", {"device_code": "sp_code"}, None)] * 4
    assert (await kept(store)).token == "sd_token"


async def test_who_is_told_to_slow_down_does(
    store: ClientStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.client.login._SLOWER_S", 0)
    async with desk(BEGUN, refusal(429, "slow_down"), answer(case="vouched")) as there:
        assert (await by_qr(there, store, [])).account == "alice"


async def test_a_device_of_before_stays_itself(store: ClientStore) -> None:
    again = answer(secret=None, new_device=False, case="vouched")
    async with desk(answer(), BEGUN, again) as there:
        await by_code(there, store)
        assert not (await by_qr(there, store, [])).new_device
    assert there.asked[1] == ("/v1/pairing", PROVEN, None)


@pytest.mark.parametrize("name", ["access_denied", "expired_token"])
async def test_a_no_or_none_ends_it(store: ClientStore, name: str) -> None:
    async with desk(BEGUN, refusal(400, name)) as there:
        with pytest.raises(LoginRefused, match=name):
            await by_qr(there, store, [])
    assert await kept(store) == Credentials("", None, None, None, None)


async def test_it_does_not_wait_for_ever(store: ClientStore) -> None:
    async with desk(BEGUN | {"expires_in": 0}, pending()) as there:
        with pytest.raises(LoginRefused, match="authorization_pending"):
            await by_qr(there, store, [])


async def test_who_is_signed_in_sees_compares_and_decides(store: ClientStore) -> None:
    newcomer = {"name": "PC2", "platform": "pc", "place": "192.0.2.1", "matching_code": "47"}
    done = {"confirmed": True}
    async with desk(answer(), newcomer, done, done, refusal(409, "already_scanned")) as there:
        await by_code(there, store)
        assert await scan(there.url, store, "BCDF-GHJK") == Newcomer("PC2", "pc", "192.0.2.1", "47")
        await approve(there.url, store, "BCDF-GHJK")
        await decline(there.url, store, "BCDF-GHJK")
        with pytest.raises(LoginRefused, match="already_scanned"):
            await scan(there.url, store, "BCDF-GHJK")
    paths = ["/v1/login", *(f"/v1/pairing/{each}" for each in ("scan", "confirm", "decline"))]
    assert [path for path, _, _ in there.asked[:4]] == paths
    assert there.asked[2][1:] == ({"user_code": "BCDF-GHJK"}, "Bearer sd_token")
