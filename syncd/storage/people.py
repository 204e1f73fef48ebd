"""The door to what login needs: subjects, links, aliases, and the merge of two accounts.

Every method is one transaction, durable when it returns, and raises StorageError. Whoever is
signed out or gets a new token takes a new generation in the same transaction; the caller closes
live sockets after it returned, and wakes `grown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId
from syncd.persons import (
    Linking,
    Merged,
    Merging,
    PendingUnion,
    Remap,
    Remapped,
    SealedKey,
    SignedIn,
    SignIn,
    Standing,
    Subject,
    SubjectFacts,
)


class People(Protocol):
    """What a backend offers beside logs: tests/storage/test_people.py holds for each of them."""

    async def sign_in(self, request: SignIn) -> SignedIn | Refusal:
        """Do what logins.decide says, the merge included, and make or renew the device.

        A Vouch: NOT_AUTHENTICATED unless the vouching device is the account's, not revoked, not
        signed out and its credential current; ACCOUNT_GONE.
        A Proof: ACCOUNT_GONE; `sealed_key` and `grant` are kept with the subject and the device.

        The device: one that is shown, proven and of this account keeps its id and its secret (also
        one of a guest that was merged into it); one that is shown with a secret and of which this
        store never heard is made with that id and that secret; a revoked one is DEVICE_REVOKED and
        nothing changes; a credential that is not the current one is NOT_AUTHENTICATED and nothing
        changes; in all other cases a new one is made. Of one that this store did not know a
        device_added notice is appended to the account's log, unless the account is new, too. Each
        gets `token_hash` and a new generation; what ended it before (sign_out) is over.

        A merge happens in the same transaction: the merged notice; the guest's entries that the
        account's log does not hold, in their order, header and body as they are; read marks, where
        the account's log held already what they are about; memberships, an owner's role winning;
        subjects and pending unions; the guest's devices with their remembered numbers, whose seqs
        are those of the account's log from now on (0 where it does not hold them). The guest's log
        stays, closed: whatever is addressed to the guest goes to the account's log. The guest's
        devices are signed out with SIGNED_OUT_BY_MERGE, but the one that is shown and proven.
        """

    async def merge(self, request: Merging) -> Merged | Refusal:
        """Merge by an operator's word; links are united, too. NO_SUCH_ACCOUNT; MERGE_REFUSED where
        both are one, either is leaving or gone, or both have a link to one platform account."""

    async def link(self, request: Linking) -> Refusal | None:
        """Add a subject to a signed-in account, with its union where nobody has it.

        NOT_AUTHENTICATED as for a Vouch; PROOF_NEEDED where `mine` is no subject of the account;
        IDENTITY_IN_USE where the subject or its union is somebody else's, or the account has
        another union of that platform account. Doing it twice is no error.
        """

    async def unlink(self, account: AccountId, mine: Subject, removed: Subject) -> Refusal | None:
        """Take a subject off the account. PROOF_NEEDED where `mine` is none of its subjects;
        NOT_FOUND; LAST_IDENTITY where no other would remain."""

    async def replayed(self, grant: bytes) -> DeviceId | None:
        """A code came a second time: the device that it got is signed out (SIGNED_OUT), unless it
        has a newer token since; the device, for its socket to be closed. None where nothing was
        ended. The newest limits.GRANTS_REMEMBERED grants are known."""

    async def sign_out(
        self, account: AccountId, keep: DeviceId | None, only: DeviceId | None = None
    ) -> tuple[DeviceId, ...]:
        """End the tokens of all devices of the account but `keep`, or of `only` alone, with
        SIGNED_OUT; those that were signed in. They may log in again with their secrets."""

    async def over(self, sessions: Mapping[DeviceId, int | None]) -> Mapping[DeviceId, Refusal]:
        """Of these devices, each with the version of the token with which its session began (None:
        an embedder's login vouched), those whose right is over, and why: DEVICE_REVOKED, also for
        an unknown one; what signed it out; TOKEN_ROTATED. Asked every second about all that are
        connected."""

    async def rename(self, account: AccountId, device: DeviceId, name: str) -> bool:
        """False where the account has no such device."""

    async def account_of(self, account: AccountId) -> AccountId | None:
        """Whose log takes what is addressed to this account: itself, or what it was merged into,
        transitively; None for an unknown one."""

    async def aliases(self, account: AccountId) -> tuple[AccountId, ...]:
        """The accounts that were merged into this one, directly or not, as Opening.aliases tells
        them; none for an unknown account."""

    async def standing(self, account: AccountId) -> Standing | None:
        """None for an unknown account."""

    async def stand(self, account: AccountId, standing: Standing) -> tuple[DeviceId, ...] | None:
        """Set how an account stands; None for an unknown one. Who is GONE is signed out
        (SIGNED_OUT): the devices that were signed in."""

    async def subjects(self, account: AccountId) -> list[SubjectFacts]:
        """All subjects of an account, oldest first."""

    async def find(self, subject: Subject) -> AccountId | None:
        """Whose subject this is."""

    async def sealed_key(self, device: DeviceId) -> SealedKey | None:
        """Of the subject with which the device signed in last; None for a device that no subject
        signed in."""

    async def pending(self) -> list[PendingUnion]:
        """All unions that wait for the operator, oldest first."""

    async def remap(self, platform: str, changes: Sequence[Remap]) -> Remapped:
        """Replace unionids of one platform account, all in one transaction. What was pending and is
        linked now waits no more."""
