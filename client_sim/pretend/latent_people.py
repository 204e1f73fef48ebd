"""The door to login's rows as one run of the pretended server sees it: slow, and failing now and
then. What a login did to logs is told to the history, read from the disk itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from client_sim.history import SERVER, Merged, Revoked, Send
from client_sim.pretend.disk import content, named
from syncd import persons
from syncd.errors import Refusal
from syncd.model import AccountId, ConversationId, DeviceId, Identity, Kind, Record, direct
from syncd.storage.people import People

if TYPE_CHECKING:
    from client_sim.pretend.latent_storage import LatentStorage


class _HeardNotices:
    """See persons.Notices: the writer's, and what it wrote."""

    def __init__(self, notices: persons.Notices) -> None:
        self.written: list[tuple[AccountId, Identity, Record]] = []
        self._notices = notices

    def merged(
        self,
        guest: AccountId,
        account: AccountId,
        entries: int,
        read: Mapping[ConversationId, int],
    ) -> tuple[Identity, Record]:
        return self._heard(account, self._notices.merged(guest, account, entries, read))

    def device_added(
        self, account: AccountId, device: DeviceId, name: str, platform: str
    ) -> tuple[Identity, Record]:
        return self._heard(account, self._notices.device_added(account, device, name, platform))

    def _heard(
        self, account: AccountId, written: tuple[Identity, Record]
    ) -> tuple[Identity, Record]:
        self.written.append((account, *written))
        return written


class LatentPeople:
    """See People. latent: the storage through whose latencies and failures every call goes."""

    def __init__(self, latent: LatentStorage, inner: People) -> None:
        self._latent = latent
        self._world = latent.world
        self._inner = inner

    # ------------------------------------------------------------ what changes logs

    async def sign_in(self, request: persons.SignIn) -> persons.SignedIn | Refusal:
        heard = _HeardNotices(request.notices)

        def tell(done: persons.SignedIn | Refusal) -> None:
            if isinstance(done, persons.SignedIn):
                self._tell(heard, done.merged)

        return await self._latent.written(
            lambda: self._inner.sign_in(replace(request, notices=heard)), tell
        )

    async def merge(self, request: persons.Merging) -> persons.Merged | Refusal:
        heard = _HeardNotices(request.notices)

        def tell(done: persons.Merged | Refusal) -> None:
            if isinstance(done, persons.Merged):
                self._tell(heard, done)

        return await self._latent.written(
            lambda: self._inner.merge(replace(request, notices=heard)), tell
        )

    def _tell(self, heard: _HeardNotices, merged: persons.Merged | None) -> None:
        """What stands in the logs now; all that is new and no notice came from a guest's log."""
        for account, identity, record in heard.written:
            _, body = content(record.header, record.body)
            self._world.tell(
                Send(
                    at=self._world.now(),
                    by=SERVER,
                    device=identity.device,
                    message=named(identity),
                    body=body,
                    to=(account,),
                    kind=int(Kind.SYSTEM),
                    conversation=direct(account, account),
                )
            )
        if merged is not None:
            self._world.tell(
                Merged(
                    at=self._world.now(),
                    by=SERVER,
                    guest=merged.guest,
                    account=merged.account,
                    prover=merged.prover or "",
                )
            )
        self._latent.tell_news(own={named(identity) for _, identity, _ in heard.written})
        if merged is not None:
            self._tell_signed_out(merged.signed_out)

    # ------------------------------------------------------------ what ends sessions

    async def sign_out(
        self, account: AccountId, keep: DeviceId | None, only: DeviceId | None = None
    ) -> tuple[DeviceId, ...]:
        return await self._latent.written(
            lambda: self._inner.sign_out(account, keep, only), self._tell_signed_out
        )

    async def stand(
        self, account: AccountId, standing: persons.Standing
    ) -> tuple[DeviceId, ...] | None:
        return await self._latent.written(
            lambda: self._inner.stand(account, standing),
            lambda done: self._tell_signed_out(done or ()),
        )

    async def replayed(self, grant: bytes) -> DeviceId | None:
        return await self._latent.written(
            lambda: self._inner.replayed(grant),
            lambda done: self._tell_signed_out(() if done is None else (done,)),
        )

    def _tell_signed_out(self, devices: Sequence[DeviceId]) -> None:
        for each in devices:
            self._world.tell(
                Revoked(at=self._world.now(), by=SERVER, device=each, until_login=True)
            )

    # ------------------------------------------------------------ all else

    async def link(self, request: persons.Linking) -> Refusal | None:
        return await self._latent.written(lambda: self._inner.link(request))

    async def unlink(
        self, account: AccountId, mine: persons.Subject, removed: persons.Subject
    ) -> Refusal | None:
        return await self._latent.written(lambda: self._inner.unlink(account, mine, removed))

    async def rename(self, account: AccountId, device: DeviceId, name: str) -> bool:
        return await self._latent.written(lambda: self._inner.rename(account, device, name))

    async def remap(self, platform: str, changes: Sequence[persons.Remap]) -> persons.Remapped:
        return await self._latent.written(lambda: self._inner.remap(platform, changes))

    async def over(self, sessions: Mapping[DeviceId, int | None]) -> Mapping[DeviceId, Refusal]:
        return await self._latent.looked(lambda: self._inner.over(sessions))

    async def account_of(self, account: AccountId) -> AccountId | None:
        return await self._latent.looked(lambda: self._inner.account_of(account))

    async def aliases(self, account: AccountId) -> tuple[AccountId, ...]:
        return await self._latent.looked(lambda: self._inner.aliases(account))

    async def standing(self, account: AccountId) -> persons.Standing | None:
        return await self._latent.looked(lambda: self._inner.standing(account))

    async def subjects(self, account: AccountId) -> list[persons.SubjectFacts]:
        return await self._latent.looked(lambda: self._inner.subjects(account))

    async def find(self, subject: persons.Subject) -> AccountId | None:
        return await self._latent.looked(lambda: self._inner.find(subject))

    async def sealed_key(self, device: DeviceId) -> persons.SealedKey | None:
        return await self._latent.looked(lambda: self._inner.sealed_key(device))

    async def pending(self) -> list[persons.PendingUnion]:
        return await self._latent.looked(self._inner.pending)
