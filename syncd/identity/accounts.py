"""What may be done to a person's account as a whole, by the person or by an operator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from syncd import errors
from syncd.errors import Refusal
from syncd.identity import words
from syncd.identity.words import Declined
from syncd.model import AccountId, DeviceId
from syncd.persons import (
    Merged,
    Merging,
    Notices,
    PendingUnion,
    Remap,
    Remapped,
    Standing,
    SubjectFacts,
)
from syncd.storage.people import People


class Accounts:
    """All persons of a store. Every method raises Declined, and StorageError.

    ended, wake: as in login.Surroundings.
    """

    def __init__(
        self,
        people: People,
        notices: Notices,
        ended: Callable[[DeviceId, Refusal], None],
        wake: Callable[[Iterable[AccountId]], None],
    ) -> None:
        self._people = people
        self._notices = notices
        self._ended = ended
        self._wake = wake

    async def subjects(self, account: str) -> tuple[AccountId, list[SubjectFacts]]:
        """By what a person is known, and the account that it is since its last merge."""
        found = await self._people.account_of(words.account_id(account))
        if found is None:
            raise Declined(errors.NO_SUCH_ACCOUNT)
        return found, await self._people.subjects(found)

    async def merge(self, guest: str, account: str) -> Merged:
        """Merge two accounts of one person, by the operator's word: the guest's devices are signed
        out, all of them."""
        merging = Merging(words.account_id(guest), words.account_id(account), self._notices)
        merged = await self._people.merge(merging)
        if isinstance(merged, Refusal):
            raise Declined(merged)
        self._end(merged.signed_out, errors.SIGNED_OUT_BY_MERGE)
        self._wake(merged.grown)
        return merged

    async def standing(self, account: str) -> Standing:
        """How an account stands."""
        found = await self._people.standing(words.account_id(account))
        if found is None:
            raise Declined(errors.NO_SUCH_ACCOUNT)
        return found

    async def stand(self, account: str, standing: Standing) -> tuple[DeviceId, ...]:
        """Set how an account stands; the devices that were signed out by it."""
        signed_out = await self._people.stand(words.account_id(account), standing)
        if signed_out is None:
            raise Declined(errors.NO_SUCH_ACCOUNT)
        self._end(signed_out, errors.SIGNED_OUT)
        return signed_out

    async def sign_out(
        self, account: str, *, keep: str | None = None, only: str | None = None
    ) -> tuple[DeviceId, ...]:
        """End the sessions of an account: of all its devices but `keep`, or of `only`. The devices
        that were signed in; they may log in again."""
        known = await self._people.account_of(words.account_id(account))
        if known is None:
            raise Declined(errors.NO_SUCH_ACCOUNT)
        kept, named = (None if each is None else words.device_id(each) for each in (keep, only))
        signed_out = await self._people.sign_out(known, kept, named)
        self._end(signed_out, errors.SIGNED_OUT)
        return signed_out

    async def rename_device(self, account: AccountId, device: DeviceId, name: str) -> None:
        """Give a device of the account another name, for people."""
        if not await self._people.rename(account, device, words.device_name(name)):
            raise Declined(errors.NOT_FOUND, "There is no such device.")

    async def pending(self) -> list[PendingUnion]:
        """The unions that wait for the operator, oldest first."""
        return await self._people.pending()

    async def remap(self, platform: str, changes: Sequence[Remap]) -> Remapped:
        """Say which unionid is which, after apps were bound to another platform account."""
        return await self._people.remap(platform, changes)

    def _end(self, devices: Iterable[DeviceId], refusal: Refusal) -> None:
        for each in devices:
            self._ended(each, refusal)
