"""The procedures of login, over the register of a transaction: written once for every backend."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from syncd import errors
from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId
from syncd.persons import (
    Case,
    Linking,
    Merged,
    Merging,
    Proof,
    Remap,
    Shown,
    SignedIn,
    SignIn,
    Standing,
    Subject,
    Union,
    Vouch,
)
from syncd.storage import Damaged, merging
from syncd.storage.logins import Decision, Person, decide
from syncd.storage.register import Installed, NewDevice, Register


def sign_in(register: Register, request: SignIn) -> SignedIn | Refusal:
    """What the door's `sign_in` promises. On a Refusal nothing was changed."""
    shown = _shown(register, request.shown)
    if isinstance(shown, Refusal):
        return shown
    if isinstance(request.proof, Vouch):
        refusal = _vouched(register, request.proof)
        if refusal is not None:
            return refusal
        home = register.home(request.proof.account)
        assert home is not None, "the account of a device exists"
        return _enter(register, request, shown, Decision(Case.VOUCHED, home), None)
    return _proven(register, request, request.proof, shown)


def _proven(
    register: Register, request: SignIn, proof: Proof, shown: Installed | None
) -> SignedIn | Refusal:
    decision = decide(
        proof.union, _person(register, register.whose(proof.subject)), _owner(register, proof.union)
    )
    if isinstance(decision, Refusal):
        return decision
    if decision.guest is None or decision.account is None:
        return _enter(register, request, shown, decision, None)
    try:
        planned = merging.plan(register, decision.guest, decision.account)
    except Damaged:
        # The login succeeds, as its person: an operator mends the log and merges then.
        return _enter(register, request, shown, Decision(Case.PENDING, decision.guest), None)
    prover = None if shown is None or shown.account != decision.guest else shown
    device = None if prover is None else prover.device
    merged = merging.carry_out(register, planned, device, request.notices)
    if prover is not None:
        shown = replace(prover, account=decision.account)
    return _enter(register, request, shown, decision, merged)


def _person(register: Register, account: AccountId | None) -> Person | None:
    return None if account is None else register.person(account)


def _owner(register: Register, union: Union | None) -> Person | None:
    return None if union is None else _person(register, register.owner(union))


def _shown(register: Register, shown: Shown | None) -> Installed | Refusal | None:
    """The device that proved itself; None where none did."""
    if shown is None:
        return None
    found = register.device(shown.device)
    if shown.credential is not None:
        return _current(found, shown.credential)
    if found is None or found.secret_hash is None or found.secret_hash != shown.secret_hash:
        return None
    return errors.DEVICE_REVOKED if found.revoked else found


def _current(found: Installed | None, credential: int) -> Installed | Refusal:
    if found is None or found.ended is not None or found.credential != credential:
        return errors.NOT_AUTHENTICATED
    return errors.DEVICE_REVOKED if found.revoked else found


def _vouched(register: Register, vouch: Vouch) -> Refusal | None:
    """Why nobody vouches for this login; None where somebody does."""
    found = _current(register.device(vouch.device), vouch.credential)
    if isinstance(found, Refusal) or found.account != register.home(vouch.account):
        return errors.NOT_AUTHENTICATED
    gone = register.person(found.account).standing is Standing.GONE
    return errors.ACCOUNT_GONE if gone else None


def _enter(
    register: Register,
    request: SignIn,
    shown: Installed | None,
    decision: Decision,
    merged: Merged | None,
) -> SignedIn:
    account, created = decision.account, decision.account is None
    if account is None:
        account = request.account
        register.create_account(account)
    subject = None
    if isinstance(request.proof, Proof):
        _keep(register, request.proof, decision, account)
        subject = request.proof.subject
    if shown is None or shown.account != account:
        device = _make(register, request, shown, account)
        if not created:
            notice = request.notices.device_added(account, device, request.name, request.platform)
            register.append(account, *notice)
    else:
        device = shown.device
        register.renew_device(device, request.token_hash, subject)
    if isinstance(request.proof, Proof) and request.proof.grant is not None:
        register.add_grant(request.proof.grant, device)
    new = device == request.device
    return SignedIn(account, device, decision.case, new, merged, register.grown)


