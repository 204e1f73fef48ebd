"""What the door of login promises, over every backend."""

import asyncio
from collections import Counter

import pytest

from syncd import errors
from syncd.errors import Refusal
from syncd.model import (
    AccountId,
    DeviceId,
    OpeningRequest,
    Submission,
    Superseded,
    Work,
)
from syncd.notices import DeviceAdded
from syncd.persons import (
    Case,
    Linking,
    PendingUnion,
    Proof,
    Remap,
    Remapped,
    SealedKey,
    Shown,
    SignedIn,
    Standing,
    SubjectFacts,
    Union,
    Vouch,
)
from syncd.storage import Storage

from .reception import OPEN, OTHER, SITE, Visitors, hashed, subject
from .works import BOB, PHONE

STRANGER = AccountId("nobody")


@pytest.fixture
def visitors(storage: Storage) -> Visitors:
    return Visitors(storage)


async def credential(visitors: Visitors, who: SignedIn) -> int:
    [device] = [
        each for each in await visitors.storage.devices(who.account) if each.device == who.device
    ]
    return device.credential


async def ended(visitors: Visitors, who: SignedIn) -> Refusal | None:
    device = await visitors.storage.device_by_token(visitors.tokens[who.device])
    assert device is not None
    return device.ended


# ---------------------------------------------------------------- the table of logins


async def test_a_new_subject_is_a_new_person(visitors: Visitors) -> None:
    done = await visitors.sign_in("alice")
    assert (done.case, done.new_device, done.merged) == (Case.CREATED, True, None)
    assert await visitors.people.find(subject("alice")) == done.account
    assert await visitors.log(done.account) == [], "a new account is told of no device"
    [facts] = await visitors.people.subjects(done.account)
    assert facts == SubjectFacts(subject("alice"), None, None)
    found = await visitors.storage.device_by_token(visitors.tokens[done.device])
    assert found is not None
    assert (found.device, found.account, found.credential) == (done.device, done.account, 1)


async def test_a_known_subject_returns_and_its_device_keeps_its_id(visitors: Visitors) -> None:
    first = await visitors.sign_in("alice")
    old = visitors.tokens[first.device]
    again = await visitors.sign_in("alice", on=first.device)
    assert (again.case, again.account, again.device) == (
        Case.RETURNED,
        first.account,
        first.device,
    )
    assert not again.new_device
    assert await visitors.storage.device_by_token(old) is None
    assert await credential(visitors, again) == 2
    assert await visitors.log(first.account) == []


async def test_another_device_is_announced_to_the_first(visitors: Visitors) -> None:
    first = await visitors.sign_in("alice")
    second = await visitors.sign_in("alice")
    assert second.account == first.account
    assert second.device != first.device
    assert second.grown == {first.account}
    [notice] = await visitors.notices(first.account)
    assert notice == DeviceAdded(second.device, "device 2", "pc")


async def test_a_union_that_comes_late_is_linked_in_place(visitors: Visitors) -> None:
    guest = await visitors.sign_in("alice")
    assert (await visitors.sign_in("alice", "u1")).case is Case.UPGRADED
    assert (await visitors.sign_in("alice")).case is Case.RETURNED
    assert (await visitors.sign_in("alice", "u1")).case is Case.RETURNED
    linked = await visitors.sign_in("alice", "v1", platform=OTHER)
    assert (linked.case, linked.account) == (Case.LINKED, guest.account)
    [facts] = await visitors.people.subjects(guest.account)
    assert facts.union == Union(OTHER, "v1")


async def test_a_new_subject_with_a_known_union_is_added(visitors: Visitors) -> None:
    known = await visitors.sign_in("alice", "u1")
    added = await visitors.sign_in(subject("a", SITE), "u1")
    assert (added.case, added.account) == (Case.ADDED, known.account)
    assert [each.subject for each in await visitors.people.subjects(known.account)] == [
        subject("alice"),
        subject("a", SITE),
    ]


async def test_a_union_that_contradicts_waits_for_the_operator(visitors: Visitors) -> None:
    known = await visitors.sign_in("alice", "u1")
    other = await visitors.sign_in("alice", "u2", on=known.device)
    assert (other.case, other.account) == (Case.PENDING, known.account)
    waiting = PendingUnion(known.account, subject("alice"), Union(OPEN, "u1"), Union(OPEN, "u2"))
    assert await visitors.people.pending() == [waiting]
    await visitors.sign_in("alice", "u1", on=known.device)
    assert await visitors.people.pending() == [], "the platform says so no more"


