"""Devices: made by the server, known by a hash, ended for ever."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from syncd import errors
from syncd.errors import Refusal
from syncd.identity.devices import Admission, Credential, Devices, facts
from syncd.identity.words import Declined
from syncd.model import AccountId, DeviceId, OpeningRequest, VerdictNote, Work
from syncd.persons import Standing
from syncd.storage import Storage
from syncd.storage.address import open_storage


async def test_a_new_device_is_admitted_by_its_token(storage: Storage) -> None:
    devices = Devices(storage)
    credential = await devices.create("alice", name="PC1", platform="pc")
    assert re.fullmatch(r"[0-9a-f]{24}", credential.device)
    assert re.fullmatch(r"sd_[A-Za-z0-9_-]{43}", credential.token)
    admission = await devices.authenticate(credential.token)
    assert admission == Admission("alice", credential.device, 1)


async def test_the_second_device_of_an_account_is_another_one(storage: Storage) -> None:
    devices = Devices(storage)
    one = await devices.create("alice", name="PC", platform="pc")
    other = await devices.create("alice", name="PC", platform="pc")
    assert one.device != other.device
    assert one.token != other.token
    assert [each.device for each in await devices.listed("alice")] == [one.device, other.device]


async def test_nobody_gets_a_token_of_an_account_that_is_gone(storage: Storage) -> None:
    devices = Devices(storage)
    made = await devices.create("alice", name="PC1", platform="pc")
    await storage.people.stand(AccountId("alice"), Standing.GONE)
    for refused in (
        devices.create("alice", name="PC2", platform="pc"),
        devices.rotate("alice", made.device),
    ):
        with pytest.raises(Declined) as declined:
            await refused
        assert declined.value.refusal is errors.ACCOUNT_GONE
    assert await devices.authenticate(made.token) is errors.SIGNED_OUT


async def test_chance_comes_from_the_source_that_was_given(storage: Storage) -> None:
    drawn: list[int] = []

    def draw(size: int) -> bytes:
        drawn.append(size)
        return bytes(size)

    credential = await Devices(storage, draw=draw).create("alice", name="PC1", platform="pc")
    assert credential == Credential(DeviceId("0" * 24), "sd_" + "A" * 43)
    assert drawn == [12, 32]


@pytest.mark.parametrize(
    "token", ["", "sd_", "sd_" + "A" * 43, "sk_" + "A" * 43, "sd_" + "é" * 43, "x" * 5000, "' or 1"]
)
async def test_every_wrong_token_looks_alike(storage: Storage, token: str) -> None:
    assert await Devices(storage).authenticate(token) is errors.NOT_AUTHENTICATED


async def test_rotation_ends_the_old_token_and_its_sessions(storage: Storage) -> None:
    ended: list[tuple[DeviceId, Refusal]] = []
    devices = Devices(storage, ended=lambda *what: ended.append(what))
    old = await devices.create("alice", name="PC1", platform="pc")
    new = await devices.rotate("alice", old.device)
    assert new.device == old.device
    assert ended == [(old.device, errors.TOKEN_ROTATED)]
    assert await devices.authenticate(old.token) is errors.NOT_AUTHENTICATED
    assert await devices.authenticate(new.token) == Admission("alice", old.device, 2)


async def test_revocation_is_for_ever(storage: Storage) -> None:
    ended: list[tuple[DeviceId, Refusal]] = []
    devices = Devices(storage, ended=lambda *what: ended.append(what))
    credential = await devices.create("alice", name="PC1", platform="pc")
    for _ in range(2):
        assert (await devices.revoke(credential.device)).revoked
    assert ended == [(credential.device, errors.DEVICE_REVOKED)] * 2
    assert await devices.authenticate(credential.token) is errors.DEVICE_REVOKED
    with pytest.raises(Declined, match="for ever"):
        await devices.rotate("alice", credential.device)
    opening = OpeningRequest("alice", credential.device, None, instance="0" * 16, stated=None)
    done = await storage.commit(Work(openings=(opening,)))
    assert done.openings == (errors.DEVICE_REVOKED,)


async def test_a_token_of_a_device_that_is_signed_out_is_told_so(storage: Storage) -> None:
    devices = Devices(storage)
    made = await devices.create("alice", name="PC1", platform="pc")
    assert await storage.people.sign_out(AccountId("alice"), None) == (made.device,)
    assert await devices.authenticate(made.token) is errors.SIGNED_OUT
    [device] = await devices.listed("alice")
    assert facts(device)["signed_out"] == "signed_out"
    renewed = await devices.rotate("alice", made.device)
    assert isinstance(await devices.authenticate(renewed.token), Admission)
    await devices.revoke(made.device)
    assert await devices.authenticate(renewed.token) is errors.DEVICE_REVOKED


async def test_a_device_of_another_account_cannot_be_told_from_none(storage: Storage) -> None:
    devices = Devices(storage)
    await devices.create("alice", name="PC1", platform="pc")
    foreign = await devices.create("bob", name="PC1", platform="pc")
    texts = set()
    for device in (foreign.device, "0" * 24):
        with pytest.raises(Declined) as declined:
            await devices.rotate("alice", device)
        assert declined.value.refusal is errors.NOT_FOUND
        texts.add(str(declined.value))
    assert len(texts) == 1
    assert await devices.authenticate(foreign.token) == Admission("bob", foreign.device, 1)


async def test_unknown_devices_and_accounts_are_declined(storage: Storage) -> None:
    devices = Devices(storage)
    with pytest.raises(Declined) as declined:
        await devices.revoke("0" * 24)
    assert declined.value.refusal is errors.NOT_FOUND
    with pytest.raises(Declined) as declined:
        await devices.listed("nobody")
    assert declined.value.refusal is errors.NO_SUCH_ACCOUNT


async def test_nothing_is_made_of_bad_words(storage: Storage) -> None:
    devices = Devices(storage)
    for account, name, platform in (("a b", "PC", "pc"), ("a", "P\nC", "pc"), ("a", "PC", "")):
        with pytest.raises(Declined):
            await devices.create(account, name=name, platform=platform)
    assert await storage.heads(["a"]) == {}


async def test_an_account_without_devices_has_none(storage: Storage) -> None:
    await storage.create_account("alice")
    assert await Devices(storage).listed("alice") == []


async def test_facts_are_what_an_operator_may_see(storage: Storage) -> None:
    devices = Devices(storage)
    credential = await devices.create("alice", name="PC1", platform="pc")
    [device] = await devices.listed("alice")
    shown = facts(device)
    assert shown["name"] == "PC1"
    assert (shown["cursor"], shown["head"], shown["sent"], shown["revoked"]) == (0, 0, 0, False)
    assert credential.token not in str(shown)


async def test_facts_show_the_lag_and_the_last_verdict(storage: Storage) -> None:
    devices = Devices(storage)
    made = await devices.create("alice", name="PC1", platform="pc")
    [device] = await devices.listed("alice")
    shown = facts(replace(device, head=7, cursor=4))
    assert (shown["lag"], shown["verdict"]) == (3, None)
    await storage.commit(Work(notes=(VerdictNote(made.device, 0, "welcome"),)))
    [device] = await devices.listed("alice")
    assert facts(device)["verdict"] == "welcome"


def test_a_credential_does_not_show_its_token() -> None:
    assert "secret" not in repr(Credential(DeviceId("0" * 24), "sd_secret"))


async def test_the_store_never_holds_a_token(tmp_path: Path) -> None:
    storage = await open_storage(str(tmp_path / "store"))
    credential = await Devices(storage).create("alice", name="PC1", platform="pc")
    await storage.close()
    for file in (tmp_path / "store").iterdir():
        assert credential.token.encode() not in file.read_bytes()
        assert credential.token[3:].encode() not in file.read_bytes()
