"""Logging in with the SDK, against the real server and a platform, all on sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from syncd import errors, limits
from syncd.client import (
    Device,
    DeviceAdded,
    LoggedIn,
    LoginRefused,
    Merge,
    OtherAccount,
    Prompt,
    SignedOut,
    SqliteStore,
    Stopped,
    View,
    approve,
    bring_union,
    connect,
    decline,
    log_in,
    log_in_by_qr,
    read_notice,
    scan,
)
from syncd.identity.settings import LoginSettings
from syncd.model import Kind, direct
from syncd.server.app import SERVICE, application
from syncd.wire.frames import Reset
from tests.client.peer import serving, soon, until
from tests.identity.reception import APPS, PHONE, Desk
from tests.identity.test_login import user_info
from tests.server.lobby import over_http


@dataclass
class House:
    """The service, the platform that it asks, and a folder for the stores of people's devices."""

    url: str
    platform: Desk
    folder: Path
    codes: list[str] = field(default_factory=list)

    async def log_in(self, name: str, openid: str, unionid: str | None = None) -> LoggedIn:
        """Somebody logs in on the device of this name, by a new code."""
        code = self.platform.code(PHONE, openid, unionid).code
        self.codes.append(code)
        return await self.by_code(name, code)

    async def by_code(self, name: str, code: str) -> LoggedIn:
        shown = {"name": name, "platform": "phone"}
        return await soon(log_in(self.url, store=self.store(name), app="phone", code=code, **shown))

    def store(self, name: str) -> Path:
        return self.folder / f"{name}.db"


@pytest.fixture(name="house")
async def a_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(limits, "PAIRING_INTERVAL_S", 0)
    platform = Desk()
    async with TestServer(over_http(platform)) as upstream:
        app = application(store="memory:", login=LoginSettings(str(upstream.make_url("/")), APPS))
        async with serving(app) as url:
            yield House(url, platform, tmp_path)
            await app[SERVICE].drain()


async def to_the_end(device: Device) -> None:
    """All that comes, until the device is stopped."""
    while True:
        await soon(anext(device))


async def seen(device: Device) -> View:
    """All that the device holds, once it holds everything."""
    await soon(device.caught_up())
    assert device.account is not None
    view = View(device.account, device.aliases)
    async for item in device.history():
        view.apply(*item)
    return view


async def test_a_person_logs_in_by_code_and_on_a_pc_by_qr(house: House) -> None:
    """The phone scans, compares and says yes; then both sync, and the phone was told of it."""
    mine = await house.log_in("phone", "alice-phone")
    assert (mine.case, mine.new_device, mine.merged) == ("created", True, None)
    shown: asyncio.Queue[Prompt] = asyncio.Queue()
    phone_store, pc_store = house.store("phone"), house.store("pc")
    async with connect(house.url, store=phone_store) as phone:
        pc_login = asyncio.create_task(
            log_in_by_qr(
                house.url, store=pc_store, name="PC1", platform="pc", show=shown.put_nowait
            )
        )
        prompt = await soon(shown.get())
        newcomer = await scan(house.url, phone, prompt.user_code)
        assert (newcomer.name, newcomer.matching_code) == ("PC1", prompt.matching_code)
        await approve(house.url, phone, prompt.user_code)
        done = await soon(pc_login)
        assert (done.account, done.case, done.new_device) == (mine.account, "vouched", True)
        async with connect(house.url, store=pc_store) as pc:
            await soon(pc.send_to(mine.account, b"from the PC"))
            notice, message = [(await soon(anext(phone))).entry for _ in range(2)]
            assert read_notice(notice.body) == DeviceAdded(done.device, "PC1", "pc")
            assert message.body == b"from the PC"
            assert await seen(pc) == await seen(phone)


async def test_a_no_on_the_phone_ends_it(house: House) -> None:
    await house.log_in("phone", "alice-phone")
    shown: asyncio.Queue[Prompt] = asyncio.Queue()
    login = asyncio.create_task(
        log_in_by_qr(
            house.url,
            store=house.store("pc"),
            name="PC1",
            platform="pc",
            show=shown.put_nowait,
        )
    )
    code = (await soon(shown.get())).user_code
    phone = house.store("phone")
    await scan(house.url, phone, code)
    await decline(house.url, phone, code)
    with pytest.raises(LoginRefused, match="access_denied"):
        await soon(login)


async def test_another_login_ends_the_token_and_the_device_goes_on(house: House) -> None:
    first = await house.log_in("phone", "alice-phone")
    store = SqliteStore(house.store("phone"))
    async with connect(house.url, store=store) as phone:
        await soon(phone.caught_up())
        code = house.platform.code(PHONE, "alice-phone").code
        again = await log_in(
            house.url, store=phone, app="phone", code=code, name="phone", platform="phone"
        )
        assert (again.device, again.case, again.new_device) == (first.device, "returned", False)
        with pytest.raises(Stopped) as stopped:
            await soon(anext(phone))
        assert stopped.value.refusal is errors.TOKEN_ROTATED
    async with connect(house.url, store=house.store("phone")) as phone:
        await soon(phone.caught_up())


async def test_somebody_elses_login_is_not_stored(house: House) -> None:
    mine = await house.log_in("phone", "alice-phone")
    with pytest.raises(OtherAccount, match=mine.account):
        await house.log_in("phone", "bob-phone")
    async with connect(house.url, store=house.store("phone")) as phone:
        await soon(phone.caught_up())
        assert phone.account == mine.account


