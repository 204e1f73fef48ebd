"""Who somebody is: the words of login, as storage and identity speak them.

A *person* of ours is an account; its id is drawn by the server and made from nothing. What an
issuer says about somebody is a *subject*: (issuer, name), proven by a code or a signed token, and
constant for ever. What several apps of one Open Platform account say together is a *union*. Neither
is ever the key of a person: subjects come and go, and a union may come late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from syncd.model import AccountId, ConversationId, DeviceId, Identity, Record

APP_ISSUER = "app:"
"""The issuer of a platform's openid is this, followed by the appid."""


class Subject(NamedTuple):
    """Who an issuer says that somebody is (OpenID Connect: iss and sub).

    issuer: `app:APPID`, and then `name` is an openid; or the URL of an issuer of JWTs.
    """

    issuer: str
    name: str


class Union(NamedTuple):
    """A unionid: the same for all apps bound to one Open Platform account.

    platform: which Open Platform account, by the operator's name for it.
    """

    platform: str
    unionid: str


class Standing(Enum):
    """How an account stands."""

    ACTIVE = "active"
    LEAVING = "leaving"
    """Its person asked for its end, which is not yet: it works, and takes part in no merge."""
    GONE = "gone"
    """Nobody logs in to it any more."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What an upstream vouched for, in one answer for one code or in one signed token.

    grant: SHA-256 of the app and its code, where there was one: its replay ends what it got.
    sealed_key: the session_key, encrypted (identity/sealing.py); None leaves what is kept.
    """

    subject: Subject
    union: Union | None = None
    grant: bytes | None = None
    sealed_key: bytes | None = None

    def __repr__(self) -> str:
        # Values end up in logs; keys must not, encrypted or not.
        return f"Proof(subject={self.subject!r}, union={self.union!r})"


@dataclass(frozen=True, slots=True)
class Vouch:
    """A device that is signed in vouches for another one (login by QR).

    credential: the version of the token that `device` showed; it must still be the current one.
    """

    account: AccountId
    device: DeviceId
    credential: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The device that an installation says it is, proven by one of two: the SHA-256 of its secret,
    or the version of the token with which this very request came."""

    device: DeviceId
    secret_hash: bytes | None = None
    credential: int | None = None


class Notices(Protocol):
    """Writes the `system` entries that a sign-in appends, in the account's conversation with
    itself. Called inside the transaction, from any thread: it must neither wait nor fail."""

    def merged(
        self,
        guest: AccountId,
        account: AccountId,
        entries: int,
        read: Mapping[ConversationId, int],
    ) -> tuple[Identity, Record]:
        """See notices.Merge."""

    def device_added(
        self, account: AccountId, device: DeviceId, name: str, platform: str
    ) -> tuple[Identity, Record]:
        """See notices.DeviceAdded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One login: who it is, on which device, and what is to be made where there is nothing yet.

    account, device: drawn by the caller, for a person and for a device that are new.
    secret_hash: SHA-256 of the secret of a device that is new.
    token_hash: SHA-256 of the token with which the device opens sockets from now on.
    """

    proof: Proof | Vouch
    shown: Shown | None
    account: AccountId
    device: DeviceId
    name: str
    platform: str
    secret_hash: bytes
    token_hash: bytes
    notices: Notices

    def __repr__(self) -> str:
        return f"SignIn(proof={self.proof!r})"


class Case(Enum):
    """Which row of the table of logins applied (storage/logins.py)."""

    RETURNED = "returned"
    """The subject is known; nothing changed but the device's token."""
    CREATED = "created"
    """A new person; a guest where no union was given."""
    UPGRADED = "upgraded"
    """A guest turned out to be somebody nobody knew: the union is its own from now on."""
    MERGED = "merged"
    """A guest turned out to be a person that exists."""
    LINKED = "linked"
    """A known person brought a union of another platform account."""
    PENDING = "pending"
    """Another union than the one that is linked: noted, for the operator to decide."""
    ADDED = "added"
    """A new subject of a person that exists, known by its union."""
    VOUCHED = "vouched"
    """By a device that was signed in already."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did. `guest` is an alias of `account` from now on.

    prover: the guest's device that goes on, with a new token; None for a merge by an operator.
    signed_out: the guest's other devices: each is closed `signed_out_by_merge`.
    entries: how many of the guest's entries were appended to the account's log.
    grown: the accounts to wake.
    """

    guest: AccountId
    account: AccountId
    prover: DeviceId | None
    signed_out: tuple[DeviceId, ...]
    entries: int
    grown: frozenset[AccountId]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who logged in, and where.

    new_device: the id and the secret of the request are the device's now; otherwise the device
        that was shown kept its id and its secret, and its old token opens nothing any more.
    grown: the accounts to wake.
    """

    account: AccountId
    device: DeviceId
    case: Case
    new_device: bool
    merged: Merged | None = None
    grown: frozenset[AccountId] = frozenset()


@dataclass(frozen=True, slots=True)
class Merging:
    """Two accounts that an operator knows to be one person: no device goes on by itself."""

    guest: AccountId
    account: AccountId
    notices: Notices


@dataclass(frozen=True, slots=True)
class Linking:
    """A signed-in account adds a subject. Its device shows the current token, and fresh proof of
    a subject that the account has, and of the one to be added."""

    account: AccountId
    device: DeviceId
    credential: int
    mine: Proof
    added: Proof


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """A subject of an account, as its person and an operator see it.

    linked: the unions of the account on the platform accounts that the subject brought one of.
    pending: a union that came with it and contradicts the one that is linked.
    """

    subject: Subject
    union: Union | None
    pending: Union | None


@dataclass(frozen=True, slots=True)
class SealedKey:
    """The encrypted session_key of the subject with which a device signed in; None where the
    upstream gave none."""

    account: AccountId
    subject: Subject
    sealed: bytes | None

    def __repr__(self) -> str:
        return f"SealedKey(subject={self.subject!r})"


class Remap(NamedTuple):
    """The Open Platform account changed: `old` is `new` from now on."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Remapped:
    """done: links that changed. unknown: no link had the old unionid. taken: the new one is linked
    to somebody else; nothing changed for these."""

    done: int
    unknown: tuple[str, ...]
    taken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PendingUnion:
    """A union that waits for the operator's decision. linked: the one that it contradicts; None
    where a merge had to wait."""

    account: AccountId
    subject: Subject
    linked: Union | None
    given: Union