def _keep(register: Register, proof: Proof, decision: Decision, account: AccountId) -> None:
    """What is known from now on about the subject."""
    if register.whose(proof.subject) is None:
        register.add_subject(proof.subject, account)
    platform = pending = None
    if proof.union is not None:
        platform = proof.union.platform
        pending = proof.union.unionid if decision.case is Case.PENDING else None
        if decision.link:
            register.add_link(proof.union, account)
    register.note(proof.subject, proof.sealed_key, platform, pending)


def _make(
    register: Register, request: SignIn, proven: Installed | None, account: AccountId
) -> DeviceId:
    """A new device; under the id that is shown, where this store never heard of it."""
    shown, subject = request.shown, None
    if isinstance(request.proof, Proof):
        subject = request.proof.subject
    device, secret_hash = request.device, request.secret_hash
    unheard_of = shown is not None and proven is None and register.device(shown.device) is None
    if shown is not None and shown.secret_hash is not None and unheard_of:
        device, secret_hash = shown.device, shown.secret_hash
    new = NewDevice(device, request.name, request.platform, secret_hash, request.token_hash)
    register.add_device(new, account, subject)
    return device


def merge(register: Register, request: Merging) -> Merged | Refusal:
    """What the door's `merge` promises."""
    guest, account = register.home(request.guest), register.home(request.account)
    if guest is None or account is None:
        return errors.NO_SUCH_ACCOUNT
    one, other = register.person(guest), register.person(account)
    stay = one.standing is Standing.ACTIVE and other.standing is Standing.ACTIVE
    if guest == account or not stay or one.links.keys() & other.links.keys():
        return errors.MERGE_REFUSED
    planned = merging.plan(register, guest, account)
    return merging.carry_out(register, planned, None, request.notices)


def link(register: Register, request: Linking) -> Refusal | None:
    """What the door's `link` promises."""
    vouch = Vouch(request.account, request.device, request.credential)
    refusal = _vouched(register, vouch)
    if refusal is not None:
        return refusal
    account = register.home(request.account)
    assert account is not None
    if register.whose(request.mine.subject) != account:
        return errors.PROOF_NEEDED
    added = request.added
    if register.whose(added.subject) not in (None, account):
        return errors.IDENTITY_IN_USE
    if added.union is not None:
        owner, links = register.owner(added.union), register.person(account).links
        known = links.get(added.union.platform)
        if owner not in (None, account) or known not in (None, added.union.unionid):
            return errors.IDENTITY_IN_USE
        if owner is None:
            register.add_link(added.union, account)
    if register.whose(added.subject) is None:
        register.add_subject(added.subject, account)
    platform = None if added.union is None else added.union.platform
    register.note(added.subject, added.sealed_key, platform, None)
    return None


def unlinkable(own: Sequence[Subject], mine: Subject, removed: Subject) -> Refusal | None:
    """Why a subject cannot be taken off an account, whose subjects are `own`."""
    if mine not in own:
        return errors.PROOF_NEEDED
    if removed not in own:
        return errors.NOT_FOUND
    return errors.LAST_IDENTITY if len(own) == 1 else None


def remapped(
    changes: Sequence[Remap], known: Collection[str]
) -> tuple[list[Remap], tuple[str, ...], tuple[str, ...]]:
    """Which changes can be made, which old unionids nobody has, which new ones are somebody's.

    known: the linked unionids of the platform account.
    """
    moved: list[Remap] = []
    unknown: list[str] = []
    taken: list[str] = []
    used, gone = set(known), set[str]()
    for change in changes:
        if change.old not in known or change.old in gone:
            unknown.append(change.old)
        elif change.new in used:
            taken.append(change.new)
        else:
            used.add(change.new)
            gone.add(change.old)
            moved.append(change)
    return moved, tuple(unknown), tuple(taken)
