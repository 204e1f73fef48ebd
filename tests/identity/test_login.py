"""Logins: who somebody is, which device it is, and what the rest of the service is told."""

import asyncio
import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from syncd.identity.devices import Admission
from syncd.identity.issuers import Assertion, Issuer
from syncd.identity.login import Installation, LoggedIn, installation
from syncd.identity.sealing import Sealing
from syncd.identity.user_info import UserInfo
from syncd.identity.words import Declined
from syncd.model import AccountId, DeviceId
from syncd.persons import Case, Standing, Subject, Vouch
from syncd.storage import Storage
from syncd.storage.address import MEMORY, open_storage
from tests.identity.reception import KEY, LOOSE, PHONE, SITE, Reception

RSA = RSAKey.generate_key(2048, {"kid": "r1"}, auto_kid=False)
ISSUER = Issuer(
    "https://id.example",
    "syncd",
    ("RS256",),
    keys=json.dumps(KeySet([RSA]).as_dict(private=False)).encode(),
)
PC = installation("PC1", "pc")


def assertion(reception: Reception, name: str) -> Assertion:
    now = int(reception.now)
    claims = {"iss": ISSUER.url, "aud": "syncd", "sub": name, "iat": now, "exp": now + 60}
    return Assertion(jwt.encode({"alg": "RS256", "kid": "r1"}, claims, RSA))


def user_info(now: float, openid: str, **inside: Any) -> UserInfo:
    """What the platform would give a client of the phone's app."""
    watermark = {"appid": PHONE.appid, "timestamp": now}
    plain = json.dumps({"openId": openid, "watermark": watermark} | inside).encode()
    count = 16 - len(plain) % 16
    iv = bytes(range(16))
    cipher = Cipher(AES(b64decode(KEY)), CBC(iv)).encryptor()
    encrypted = cipher.update(plain + bytes([count]) * count) + cipher.finalize()
    return UserInfo(b64encode(encrypted).decode(), b64encode(iv).decode())


async def admission(reception: Reception, done: LoggedIn) -> Admission:
    found = await reception.admitted(done)
    assert isinstance(found, Admission)
    return found


async def refusal(doing: Any) -> str:
    with pytest.raises(Declined) as declined:
        await doing
    return declined.value.refusal.name


# ------------------------------------------------------------ persons and devices


async def test_a_new_person_on_a_new_device(storage: Storage) -> None:
    reception = Reception(storage)
    done = await reception.by(PHONE, "o-alice")
    assert re.fullmatch(r"p[0-9a-f]{32}", done.account)
    assert re.fullmatch(r"[0-9a-f]{24}", done.device)
    assert re.fullmatch(r"sd_[A-Za-z0-9_-]{43}", done.token)
    assert re.fullmatch(r"ss_[A-Za-z0-9_-]{43}", done.secret or "")
    assert (done.new_device, done.case) == (True, Case.CREATED)
    assert (await admission(reception, done)).account == done.account
    assert done.token not in repr(done)


async def test_a_device_that_proves_itself_keeps_its_id_and_gets_a_new_token(
    storage: Storage,
) -> None:
    reception = Reception(storage)
    first = await reception.by(PHONE, "o-alice")
    again = await reception.by(PHONE, "o-alice", again=first)
    assert (again.account, again.device) == (first.account, first.device)
    assert (again.new_device, again.secret, again.case) == (False, None, Case.RETURNED)
    # No fixation: what was given before this login opens nothing after it.
    assert await reception.admitted(first) == "not_authenticated"
    assert reception.ended == [(first.device, "token_rotated")]
    await admission(reception, again)


async def test_without_the_secret_it_is_a_new_device(storage: Storage) -> None:
    reception = Reception(storage)
    first = await reception.by(PHONE, "o-alice")
    for secret in ("ss_" + "A" * 43, None):
        shown = replace(first, secret=secret) if secret else None
        other = await reception.by(PHONE, "o-alice", again=shown)
        assert other.device != first.device
        assert other.account == first.account
    await admission(reception, first)
    assert reception.ended == []
    assert set(reception.woken) == {first.account}


async def test_a_device_of_which_an_older_store_never_heard_gets_its_id_again(
    storage: Storage,
) -> None:
    reception = Reception(storage)
    await reception.by(PHONE, "o-alice")
    lost = LoggedIn(AccountId("x"), DeviceId("f" * 24), "", "ss_" + "F" * 43, True, Case.CREATED)
    again = await reception.by(PHONE, "o-alice", again=lost)
    assert (again.device, again.secret, again.new_device) == (lost.device, None, False)
    # From then on it is known, by that secret and no other.
    assert (await reception.by(PHONE, "o-alice", again=lost)).device == lost.device
    other = await reception.by(PHONE, "o-alice", again=replace(lost, secret="ss_" + "G" * 43))
    assert other.device != lost.device


