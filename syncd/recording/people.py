"""Logins told to a journal: who is on which device from now on, what a merge brought, whose
sessions ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from syncd.errors import Refusal
from syncd.model import AccountId, ConversationId, DeviceId, Identity, Kind, Record, direct
from syncd.persons import (
    Linking,
    Merged,
    Merging,
    Notices,
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
from syncd.recording.journal import Journal, content, named
from syncd.storage.people import People
from syncd.wire.codec import unpack_entries

if TYPE_CHECKING:
    from syncd.recording.storage import RecordedStorage


class _HeardNotices:
    """See persons.Notices: the writer's, and what it wrote."""

    def __init__(self, notices: Notices) -> None:
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


class RecordedPeople:
    """See People. storage: the recorded storage that it belongs to."""

    def __init__(self, storage: RecordedStorage, inner: People, journal: Journal) -> None:
        self._storage = storage
        self._inner = inner
        self._journal = journal

    # ------------------------------------------------------------ what changes logs

    async def sign_in(self, request: SignIn) -> SignedIn | Refusal:
        heard = _HeardNotices(request.notices)
        async with self._storage.turn:
            done = await self._inner.sign_in(replace(request, notices=heard))
            if isinstance(done, SignedIn):
                named_as = {"name": request.name, "platform": request.platform}
                await self._tell(done.account, heard, done.merged)
                self._journal.tell("device", device=done.device, account=done.account, **named_as)
        return done

    async def merge(self, request: Merging) -> Merged | Refusal:
        heard = _HeardNotices(request.notices)
        async with self._storage.turn:
            done = await self._inner.merge(replace(request, notices=heard))
            if isinstance(done, Merged):
                await self._tell(done.account, heard, done)
        return done

    async def _tell(self, account: AccountId, heard: _HeardNotices, merged: Merged | None) -> None:
        for whose, identity, record in heard.written:
            self._tell_notice(whose, identity, record)
        if merged is not None:
            guest = {"guest": merged.guest, "account": merged.account}
            self._journal.tell("merged", **guest, prover=merged.prover or "")
            self._tell_signed_out(merged.signed_out)
        own = {named(each.device, each.number) for _, each, _ in heard.written}
        if own:
            brought = 0 if merged is None else merged.entries
            await self._storage.tell_merged(own, brought, account)

    def _tell_notice(self, account: AccountId, identity: Identity, record: Record) -> None:
        [entry] = unpack_entries(1, record.header + record.body)
        message, body = content(entry)
        self._journal.tell(
            "send",
            device=identity.device,
            message=message,
            body=body,
            to=[account],
            kind=int(Kind.SYSTEM),
            conversation=direct(account, account),
            size=len(entry.body or b""),
        )

    # ------------------------------------------------------------ what ends sessions

    async def sign_out(
        self, account: AccountId, keep: DeviceId | None, only: DeviceId | None = None
    ) -> tuple[DeviceId, ...]:
        signed_out = await self._inner.sign_out(account, keep, only)
        self._tell_signed_out(signed_out)
        return signed_out

    async def stand(self, account: AccountId, standing: Standing) -> tuple[DeviceId, ...] | None:
        signed_out = await self._inner.stand(account, standing)
        self._tell_signed_out(signed_out or ())
        return signed_out

    async def replayed(self, grant: bytes) -> DeviceId | None:
        ended = await self._inner.replayed(grant)
        self._tell_signed_out(() if ended is None else (ended,))
        return ended

    def _tell_signed_out(self, devices: Iterable[DeviceId]) -> None:
        for each in devices:
            self._journal.tell("revoked", device=each, until_login=True)

    # ------------------------------------------------------------ all else

    async def link(self, request: Linking) -> Refusal | None:
        return await self._inner.link(request)

    async def unlink(self, account: AccountId, mine: Subject, removed: Subject) -> Refusal | None:
        return await self._inner.unlink(account, mine, removed)

    async def over(self, sessions: Mapping[DeviceId, int | None]) -> Mapping[DeviceId, Refusal]:
        return await self._inner.over(sessions)

    async def rename(self, account: AccountId, device: DeviceId, name: str) -> bool:
        return await self._inner.rename(account, device, name)

    async def account_of(self, account: AccountId) -> AccountId | None:
        return await self._inner.account_of(account)

    async def aliases(self, account: AccountId) -> tuple[AccountId, ...]:
        return await self._inner.aliases(account)

    async def standing(self, account: AccountId) -> Standing | None:
        return await self._inner.standing(account)

    async def subjects(self, account: AccountId) -> list[SubjectFacts]:
        return await self._inner.subjects(account)

    async def find(self, subject: Subject) -> AccountId | None:
        return await self._inner.find(subject)

    async def sealed_key(self, device: DeviceId) -> SealedKey | None:
        return await self._inner.sealed_key(device)

    async def pending(self) -> list[PendingUnion]:
        return await self._inner.pending()

    async def remap(self, platform: str, changes: Sequence[Remap]) -> Remapped:
        return await self._inner.remap(platform, changes)