async def test_a_code_that_was_used_twice_signs_out_and_a_new_one_goes_on(house: House) -> None:
    mine = await house.log_in("phone", "alice-phone")
    async with connect(house.url, store=house.store("phone")) as phone:
        await soon(phone.caught_up())
        await phone.send_to(mine.account, b"before")
        with pytest.raises(LoginRefused, match="code_used"):
            await house.by_code("thief", house.codes[0])
        with pytest.raises(SignedOut) as out:
            await to_the_end(phone)
        assert not out.value.merged
        with pytest.raises(SignedOut):
            await phone.send_to(mine.account, b"while nobody is logged in")
    again = await house.log_in("phone", "alice-phone")
    assert (again.device, again.new_device) == (mine.device, False)
    async with connect(house.url, store=house.store("phone")) as phone:
        assert len((await seen(phone)).messages(direct(mine.account, mine.account))) == 1


async def test_a_union_that_comes_by_consent_merges_as_well(house: House) -> None:
    """The app runs meanwhile: it lends its store, is stopped, and connects again."""
    home = await house.log_in("pc", "home-on-the-phone", "unionid-home")
    guest = await house.log_in("phone", "guest-phone")
    info = user_info(time.time(), "guest-phone", unionId="unionid-home")
    async with connect(house.url, store=house.store("phone")) as phone:
        await phone.send_to(guest.account, b"a note")
        done = await bring_union(house.url, phone, encrypted_data=info.encrypted_data, iv=info.iv)
        assert (done.account, done.device) == (home.account, guest.device)
        assert (done.case, done.merged) == ("merged", guest.account)
        with pytest.raises(Stopped) as stopped:
            await to_the_end(phone)
        assert stopped.value.refusal is errors.TOKEN_ROTATED
    async with connect(house.url, store=house.store("phone")) as phone:
        notes = (await seen(phone)).messages(direct(guest.account, guest.account))
        assert [(each.account, each.body) for each in notes] == [(home.account, b"a note")]
        assert phone.account == home.account


async def test_a_guest_that_turns_out_to_be_somebody_goes_on_with_its_store(house: House) -> None:
    """Home has a PC, and the guest a phone and a tablet; both talked to bob, and the phone then
    proves to be home's."""
    home = await house.log_in("pc", "home-on-the-phone", "unionid-home")
    guest = await house.log_in("phone", "guest-phone")
    assert (await house.log_in("tablet", "guest-phone")).account == guest.account
    bob = await house.log_in("bob", "bob-phone")
    pc_store, phone_store = house.store("pc"), house.store("phone")
    async with (
        connect(house.url, store=house.store("bob")) as bobs,
        connect(house.url, store=pc_store) as pc,
        connect(house.url, store=house.store("tablet")) as tablet,
    ):
        await bobs.send_to(home.account, b"to home")
        await bobs.send_to(guest.account, b"to the guest")
        async with connect(house.url, store=phone_store) as phone:
            await soon(phone.send_to(bob.account, b"from the guest"))
            await soon(phone.caught_up())
        async with connect(house.url, store=phone_store) as phone:
            await phone.enqueue(direct(guest.account, bob.account), b"not sent yet")
        merged = await house.log_in("phone", "guest-phone", "unionid-home")
        assert (merged.account, merged.case, merged.merged) == (
            home.account,
            "merged",
            guest.account,
        )
        assert merged.device == guest.device
        with pytest.raises(SignedOut) as out:
            await to_the_end(tablet)
        assert out.value.merged
        async with connect(house.url, store=phone_store) as phone:
            shown = await seen(phone)
            assert isinstance(phone.verdict, Reset)
            assert (phone.verdict.reason, phone.account) == ("merged", home.account)
            assert phone.aliases == (guest.account,)
            await until(lambda: _is_empty(phone))
            shown, pcs = await seen(phone), await seen(pc)
            assert shown == pcs
            assert shown.unread_counts() == {
                direct(home.account, bob.account): 1,
                direct(guest.account, bob.account): 1,
            }
            said = shown.messages(direct(guest.account, bob.account))
            assert [(each.account, each.body) for each in said] == [
                (bob.account, b"to the guest"),
                (home.account, b"from the guest"),
                (home.account, b"not sent yet"),
            ]
            assert not await phone.old()
            await bobs.send_to(guest.account, b"to an alias")
            await soon(phone.caught_up())
            # What both said, and that the guest had got a tablet.
            assert [notice.entries async for notice in _merges(phone)] == [3]
    back = await house.log_in("tablet", "guest-phone")
    assert (back.account, back.merged, back.new_device) == (home.account, guest.account, False)
    async with connect(house.url, store=house.store("tablet")) as tablet:
        view = await seen(tablet)
        assert tablet.account == home.account
        assert view.unread_counts()[direct(guest.account, bob.account)] == 2


async def _is_empty(device: Device) -> bool:
    return not await device.pending()


async def _merges(device: Device) -> AsyncIterator[Merge]:
    async for item in device.history():
        if item.entry.kind == Kind.SYSTEM and not item.entry.account:
            notice = read_notice(item.entry.body or b"")
            if isinstance(notice, Merge):
                yield notice