async def test_anothers_device_is_not_taken_over(storage: Storage) -> None:
    reception = Reception(storage)
    alices = await reception.by(PHONE, "o-alice")
    bobs = await reception.by(PHONE, "o-bob", again=alices)
    assert bobs.device != alices.device
    assert bobs.account != alices.account
    await admission(reception, alices)


async def test_what_cannot_be_a_device_is_refused_before_the_code_is_used(
    storage: Storage,
) -> None:
    reception = Reception(storage)
    for device, secret in (("d" * 24, "sd_" + "A" * 43), ("d" * 24, ""), ("x", "ss_" + "A" * 43)):
        with pytest.raises(Declined):
            installation("PC1", "pc", device, secret)
    for name, platform in (("", "pc"), ("PC1\n", "pc"), ("PC1", ""), ("PC1", "p" * 33)):
        with pytest.raises(Declined):
            installation(name, platform)
    assert reception.desk.asked == []


async def test_a_guest_that_turns_out_to_be_somebody(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(SITE, "o-alice-site", "o-union")
    guest = await reception.by(PHONE, "o-alice-phone")
    elsewhere = await reception.by(PHONE, "o-alice-phone")
    assert elsewhere.account == guest.account != alice.account
    merged = await reception.by(PHONE, "o-alice-phone", "o-union", again=guest)
    assert (merged.account, merged.device, merged.case) == (
        alice.account,
        guest.device,
        Case.MERGED,
    )
    assert await reception.admitted(elsewhere) == "signed_out_by_merge"
    assert await reception.admitted(guest) == "not_authenticated"
    assert (guest.device, "token_rotated") in reception.ended
    assert (elsewhere.device, "signed_out_by_merge") in reception.ended
    assert alice.account in reception.woken
    # It may log in again, and is then a device of the account.
    back = await reception.by(PHONE, "o-alice-phone", again=elsewhere)
    assert (back.account, back.device) == (alice.account, elsewhere.device)


async def test_many_at_once_are_one_person(storage: Storage) -> None:
    reception = Reception(storage)
    done = await asyncio.gather(*(reception.by(PHONE, "o-alice") for _ in range(8)))
    assert len({each.account for each in done}) == 1
    assert len({each.device for each in done}) == 8
    assert sorted(each.case.value for each in done) == ["created"] + ["returned"] * 7


async def test_two_of_the_guests_devices_prove_it_at_once(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(SITE, "o-alice-site", "o-union")
    guests = [await reception.by(PHONE, "o-alice-phone") for _ in range(2)]
    both = await asyncio.gather(
        *(reception.by(PHONE, "o-alice-phone", "o-union", again=each) for each in guests)
    )
    assert [each.device for each in both] == [each.device for each in guests]
    assert {each.account for each in both} == {alice.account}
    assert {each.case for each in both} == {Case.MERGED, Case.RETURNED}
    for each in both:
        await admission(reception, each)


async def test_an_app_that_is_bound_to_nothing_brings_no_union(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(SITE, "o-alice", "o-union")
    other = await reception.by(LOOSE, "o-other", "o-union")
    assert other.account != alice.account


async def test_who_is_gone_does_not_come_back(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(PHONE, "o-alice")
    await reception.accounts.stand(alice.account, Standing.GONE)
    assert await refusal(reception.by(PHONE, "o-alice")) == "account_gone"


async def test_a_revoked_device_stays_revoked(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(PHONE, "o-alice")
    await reception.devices.revoke(alice.device)
    assert await refusal(reception.by(PHONE, "o-alice", again=alice)) == "device_revoked"
    assert (await reception.by(PHONE, "o-alice")).device != alice.device


async def test_a_device_vouches_as_long_as_its_token_is_the_current_one(storage: Storage) -> None:
    reception = Reception(storage)
    phone = await reception.by(PHONE, "o-alice")
    shown = await admission(reception, phone)
    vouch = Vouch(phone.account, phone.device, shown.credential or 0)
    pc = await reception.login.vouched(vouch, PC)
    assert (pc.account, pc.case, pc.new_device) == (phone.account, Case.VOUCHED, True)
    await reception.by(PHONE, "o-alice", again=phone)
    assert await refusal(reception.login.vouched(vouch, PC)) == "unauthorized"


LOGINS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([0, 1, 2])), max_size=12)


@given(LOGINS)
@settings(max_examples=25, deadline=None)
async def test_another_phone_a_reinstall_and_a_new_session_change_nobodys_account(
    logins: list[tuple[str, int]],
) -> None:
    """The openid of a (person, app) is constant, and so is the account that it leads to."""
    storage = await open_storage(MEMORY)
    reception = Reception(storage)
    accounts: dict[str, str] = {}
    installed: dict[int, LoggedIn] = {}
    for person, phone in logins:
        # Phone 0 is new every time.
        done = await reception.by(PHONE, f"o-{person}", again=installed.get(phone))
        assert accounts.setdefault(person, done.account) == done.account
        if phone and done.secret is not None:
            installed[phone] = done
    assert len(set(accounts.values())) == len(accounts)
    await storage.close()


# ------------------------------------------------------------ issuers


async def test_a_signed_token_in_place_of_a_code(storage: Storage) -> None:
    reception = Reception(storage, (ISSUER,))
    first = await reception.login.log_in(assertion(reception, "alice"), PC)
    again = await reception.login.log_in(assertion(reception, "alice"), PC)
    other = await reception.login.log_in(assertion(reception, "bob"), PC)
    assert first.account == again.account != other.account
    assert await reception.people.find(Subject(ISSUER.url, "alice")) == first.account
    assert await refusal(reception.login.log_in(Assertion("a.b.c"), PC)) == "bad_proof"


# ------------------------------------------------------------ a union that comes later


async def test_a_union_that_comes_by_consent(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(SITE, "o-alice-site", "o-union")
    guest = await reception.by(PHONE, "o-alice-phone")
    caller = await admission(reception, guest)
    info = user_info(reception.now, "o-alice-phone", unionId="o-union")
    merged = await reception.login.bring_union(caller, info)
    assert (merged.account, merged.device, merged.case) == (
        alice.account,
        guest.device,
        Case.MERGED,
    )
    assert merged.secret is None
    assert await reception.admitted(guest) == "not_authenticated"
    [device] = [
        each for each in await storage.devices(merged.account) if each.device == guest.device
    ]
    assert (device.name, device.platform) == ("PC1", "pc")


async def test_a_user_info_is_of_the_session_that_shows_it(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await admission(reception, await reception.by(PHONE, "o-alice"))
    site = await admission(reception, await reception.by(SITE, "o-alice"))
    stranger = await reception.devices.create("bob", name="PC", platform="pc")
    bob = await reception.devices.authenticate(stranger.token)
    assert isinstance(bob, Admission)
    ours = user_info(reception.now, "o-alice", unionId="o-union")
    for caller, info in (
        (alice, user_info(reception.now, "o-mallory", unionId="o-union")),
        (alice, replace(ours, iv="")),
        (site, ours),
        (bob, ours),
        (replace(alice, device=DeviceId("0" * 24)), ours),
    ):
        assert await refusal(reception.login.bring_union(caller, info)) == "bad_proof"
    assert (await reception.login.bring_union(alice, ours)).case is Case.UPGRADED


async def test_a_session_that_was_renewed_meanwhile_brings_nothing(storage: Storage) -> None:
    reception = Reception(storage)
    first = await reception.by(PHONE, "o-alice")
    stale = await admission(reception, first)
    await reception.by(PHONE, "o-alice", again=first)
    info = user_info(reception.now, "o-alice", unionId="o-union")
    assert await refusal(reception.login.bring_union(stale, info)) == "unauthorized"
    assert len(await storage.devices(first.account)) == 1


async def test_a_subject_that_was_taken_off_brings_nothing(storage: Storage) -> None:
    reception = Reception(storage)
    phone = await reception.by(PHONE, "o-alice")
    caller = await admission(reception, phone)
    mine, site = reception.desk.code(PHONE, "o-alice"), reception.desk.code(SITE, "o-alice")
    await reception.login.link(caller, mine, site)
    mine = reception.desk.code(SITE, "o-alice")
    await reception.login.unlink(caller, mine, Subject("app:wx1", "o-alice"))
    info = user_info(reception.now, "o-alice", unionId="o-union")
    assert await refusal(reception.login.bring_union(caller, info)) == "bad_proof"


async def test_with_a_lost_key_file_logins_go_on(storage: Storage) -> None:
    before, after = Reception(storage), Reception(storage)
    first = await before.by(PHONE, "o-alice")
    after.login._sealing = Sealing({1: bytes([1]) * 32})
    caller = await admission(after, first)
    info = user_info(after.now, "o-alice", unionId="o-union")
    assert await refusal(after.login.bring_union(caller, info)) == "bad_proof"
    assert (await after.by(PHONE, "o-alice", again=first)).case is Case.RETURNED


# ------------------------------------------------------------ linking


async def test_a_subject_is_added_after_proof_of_both(storage: Storage) -> None:
    reception = Reception(storage, (ISSUER,))
    alice = await reception.by(PHONE, "o-alice")
    caller = await admission(reception, alice)
    mine = reception.desk.code(PHONE, "o-alice")
    await reception.login.link(caller, mine, assertion(reception, "alice"))
    by_token = await reception.login.log_in(assertion(reception, "alice"), PC)
    assert by_token.account == alice.account
    _, known = await reception.accounts.subjects(alice.account)
    assert [each.subject for each in known] == [
        Subject("app:wx1", "o-alice"),
        Subject(ISSUER.url, "alice"),
    ]


async def test_without_fresh_proof_of_the_own_nothing_is_added(storage: Storage) -> None:
    reception = Reception(storage, (ISSUER,))
    alice = await reception.by(PHONE, "o-alice")
    await reception.by(PHONE, "o-mallory")
    caller = await admission(reception, alice)
    new = assertion(reception, "alice")
    foreign = reception.desk.code(PHONE, "o-mallory")
    assert await refusal(reception.login.link(caller, foreign, new)) == "proof_needed"
    assert await refusal(reception.login.link(caller, new, new)) == "proof_needed"
    assert await reception.people.find(Subject(ISSUER.url, "alice")) is None


async def test_somebody_elses_subject_is_not_taken(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(PHONE, "o-alice")
    bob = await reception.by(SITE, "o-bob")
    caller = await admission(reception, alice)
    mine, new = reception.desk.code(PHONE, "o-alice"), reception.desk.code(SITE, "o-bob")
    assert await refusal(reception.login.link(caller, mine, new)) == "identity_in_use"
    assert await reception.people.find(Subject("app:wx2", "o-bob")) == bob.account


async def test_a_code_used_for_linking_is_used(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(PHONE, "o-alice")
    caller = await admission(reception, alice)
    mine, new = reception.desk.code(PHONE, "o-alice"), reception.desk.code(SITE, "o-alice-site")
    await reception.login.link(caller, mine, new)
    assert await refusal(reception.login.log_in(new, PC)) == "code_used"


async def test_a_subject_is_taken_off_while_another_remains(storage: Storage) -> None:
    reception = Reception(storage, (ISSUER,))
    alice = await reception.by(PHONE, "o-alice")
    caller = await admission(reception, alice)

    def mine() -> Any:
        return reception.desk.code(PHONE, "o-alice")

    await reception.login.link(caller, mine(), assertion(reception, "alice"))
    phone, issued = Subject("app:wx1", "o-alice"), Subject(ISSUER.url, "alice")
    foreign = reception.desk.code(PHONE, "o-mallory")
    assert await refusal(reception.login.unlink(caller, foreign, issued)) == "proof_needed"
    unknown = Subject("app:wx9", "o-alice")
    assert await refusal(reception.login.unlink(caller, mine(), unknown)) == "not_found"
    await reception.login.unlink(caller, mine(), issued)
    assert await refusal(reception.login.unlink(caller, mine(), phone)) == "last_identity"
    assert await reception.people.find(issued) is None
    # Whoever it is now, it is nobody that was here before.
    back = await reception.login.log_in(assertion(reception, "alice"), PC)
    assert (back.case, back.account == alice.account) == (Case.CREATED, False)


# ------------------------------------------------------------ the alarm


async def test_many_contradicting_unions_are_an_alarm(
    storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    reception = Reception(storage)
    await reception.by(PHONE, "o-alice", "o-union-1")
    case = (await reception.by(PHONE, "o-alice", "o-union-2")).case
    assert case is Case.PENDING
    for _ in range(250):
        reception.login._pending.saw("app:wx1", True)
    assert sum("another union" in each.getMessage() for each in caplog.records) == 1


def test_nothing_secret_is_shown() -> None:
    shown = installation("PC1", "pc", "d" * 24, "ss_" + "A" * 43)
    assert "AAAA" not in repr(shown).replace("\\x", "")
    assert isinstance(shown, Installation)
