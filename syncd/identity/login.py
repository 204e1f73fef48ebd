"""Login: proof in, a session of ours out.

What proves somebody is a code of the platform, a token of an issuer, or a device that is signed in
and vouches. What comes out is the "3rd_session" of the platform's documents: an opaque token of 256
bits, new at every login, stored as a hash, bound to a device that the server made.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.identity import words
from syncd.identity.codes import Code, Codes, union_of
from syncd.identity.devices import Admission, hash_of_secret, secret
from syncd.identity.issuers import Assertion, Issuers
from syncd.identity.pending import PendingShares
from syncd.identity.sealing import Sealing
from syncd.identity.upstream import App
from syncd.identity.user_info import Expected, UserInfo, unionid_in
from syncd.identity.words import Declined
from syncd.model import AccountId, DeviceId
from syncd.persons import (
    APP_ISSUER,
    Case,
    Linking,
    Notices,
    Proof,
    Shown,
    SignedIn,
    SignIn,
    Subject,
    Vouch,
)
from syncd.storage.people import People

Evidence: TypeAlias = Code | Assertion
"""What a client shows to say who it is."""

_SECRET = re.compile(r"ss_[A-Za-z0-9_-]{43}")
_ACCOUNT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Installation:
    """The device that is to be logged in: what it calls itself, and what it proves to be."""

    name: str
    platform: str
    shown: Shown | None = None


def installation(
    name: str, platform: str, device: str | None = None, proof: str | None = None
) -> Installation:
    """The installation that a request describes. Raises Declined.

    device, proof: the id and the secret that it was given when it was made.
    """
    named = Installation(words.device_name(name), words.platform(platform))
    if device is None or proof is None:
        return named
    if _SECRET.fullmatch(proof) is None:
        raise Declined(errors.BAD_REQUEST, "A device's secret is what its first login gave it.")
    return replace(named, shown=Shown(words.device_id(device), hash_of_secret(proof)))


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """What a login gives. Neither secret can be had a second time.

    token: opens sockets and requests. secret: proves the device at later logins; None where it has
    one already.
    """

    account: AccountId
    device: DeviceId
    token: str
    secret: str | None
    new_device: bool
    case: Case

    def __repr__(self) -> str:
        return f"LoggedIn(account={self.account!r}, device={self.device!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Whom a login tells, and where its chance and time come from.

    ended: told, after the change is durable, that a device's live sessions have lost their right
        and with which refusal to close them. wake: told whose logs grew.
    draw: gives random bytes. clock: Unix time in seconds.
    """

    notices: Notices
    ended: Callable[[DeviceId, Refusal], None]
    wake: Callable[[Iterable[AccountId]], None]
    draw: Callable[[int], bytes] = os.urandom
    clock: Callable[[], float] = time.time


class Login:
    """All logins of a service. Every method raises Declined, and StorageError."""

    def __init__(
        self,
        people: People,
        codes: Codes,
        issuers: Issuers,
        apps: Mapping[str, App],
        sealing: Sealing,
        surroundings: Surroundings,
    ) -> None:
        self._people = people
        self._codes = codes
        self._issuers = issuers
        self._apps_by_issuer = {APP_ISSUER + each.appid: each for each in apps.values()}
        self._sealing = sealing
        self._around = surroundings
        self._pending = PendingShares()

    async def log_in(self, evidence: Evidence, where: Installation) -> LoggedIn:
        """Log in whoever the evidence is about, on this installation."""
        if isinstance(evidence, Assertion):
            return await self._sign_in(await self._issuers.proof(evidence), where)
        async with self._codes.redeemed(evidence) as proof:
            return await self._sign_in(proof, where)

    async def vouched(self, vouch: Vouch, where: Installation) -> LoggedIn:
        """Log in an installation for which a device of the account vouches."""
        return await self._sign_in(vouch, where)

    async def bring_union(self, caller: Admission, info: UserInfo) -> LoggedIn:
        """The union of whoever is signed in came later, by consent: log in again with it.

        BAD_PROOF for a text that is not genuine, whatever is wrong with it.
        """
        kept = await self._people.sealed_key(caller.device)
        if kept is None or await self._people.find(kept.subject) != caller.account:
            raise Declined(errors.BAD_PROOF)  # nothing to open it with, or a subject taken off
        app = self._apps_by_issuer.get(kept.subject.issuer)
        key = None if kept.sealed is None else self._sealing.open(kept.sealed, kept.subject)
        if app is None or key is None:
            raise Declined(errors.BAD_PROOF)
        expected = Expected(app.appid, kept.subject.name, self._around.clock())
        try:
            unionid = unionid_in(info, key, expected)
        except ValueError:
            raise Declined(errors.BAD_PROOF) from None
        shown = Shown(caller.device, credential=caller.credential)
        # It has a name already.
        known = Installation("", "", shown)
        return await self._sign_in(Proof(kept.subject, union_of(app, unionid)), known)

    async def link(self, caller: Admission, mine: Evidence, added: Evidence) -> None:
        """Add what `added` proves to the account, of which `mine` is fresh proof."""
        if mine == added or caller.credential is None:
            raise Declined(errors.PROOF_NEEDED)
        account, device = caller.account, caller.device
        proofs = await self._proof(mine), await self._proof(added)
        linking = Linking(account, device, caller.credential, *proofs)
        _raise(await self._people.link(linking))

    async def unlink(self, caller: Admission, mine: Evidence, removed: Subject) -> None:
        """Take a subject off the account, of which `mine` is fresh proof."""
        proof = await self._proof(mine)
        _raise(await self._people.unlink(caller.account, proof.subject, removed))

    async def _proof(self, evidence: Evidence) -> Proof:
        if isinstance(evidence, Assertion):
            return await self._issuers.proof(evidence)
        async with self._codes.redeemed(evidence) as proof:
            return proof

    async def _sign_in(self, proof: Proof | Vouch, where: Installation) -> LoggedIn:
        draw = self._around.draw
        token, device_secret = secret("sd_", draw), secret("ss_", draw)
        done = await self._people.sign_in(
            SignIn(
                proof=proof,
                shown=where.shown,
                account=AccountId("p" + draw(_ACCOUNT_BYTES).hex()),
                device=DeviceId(draw(limits.DEVICE_ID_CHARACTERS // 2).hex()),
                name=where.name,
                platform=where.platform,
                secret_hash=hash_of_secret(device_secret),
                token_hash=hash_of_secret(token),
                notices=self._around.notices,
            )
        )
        if isinstance(done, Refusal):
            raise Declined(errors.AS_HTTP.get(done, done))
        self._tell(done)
        if isinstance(proof, Proof):
            self._pending.saw(proof.subject.issuer, done.case is Case.PENDING)
        made = device_secret if done.new_device else None
        return LoggedIn(done.account, done.device, token, made, done.new_device, done.case)

    def _tell(self, done: SignedIn) -> None:
        if not done.new_device:
            self._around.ended(done.device, errors.TOKEN_ROTATED)
        if done.merged is not None:
            for each in done.merged.signed_out:
                self._around.ended(each, errors.SIGNED_OUT_BY_MERGE)
        self._around.wake(done.grown)


def _raise(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise Declined(errors.AS_HTTP.get(refusal, refusal))
