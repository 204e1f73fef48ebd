"""A storage that takes its time and fails now and then, as one run of the server sees it.

Time passes before a call does anything and again before its caller hears of it: the server may die
in between. What a commit made durable is told to the history, read from the disk itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NoReturn, Protocol, TypeVar

from client_sim.history import SERVER, Appended, Floor, Saved
from client_sim.pretend.disk import Disk, StoredCursor
from client_sim.pretend.latent_people import LatentPeople
from client_sim.pretend.world import World
from syncd import errors
from syncd.membership import Members
from syncd.model import (
    AccountId,
    ConversationId,
    CursorMark,
    CursorScope,
    Device,
    DeviceId,
    Done,
    Identity,
    Page,
    ReadRequest,
    Seq,
    Submission,
    Work,
)
from syncd.storage import Storage, StorageError
from syncd.storage.keeping import Keeping

Answer = TypeVar("Answer")

_COMMIT_MAX_S = 0.05
_READ_MAX_S = 0.03
_SLOW_MAX_S = 1.0


class Process(Protocol):
    """The run of the server that has the storage open."""

    async def breathe(self) -> None:
        """Return where the process lives and may go on; a dead one never returns."""

    def crash(self) -> None:
        """It dies here."""


class Platter:
    """The disk and its state of health, which outlive every run of the server.

    heads: up to where each log was told.
    """

    def __init__(self, world: World, disk: Disk) -> None:
        self.world = world
        self.disk = disk
        self.full = False
        self.slow = False
        self.heads: dict[AccountId, Seq] = {}

    def tell_news(
        self, submissions: Sequence[Submission] = (), own: Collection[str] | None = None
    ) -> None:
        """Tell every entry that was not told yet; these may have brought some of them. own: the
        messages that a login wrote itself; what else came with them came by a merge."""
        world = self.world
        generations = {
            f"{each.device}#{draft.number}": each.generation
            for each in submissions
            for draft in each.drafts
        }
        for log in self.disk.logs():
            told = self.heads.get(log.account, 0)
            if log.head > told:
                self.heads[log.account] = log.head
                epoch, now = log.epoch.hex(), world.now()
                for seq, (message, body) in self.disk.entries(log.account, told):
                    world.tell(
                        Appended(
                            at=now,
                            by=SERVER,
                            account=log.account,
                            epoch=epoch,
                            seq=seq,
                            message=message,
                            body=body,
                            generation=generations.get(message, 0),
                            merged=own is not None and message not in own,
                        )
                    )

    def tell_cursors(self, before: Sequence[StoredCursor], marks: Sequence[CursorMark]) -> None:
        """Tell which of these the marks have moved since, and which session's mark did."""
        now = self.world.now()
        moved = {
            (mark.device, mark.epoch, mark.seq): mark.generation
            for mark in sorted(marks, key=lambda mark: mark.generation)
        }
        for old, new in zip(before, self.disk.cursors(old.device for old in before), strict=True):
            if new.epoch is not None and (new.epoch, new.seq) != (old.epoch, old.seq):
                self.world.tell(
                    Saved(
                        at=now,
                        by=SERVER,
                        device=new.device,
                        epoch=new.epoch.hex(),
                        seq=new.seq,
                        generation=moved.get((new.device, new.epoch, new.seq), 0),
                    )
                )