async def test_a_union_of_somebody_else_waits_without_a_linked_one(visitors: Visitors) -> None:
    await visitors.sign_in("bob", "v1", platform=OTHER)
    alice = await visitors.sign_in("alice", "u1")
    assert (await visitors.sign_in("alice", "v1", platform=OTHER)).case is Case.PENDING
    [waiting] = await visitors.people.pending()
    assert (waiting.account, waiting.linked) == (alice.account, None)


async def test_who_is_gone_does_not_come_back(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice", "u1")
    assert await visitors.people.stand(alice.account, Standing.LEAVING) == ()
    assert (await visitors.sign_in("alice", on=alice.device)).case is Case.RETURNED
    assert await visitors.people.stand(alice.account, Standing.GONE) == (alice.device,)
    assert await visitors.people.standing(alice.account) is Standing.GONE
    assert await ended(visitors, alice) is errors.SIGNED_OUT
    for proof in (Proof(subject("alice")), Proof(subject("a", SITE), Union(OPEN, "u1"))):
        assert await visitors.ask(proof) is errors.ACCOUNT_GONE
    assert await visitors.people.find(subject("a", SITE)) is None
    assert await visitors.people.stand(STRANGER, Standing.GONE) is None
    assert await visitors.people.standing(STRANGER) is None


async def test_no_merge_while_somebody_is_leaving(visitors: Visitors) -> None:
    owner = await visitors.sign_in("alice", "u1")
    guest = await visitors.sign_in(subject("a", SITE))
    await visitors.people.stand(owner.account, Standing.LEAVING)
    done = await visitors.sign_in(subject("a", SITE), "u1")
    assert (done.case, done.account) == (Case.PENDING, guest.account)
    assert await visitors.people.account_of(guest.account) == guest.account
    await visitors.people.stand(owner.account, Standing.ACTIVE)
    assert (await visitors.sign_in(subject("a", SITE), "u1")).case is Case.MERGED
    assert await visitors.people.pending() == []


async def test_two_at_once_make_one_person(visitors: Visitors) -> None:
    done = await asyncio.gather(*(visitors.sign_in("alice", "u1") for _ in range(8)))
    assert len({each.account for each in done}) == 1
    assert Counter(each.case for each in done) == {Case.CREATED: 1, Case.RETURNED: 7}


# ---------------------------------------------------------------- which device


async def test_a_device_without_proof_is_a_new_one(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    wrong = await visitors.ask(Proof(subject("alice")), Shown(alice.device, hashed("guessed")))
    assert isinstance(wrong, SignedIn)
    assert wrong.device != alice.device
    assert await credential(visitors, alice) == 1, "the other one goes on"


async def test_a_device_made_by_an_operator_has_no_secret(visitors: Visitors) -> None:
    done = await visitors.ask(Proof(subject("alice")), Shown(PHONE, hashed("")))
    assert isinstance(done, SignedIn)
    assert done.device != PHONE


async def test_another_person_on_the_same_device_gets_another_id(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    bob = await visitors.sign_in("bob", on=alice.device)
    assert bob.device != alice.device
    assert await ended(visitors, alice) is None


async def test_a_device_of_an_older_copy_gets_its_id_again(visitors: Visitors) -> None:
    lost, secret = DeviceId("e" * 24), hashed("kept by its installation")
    done = await visitors.ask(Proof(subject("alice")), Shown(lost, secret))
    assert isinstance(done, SignedIn)
    assert (done.device, done.new_device) == (lost, False)
    again = await visitors.ask(Proof(subject("alice")), Shown(lost, secret))
    assert isinstance(again, SignedIn)
    assert again.device == lost
    unproven = await visitors.ask(Proof(subject("alice")), Shown(DeviceId("f" * 24), None, 1))
    assert unproven is errors.NOT_AUTHENTICATED, "a token proves what the store knows"


async def test_a_revoked_device_is_told_so_and_nothing_changes(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    await visitors.storage.change_credential(alice.device, None)
    shown = Shown(alice.device, visitors.secrets[alice.device])
    proof = Proof(subject("bob"), grant=hashed("code"))
    assert await visitors.ask(proof, shown) is errors.DEVICE_REVOKED
    assert await visitors.people.find(subject("bob")) is None
    guessed = Shown(alice.device, hashed("guessed"))
    assert isinstance(await visitors.ask(proof, guessed), SignedIn), "nobody learns that it was"


async def test_a_token_proves_a_device_once(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    later = Proof(subject("alice"), Union(OPEN, "u1"))
    done = await visitors.ask(later, Shown(alice.device, None, 1))
    assert isinstance(done, SignedIn)
    assert (done.case, done.device) == (Case.UPGRADED, alice.device)
    stale = await visitors.ask(later, Shown(alice.device, None, 1))
    assert stale is errors.NOT_AUTHENTICATED
    await visitors.people.sign_out(alice.account, None)
    ended_one = await visitors.ask(later, Shown(alice.device, None, 2))
    assert ended_one is errors.NOT_AUTHENTICATED, "its token opens nothing"


async def test_a_device_vouches_for_another_one(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    done = await visitors.ask(Vouch(alice.account, alice.device, 1))
    assert isinstance(done, SignedIn)
    assert (done.case, done.account, done.new_device) == (Case.VOUCHED, alice.account, True)
    assert len(await visitors.notices(alice.account)) == 1
    assert await visitors.people.sealed_key(done.device) is None


async def test_only_who_is_signed_in_vouches(visitors: Visitors) -> None:
    alice, bob = await visitors.sign_in("alice"), await visitors.sign_in("bob")
    for vouch in (
        Vouch(alice.account, alice.device, 2),
        Vouch(bob.account, alice.device, 1),
        Vouch(alice.account, DeviceId("0" * 24), 1),
    ):
        assert await visitors.ask(vouch) is errors.NOT_AUTHENTICATED
    await visitors.people.sign_out(alice.account, None)
    assert await visitors.ask(Vouch(alice.account, alice.device, 1)) is errors.NOT_AUTHENTICATED
    await visitors.storage.change_credential(bob.device, None)
    assert isinstance(await visitors.ask(Vouch(bob.account, bob.device, 1)), Refusal)


# ---------------------------------------------------------------- what ends a session


async def test_signed_out_is_not_revoked(visitors: Visitors) -> None:
    one, two = await visitors.sign_in("alice"), await visitors.sign_in("alice")
    assert await visitors.people.sign_out(one.account, keep=one.device) == (two.device,)
    assert (await ended(visitors, one), await ended(visitors, two)) == (None, errors.SIGNED_OUT)
    request = OpeningRequest(two.account, two.device, 1, "i" * 16, None)
    done = await visitors.storage.commit(Work(openings=(request,)))
    assert done.openings == (errors.SIGNED_OUT,)
    assert await visitors.people.sign_out(one.account, keep=one.device) == ()
    back = await visitors.sign_in("alice", on=two.device)
    assert back.device == two.device
    assert await ended(visitors, two) is None
    assert await visitors.people.sign_out(one.account, None, only=two.device) == (two.device,)
    assert await visitors.people.sign_out(STRANGER, None) == ()
    assert await visitors.people.sign_out(BOB, None, only=one.device) == ()


async def test_what_is_signed_out_takes_a_new_generation(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    await visitors.people.sign_out(alice.account, None)
    dropped = Submission(alice.device, 0, ())
    done = await visitors.storage.commit(Work(submissions=(dropped,)))
    assert isinstance(done.submissions[0], Superseded)


async def test_the_operators_new_token_ends_the_sign_out(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    await visitors.people.sign_out(alice.account, None)
    device = await visitors.storage.change_credential(alice.device, hashed("by hand"))
    assert device.ended is None


async def test_who_is_over(visitors: Visitors) -> None:
    fine, out = await visitors.sign_in("alice"), await visitors.sign_in("alice")
    revoked, renewed = await visitors.sign_in("alice"), await visitors.sign_in("alice")
    await visitors.people.sign_out(fine.account, None, only=out.device)
    await visitors.storage.change_credential(revoked.device, None)
    await visitors.sign_in("alice", on=renewed.device)
    unknown = DeviceId("0" * 24)
    sessions = {each.device: 1 for each in (fine, out, revoked, renewed)}
    assert await visitors.people.over({**sessions, unknown: 1}) == {
        out.device: errors.SIGNED_OUT,
        revoked.device: errors.DEVICE_REVOKED,
        renewed.device: errors.TOKEN_ROTATED,
        unknown: errors.DEVICE_REVOKED,
    }
    assert await visitors.people.over({renewed.device: 2, fine.device: None}) == {}
    assert await visitors.people.over({out.device: None}) == {out.device: errors.SIGNED_OUT}


async def test_a_code_that_comes_again_ends_what_it_got(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice", grant="code 1")
    assert await visitors.people.replayed(hashed("unheard of")) is None
    assert await visitors.people.replayed(hashed("code 1")) == alice.device
    assert await ended(visitors, alice) is errors.SIGNED_OUT
    assert await visitors.people.replayed(hashed("code 1")) is None
    await visitors.sign_in("alice", on=alice.device, grant="code 2")
    assert await visitors.people.replayed(hashed("code 1")) is None, "it has a newer token"
    assert await ended(visitors, alice) is None


async def test_a_device_is_renamed_by_its_account_only(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    assert await visitors.people.rename(alice.account, alice.device, "PC1")
    assert not await visitors.people.rename(BOB, alice.device, "stolen")
    assert not await visitors.people.rename(STRANGER, alice.device, "stolen")
    [device] = await visitors.storage.devices(alice.account)
    assert device.name == "PC1"


# ---------------------------------------------------------------- subjects


async def linking(visitors: Visitors, who: SignedIn, mine: Proof, added: Proof) -> Refusal | None:
    current = await credential(visitors, who)
    return await visitors.people.link(Linking(who.account, who.device, current, mine, added))


async def test_a_subject_is_added_with_proof_of_both(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice")
    mine, added = Proof(subject("alice")), Proof(subject("a", SITE), Union(OPEN, "u1"))
    assert await linking(visitors, alice, mine, added) is None
    assert await linking(visitors, alice, mine, added) is None, "twice is no error"
    assert await visitors.people.find(subject("a", SITE)) == alice.account
    assert (await visitors.sign_in(subject("b", "app:third"), "u1")).account == alice.account
    wrong = Linking(alice.account, alice.device, 7, mine, added)
    assert await visitors.people.link(wrong) is errors.NOT_AUTHENTICATED


async def test_nothing_of_somebody_else_is_added(visitors: Visitors) -> None:
    alice, bob = await visitors.sign_in("alice"), await visitors.sign_in("bob", "u2")
    mine = Proof(subject("alice"))
    new = subject("a", SITE)
    for added in (Proof(subject("bob")), Proof(new, Union(OPEN, "u2"))):
        assert await linking(visitors, alice, mine, added) is errors.IDENTITY_IN_USE
    assert await visitors.people.find(new) is None
    assert await linking(visitors, bob, mine, Proof(new)) is errors.PROOF_NEEDED
    other = Proof(new, Union(OPEN, "u3"))
    assert await linking(visitors, bob, Proof(subject("bob")), other) is errors.IDENTITY_IN_USE


async def test_a_subject_goes_while_another_remains(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice", sealed=b"sealed")
    mine, added = subject("alice"), subject("a", SITE)
    people, account = visitors.people, alice.account
    assert await people.unlink(account, mine, mine) is errors.LAST_IDENTITY
    await linking(visitors, alice, Proof(mine), Proof(added))
    assert await people.unlink(account, subject("bob"), mine) is errors.PROOF_NEEDED
    assert await people.unlink(account, mine, subject("bob")) is errors.NOT_FOUND
    assert await people.unlink(account, added, mine) is None
    assert await people.find(mine) is None
    assert await people.sealed_key(alice.device) is None
    assert await people.subjects(account) == [SubjectFacts(added, None, None)]
    assert await people.subjects(STRANGER) == []


async def test_the_newest_sealed_key_is_kept(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice", sealed=b"one")
    expected = SealedKey(alice.account, subject("alice"), b"one")
    assert await visitors.people.sealed_key(alice.device) == expected
    await visitors.sign_in("alice", sealed=b"two")
    await visitors.sign_in("alice", on=alice.device)
    found = await visitors.people.sealed_key(alice.device)
    assert found == SealedKey(alice.account, subject("alice"), b"two")
    assert "two" not in repr(found)
    assert await visitors.people.sealed_key(PHONE) is None


async def test_an_open_platform_account_is_remapped(visitors: Visitors) -> None:
    alice = await visitors.sign_in("alice", "u1")
    bob = await visitors.sign_in("bob", "u2")
    await visitors.sign_in("alice", "n1")
    changes = [Remap("u1", "n1"), Remap("u2", "n1"), Remap("u9", "n9"), Remap("n1", "x")]
    remapped = await visitors.people.remap(OPEN, changes)
    assert (remapped.done, remapped.taken) == (1, ("n1",))
    assert remapped.unknown == ("u9", "n1")
    assert await visitors.people.pending() == []
    assert (await visitors.sign_in("alice", "n1")).case is Case.RETURNED
    assert (await visitors.sign_in("bob", "u2")).account == bob.account
    assert (await visitors.people.subjects(alice.account))[0].union == Union(OPEN, "n1")
    assert await visitors.people.remap(OTHER, changes) == Remapped(0, ("u1", "u2", "u9", "n1"), ())
