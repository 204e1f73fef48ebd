"""What is done to an account as a whole, and who is told."""

from typing import Any

import pytest

from syncd.identity.devices import Admission
from syncd.identity.words import Declined
from syncd.persons import Remap, Standing, Subject, Union
from syncd.storage import Storage
from tests.identity.reception import PHONE, SITE, Reception

NOBODY = "p" + "0" * 32


async def refusal(doing: Any) -> str:
    with pytest.raises(Declined) as declined:
        await doing
    return declined.value.refusal.name


async def test_a_merge_by_the_operators_word_signs_out_all_of_the_guest(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(SITE, "o-alice", "o-union")
    guest = await reception.by(PHONE, "o-guest")
    merged = await reception.accounts.merge(guest.account, alice.account)
    assert (merged.guest, merged.account, merged.prover) == (guest.account, alice.account, None)
    assert merged.signed_out == (guest.device,)
    assert reception.ended == [(guest.device, "signed_out_by_merge")]
    assert await reception.admitted(guest) == "signed_out_by_merge"
    assert alice.account in reception.woken
    found, known = await reception.accounts.subjects(guest.account)
    assert found == alice.account
    assert {each.subject for each in known} == {
        Subject("app:wx1", "o-guest"),
        Subject("app:wx2", "o-alice"),
    }


async def test_what_is_asked_of_the_guest_is_asked_of_the_account(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(SITE, "o-alice", "o-union")
    guest = await reception.by(PHONE, "o-guest")
    await reception.accounts.merge(guest.account, alice.account)
    devices = {alice.device, guest.device}
    assert {each.device for each in await reception.devices.listed(guest.account)} == devices
    made = await reception.devices.create(guest.account, name="PC2", platform="pc")
    answer = await reception.devices.authenticate(made.token)
    assert isinstance(answer, Admission)
    assert answer.account == alice.account


async def test_an_operators_token_ends_what_signed_a_device_out(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(PHONE, "o-alice")
    await reception.accounts.sign_out(alice.account)
    rotated = await reception.devices.rotate(alice.account, alice.device)
    assert isinstance(await reception.devices.authenticate(rotated.token), Admission)


async def test_merges_that_cannot_be(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(SITE, "o-alice", "o-union-1")
    bob = await reception.by(SITE, "o-bob", "o-union-2")
    merge = reception.accounts.merge
    assert await refusal(merge(alice.account, alice.account)) == "merge_refused"
    assert await refusal(merge(alice.account, bob.account)) == "merge_refused"
    assert await refusal(merge(NOBODY, alice.account)) == "no_such_account"
    assert await refusal(merge("no account", alice.account)) == "bad_request"
    assert reception.ended == []


async def test_who_is_gone_is_signed_out(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(PHONE, "o-alice")
    assert await reception.accounts.stand(alice.account, Standing.LEAVING) == ()
    assert await reception.accounts.standing(alice.account) is Standing.LEAVING
    assert await reception.accounts.stand(alice.account, Standing.GONE) == (alice.device,)
    assert reception.ended == [(alice.device, "signed_out")]
    assert await refusal(reception.accounts.stand(NOBODY, Standing.GONE)) == "no_such_account"
    assert await refusal(reception.accounts.standing(NOBODY)) == "no_such_account"


async def test_signing_out_spares_whom_it_is_told_to(storage: Storage) -> None:
    reception = Reception(storage)
    one = await reception.by(PHONE, "o-alice")
    other = await reception.by(PHONE, "o-alice")
    sign_out = reception.accounts.sign_out
    assert await sign_out(one.account, keep=one.device) == (other.device,)
    assert await reception.admitted(other) == "signed_out"
    assert not isinstance(await reception.admitted(one), str)
    assert await sign_out(one.account, only=one.device) == (one.device,)
    assert await sign_out(one.account) == ()
    assert reception.ended == [(other.device, "signed_out"), (one.device, "signed_out")]
    # Neither is revoked: the secret is good at the next login.
    again = await reception.by(PHONE, "o-alice", again=one)
    assert again.device == one.device
    assert await refusal(sign_out(NOBODY)) == "no_such_account"


async def test_unions_that_wait_and_the_word_that_settles_them(storage: Storage) -> None:
    reception = Reception(storage)
    alice = await reception.by(PHONE, "o-alice", "o-old")
    await reception.by(PHONE, "o-alice", "o-new")
    [waiting] = await reception.accounts.pending()
    assert (waiting.account, waiting.subject) == (alice.account, Subject("app:wx1", "o-alice"))
    assert (waiting.linked, waiting.given) == (Union("open", "o-old"), Union("open", "o-new"))
    done = await reception.accounts.remap("open", [Remap("o-old", "o-new"), Remap("o-x", "o-y")])
    assert (done.done, done.unknown, done.taken) == (1, ("o-x",), ())
    assert await reception.accounts.pending() == []
    assert (await reception.by(SITE, "o-alice-site", "o-new")).account == alice.account


async def test_an_account_that_nobody_has(storage: Storage) -> None:
    assert await refusal(Reception(storage).accounts.subjects(NOBODY)) == "no_such_account"
