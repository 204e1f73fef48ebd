"""The register of persons: what a backend tells and changes inside a transaction of login.

The procedures of login (signing_in.py) and of a merge (merging.py) are written once, over this.
Accounts that it tells are never aliases, but where it says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from syncd import errors
from syncd.errors import Refusal, Scope
from syncd.heading import Heading
from syncd.membership import Members
from syncd.model import AccountId, ConversationId, DeviceId, Identity, Record, Seq
from syncd.persons import Subject, Union
from syncd.storage.logins import Person

ENDINGS: Mapping[str, Refusal] = {
    row.name: row for row in errors.TABLE if row.scope is Scope.SOCKET
}
"""Why a device is signed out, by the name that its row holds."""


def ending(name: str | None) -> Refusal | None:
    """What `name` stands for; nothing, where the device is not signed out. Raises ValueError."""
    if name is None:
        return None
    if name not in ENDINGS:
        raise ValueError(f"nothing is signed out as {name!r:.40}")
    return ENDINGS[name]


@dataclass(frozen=True, slots=True)
class Installed:
    """A device as login sees it. ended: why its token opens nothing; None where it does."""

    device: DeviceId
    account: AccountId
    credential: int
    revoked: bool
    ended: Refusal | None
    secret_hash: bytes | None
    subject: Subject | None


class NewDevice(NamedTuple):
    """A device that is to be made."""

    device: DeviceId
    name: str
    platform: str
    secret_hash: bytes | None
    token_hash: bytes


class Copy(NamedTuple):
    """An entry of a guest's log, and where the account's log holds the same message, if it does."""

    seq: Seq
    heading: Heading
    held: Seq | None


class Register(Protocol):
    """Of one transaction; nothing is durable before its end."""

    # ------------------------------------------------------------ accounts

    def home(self, account: AccountId) -> AccountId | None:
        """Whose log takes what is addressed to this account, which may be an alias; None for an
        unknown one."""

    def person(self, account: AccountId) -> Person:
        """How an account stands, with its links."""

    def create_account(self, account: AccountId) -> None:
        """Make an account and its log. Raises KeyError where it exists."""

    def close_log(self, guest: AccountId, account: AccountId) -> None:
        """From now on `guest` is an alias of `account`."""

    # ------------------------------------------------------------ subjects and links

    def whose(self, subject: Subject) -> AccountId | None:
        """Whose subject this is."""

    def owner(self, union: Union) -> AccountId | None:
        """Who has this link."""

    def add_subject(self, subject: Subject, account: AccountId) -> None:
        """A new subject."""

    def note(
        self, subject: Subject, sealed_key: bytes | None, platform: str | None, pending: str | None
    ) -> None:
        """What came with a subject: a sealed key (None keeps the old one), the platform account of
        its union (None: nothing came, and nothing of it changes), a union that waits."""

    def add_link(self, union: Union, account: AccountId) -> None:
        """Nobody has it, and the account has none of this platform account."""

    def move_subjects(self, guest: AccountId, account: AccountId) -> None:
        """Subjects and links of the guest are the account's."""

    def settle_pending(self) -> None:
        """What was pending and is linked to its account by now waits no more."""

    # ------------------------------------------------------------ devices

    def device(self, device: DeviceId) -> Installed | None:
        """None for one that this store does not know."""

    def devices_of(self, account: AccountId) -> list[Installed]:
        """All of the account, oldest first."""

    def add_device(self, new: NewDevice, account: AccountId, subject: Subject | None) -> None:
        """Make one, with credential 1 and generation 0. Raises KeyError where id or token are
        taken."""

    def renew_device(self, device: DeviceId, token_hash: bytes, subject: Subject | None) -> None:
        """Another token, credential and generation; what ended it is over. subject: None keeps
        what is there. Raises KeyError where the token is taken."""

    def end_device(self, device: DeviceId, why: Refusal) -> None:
        """Its token opens nothing any more; a new generation."""

    def move_devices(self, guest: AccountId, account: AccountId) -> None:
        """The guest's devices are the account's."""

    def remembered(self, device: DeviceId) -> list[tuple[int, Seq]]:
        """Number and seq of the answers that a device may ask for again."""

    def rewrite_answers(self, device: DeviceId, places: Iterable[tuple[int, Seq]]) -> None:
        """Other seqs for these numbers; 0 for none."""

    def add_grant(self, grant: bytes, device: DeviceId) -> None:
        """The code of this hash got the device's current token."""

    # ------------------------------------------------------------ logs

    def append(self, account: AccountId, identity: Identity, record: Record) -> Seq:
        """Append an entry to the account's own log alone."""

    def copies(self, guest: AccountId, account: AccountId) -> Iterator[Copy]:
        """The entries of the guest's log, in order. Raises Damaged where they contradict their
        checksums."""

    def graft(self, guest: AccountId, account: AccountId, after: Seq) -> Iterator[Seq]:
        """Append to the account's log what follows `after` in the guest's log and is not in the
        account's, in order and as it is; the guest's seq of each."""

    def marks(self, account: AccountId) -> dict[ConversationId, Seq]:
        """Up to where an account has read, by conversation."""

    def save_mark(self, account: AccountId, conversation: ConversationId, seq: Seq) -> None:
        """Set a mark."""

    def find(self, account: AccountId, identity: Identity) -> Seq | None:
        """Where the account's log holds this message."""

    def groups_of(self, account: AccountId) -> list[ConversationId]:
        """The groups that an account is in."""

    def members(self, conversation: ConversationId) -> Members:
        """Who is in a group that exists."""

    def set_members(self, conversation: ConversationId, members: Members) -> None:
        """Who is in it from now on."""

    @property
    def grown(self) -> frozenset[AccountId]:
        """The accounts whose logs got entries."""