class LatentStorage:
    """See Storage. `inner` is the storage on the platter's disk."""

    def __init__(self, platter: Platter, inner: Storage, process: Process) -> None:
        self._platter = platter
        self.world = platter.world
        self._inner = inner
        self._process = process
        self._random = platter.world.chance("disk")

    @property
    def cursor_scope(self) -> CursorScope:
        return self._inner.cursor_scope

    @property
    def keeping(self) -> Keeping:
        return self._inner.keeping

    @property
    def people(self) -> LatentPeople:
        return LatentPeople(self, self._inner.people)

    async def commit(self, work: Work) -> Done:
        platter = self._platter
        cursors: list[StoredCursor] = []

        def begin() -> Awaitable[Done]:
            cursors[:] = platter.disk.cursors(sorted({mark.device for mark in work.cursors}))
            return self._inner.commit(work)

        def tell(done: Done) -> None:
            platter.tell_news(work.submissions)
            platter.tell_cursors(cursors, work.cursors)

        appends = bool(work.submissions or work.publications)
        return await self.written(begin, tell, appends=appends)

    async def written(
        self,
        begin: Callable[[], Awaitable[Answer]],
        tell: Callable[[Answer], None] = lambda answer: None,
        *,
        appends: bool = False,
    ) -> Answer:
        """What the transaction answers that `begin` begins; `tell` is told once it is durable.
        Before or after that the process may die, or never hear how it ended."""
        await self._pass(_COMMIT_MAX_S)
        world = self.world
        if self._platter.full and appends:
            raise StorageError("no room", definite=True, refusal=errors.STORAGE_FULL)
        if world.befalls("commit_refused", "server"):
            # A disk that fails takes its time: what follows is waiting behind it by then.
            await self._pass(_SLOW_MAX_S)
            refusal = self._random.choice((errors.STORAGE_FULL, errors.BUSY))
            raise StorageError("planned", definite=True, refusal=refusal)
        crashes = world.befalls("crash_between", "server")
        unknown = not crashes and world.befalls("commit_unknown", "server")
        if (crashes or unknown) and self._random.random() < 0.5:
            return await self._break_off(crashes)
        answer = await begin()
        tell(answer)
        if crashes or unknown:
            return await self._break_off(crashes)
        await self._pass(_COMMIT_MAX_S)
        return answer

    async def looked(self, look: Callable[[], Awaitable[Answer]]) -> Answer:
        """What a look at the store answers."""
        answer = await look()
        await self._pass(_READ_MAX_S)
        return answer

    def tell_news(self, own: Collection[str]) -> None:
        """See Platter."""
        self._platter.tell_news(own=own)

    async def _break_off(self, crashes: bool) -> NoReturn:
        if not crashes:
            raise StorageError("planned", definite=False)
        self._process.crash()
        await self.world.never()

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        await self._pass(_READ_MAX_S)
        if self.world.befalls("read_failed", "server"):
            raise StorageError("planned", definite=True)
        pages = await self._inner.read(requests)
        await self._pass(_READ_MAX_S)
        return pages

    async def heads(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Seq]:
        heads = await self._inner.heads(accounts)
        await self._pass(_READ_MAX_S)
        return heads

    async def members(self, conversation: ConversationId) -> Members | None:
        members = await self._inner.members(conversation)
        await self._pass(_READ_MAX_S)
        return members

    async def trim(self, account: AccountId, before: Seq) -> Seq:
        await self._pass(_COMMIT_MAX_S)
        floor = await self._inner.trim(account, before)
        [epoch] = [each.epoch for each in self._platter.disk.logs() if each.account == account]
        now = self.world.now()
        self.world.tell(Floor(at=now, by=SERVER, account=account, epoch=epoch.hex(), floor=floor))
        return floor

    async def erase(self, account: AccountId, seq: Seq) -> int:
        await self._pass(_COMMIT_MAX_S)
        return await self._inner.erase(account, seq)

    async def edits(self, account: AccountId, seq: Seq) -> Mapping[Seq, Identity]:
        await self._pass(_READ_MAX_S)
        return await self._inner.edits(account, seq)

    async def close(self) -> None:
        await self._inner.close()

    # ------------------------------------------------------------ identity's rows

    async def create_account(self, account: AccountId) -> bool:
        await self._pass(_COMMIT_MAX_S)
        return await self._inner.create_account(account)

    async def create_device(
        self, account: AccountId, device: DeviceId, name: str, platform: str, token_hash: bytes
    ) -> None:
        await self._pass(_COMMIT_MAX_S)
        await self._inner.create_device(account, device, name, platform, token_hash)

    async def device_by_token(self, token_hash: bytes) -> Device | None:
        device = await self._inner.device_by_token(token_hash)
        await self._pass(_READ_MAX_S)
        return device

    async def devices(self, account: AccountId) -> list[Device]:
        devices = await self._inner.devices(account)
        await self._pass(_READ_MAX_S)
        return devices

    async def change_credential(self, device: DeviceId, token_hash: bytes | None) -> Device:
        await self._pass(_COMMIT_MAX_S)
        changed = await self._inner.change_credential(device, token_hash)
        await self._pass(_COMMIT_MAX_S)
        return changed

    async def add_key(self, name: str, key_hash: bytes) -> None:
        await self._pass(_COMMIT_MAX_S)
        await self._inner.add_key(name, key_hash)

    async def key_name(self, key_hash: bytes) -> str | None:
        await self._pass(_READ_MAX_S)
        return await self._inner.key_name(key_hash)

    async def _pass(self, most_s: float) -> None:
        """Let time pass; a process that died meanwhile goes no further."""
        latency = self._random.random() ** 2 * most_s
        if self._platter.slow or self.world.befalls("disk_slow", "server"):
            latency += self._random.random() * _SLOW_MAX_S
        await asyncio.sleep(latency)
        await self._process.breathe()
