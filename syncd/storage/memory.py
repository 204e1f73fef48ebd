"""The reference backend: everything in dictionaries, short enough to be the specification.

The rules are plain functions without an await (`commit_now`, `read_now` ...), so that a simulator
may run them inline; the door's coroutines only pass them on. Nothing survives the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from syncd import chain, errors
from syncd.errors import Refusal
from syncd.limits import REMEMBERED_MESSAGES
from syncd.model import (
    EPOCH_BYTES,
    Accepted,
    AccountId,
    Chain,
    CursorMark,
    CursorScope,
    Device,
    DeviceId,
    Done,
    Draft,
    Epoch,
    Link,
    Opening,
    OpeningRequest,
    Outcome,
    Page,
    Publication,
    ReadRequest,
    Record,
    Refused,
    Seq,
    Submission,
    Superseded,
    Work,
)
from syncd.storage import UNKNOWN_EPOCH
from syncd.storage.cursors import cursor_key
from syncd.storage.remembered import Answer, Remembered


@dataclass(frozen=True, slots=True)
class _Entry:
    encoded: bytes
    link: Link


@dataclass(slots=True)
class _Log:
    """One account's log: the entries floor+1 .. head, and the link that they continue."""

    epoch: Epoch
    floor: Seq = 0
    floor_link: Link = chain.GENESIS
    entries: list[_Entry] = field(default_factory=list)

    @property
    def head(self) -> Seq:
        return self.floor + len(self.entries)

    def link_at(self, seq: Seq) -> Link | None:
        if not self.floor <= seq <= self.head:
            return None
        return self.floor_link if seq == self.floor else self.entries[seq - self.floor - 1].link

    def chain_at(self, seq: Seq | None) -> Chain | None:
        link = None if seq is None else self.link_at(seq)
        return None if link is None else chain.shown(link)

    def append(self, record: Record) -> Seq:
        previous = self.entries[-1].link if self.entries else self.floor_link
        seq = self.head + 1
        link = chain.link(previous, seq, record.header, record.body_hash)
        self.entries.append(_Entry(record.header + record.body, link))
        return seq

    def page(self, after: Seq, bytes_max: int) -> Page:
        floor_chain = chain.shown(self.floor_link)
        to, at, size = after, floor_chain, 0
        pieces: list[bytes] = []
        while self.floor <= to < self.head:
            entry = self.entries[to - self.floor]
            size += len(entry.encoded)
            if pieces and size > bytes_max:
                break
            to, at = to + 1, chain.shown(entry.link)
            pieces.append(entry.encoded)
        return Page(self.epoch, self.floor, floor_chain, self.head, to, at, b"".join(pieces))


@dataclass(slots=True)
class _Device:
    device: DeviceId
    account: AccountId
    name: str
    platform: str
    token_hash: bytes
    remembered: Remembered
    credential: int = 1
    generation: int = 0
    instance: str | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class _Published:
    content: bytes
    account: AccountId
    seq: Seq


@dataclass(frozen=True, slots=True)
class _Cursor:
    epoch: Epoch
    seq: Seq


class MemoryStorage:
    """Storage in memory. `draw` gives the random bytes of epochs; a simulator seeds it."""

    def __init__(
        self,
        cursor_scope: CursorScope = CursorScope.DEVICE,
        remembered: int = REMEMBERED_MESSAGES,
        draw: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._scope = cursor_scope
        self._capacity = remembered
        self._draw = draw
        self._logs: dict[AccountId, _Log] = {}
        self._devices: dict[DeviceId, _Device] = {}
        self._cursors: dict[str, _Cursor] = {}
        self._published: dict[tuple[str, str], _Published] = {}
        self._keys: dict[str, bytes] = {}

    @property
    def cursor_scope(self) -> CursorScope:
        return self._scope

    # ------------------------------------------------------------ one transaction

    def commit_now(self, work: Work) -> Done:
        """What `commit` promises, at once: nothing here can fail half-way."""
        grown: set[AccountId] = set()
        for mark in work.cursors:
            self._mark(mark)
        openings = tuple(self._open(request) for request in work.openings)
        submissions = tuple(self._submit(each, grown) for each in work.submissions)
        publications = tuple(self._publish(each, grown) for each in work.publications)
        return Done(openings, submissions, publications, frozenset(grown))

    def _open(self, request: OpeningRequest) -> Opening | Refusal:
        device = self._devices.get(request.device)
        if device is None or device.account != request.account:
            return errors.NOT_AUTHENTICATED
        if device.revoked:
            return errors.DEVICE_REVOKED
        if request.credential not in (None, device.credential):
            return errors.TOKEN_ROTATED
        device.generation += 1
        device.instance = request.instance
        log = self._logs[device.account]
        saved = self._cursors.get(self._cursor_key(device))
        cursor = saved.seq if saved and saved.epoch == log.epoch else None
        return Opening(
            generation=device.generation,
            epoch=log.epoch,
            floor=log.floor,
            floor_chain=chain.shown(log.floor_link),
            head=log.head,
            sent=device.remembered.highest,
            stated_chain=log.chain_at(request.stated),
            cursor=cursor,
            cursor_chain=log.chain_at(cursor),
            cursor_outdated=saved is not None and cursor is None,
        )

    def _submit(
        self, submission: Submission, grown: set[AccountId]
    ) -> tuple[Outcome, ...] | Superseded:
        device = self._devices.get(submission.device)
        if device is None or device.revoked:
            return Superseded(None)
        if submission.generation != device.generation:
            return Superseded(device.instance)
        return tuple(self._append(device, draft, grown) for draft in submission.drafts)

    def _append(self, device: _Device, draft: Draft, grown: set[AccountId]) -> Outcome:
        assert draft.account == device.account == draft.members[0], (
            "a device speaks for its account"
        )
        known = device.remembered.judge(draft, self._logs[draft.account].floor)
        if known is not None:
            return known
        if not all(member in self._logs for member in draft.members):
            return Refused(draft.number, errors.UNKNOWN_ACCOUNT)
        seqs = {member: self._logs[member].append(draft.record) for member in draft.members}
        grown.update(seqs)
        device.remembered.accept(draft.number, Answer(seqs[draft.account], draft.content))
        return Accepted(draft.number, seqs[draft.account], duplicate=False)

    def _publish(self, publication: Publication, grown: set[AccountId]) -> Accepted | Refusal:
        key = (publication.publisher, publication.key)
        known = self._published.get(key)
        if known is not None:
            if (known.content, known.account) != (publication.content, publication.account):
                return errors.KEY_CONFLICT
            trimmed = known.seq <= self._logs[known.account].floor
            return Accepted(0, None if trimmed else known.seq, duplicate=True)
        log = self._logs.get(publication.account)
        if log is None:
            return errors.NO_SUCH_ACCOUNT
        seq = log.append(publication.record)
        grown.add(publication.account)
        self._published[key] = _Published(publication.content, publication.account, seq)
        return Accepted(0, seq, duplicate=False)

    def _mark(self, mark: CursorMark) -> None:
        device = self._devices.get(mark.device)
        if device is None or device.revoked or mark.generation != device.generation:
            return
        log, key = self._logs[device.account], self._cursor_key(device)
        if mark.account != device.account or mark.epoch != log.epoch or mark.seq > log.head:
            return
        saved = self._cursors.get(key)
        if saved is None or saved.epoch != log.epoch or saved.seq < mark.seq:
            self._cursors[key] = _Cursor(log.epoch, mark.seq)

    def _cursor_key(self, device: _Device) -> str:
        return cursor_key(self._scope, device.device, device.account, device.platform)

    # ------------------------------------------------------------ logs

    def read_now(self, requests: Sequence[ReadRequest]) -> list[Page]:
        nothing = _Log(UNKNOWN_EPOCH)
        return [
            self._logs.get(request.account, nothing).page(request.after, request.bytes_max)
            for request in requests
        ]

    def heads_now(self, accounts: Sequence[AccountId]) -> dict[AccountId, Seq]:
        return {account: self._logs[account].head for account in accounts if account in self._logs}

    def trim_now(self, account: AccountId, before: Seq) -> Seq:
        log = self._logs[account]
        floor = min(before - 1, log.head)
        link = log.link_at(floor)
        if link is not None:
            del log.entries[: floor - log.floor]
            log.floor, log.floor_link = floor, link
        return log.floor

    async def commit(self, work: Work) -> Done:
        return self.commit_now(work)

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        return self.read_now(requests)

    async def heads(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Seq]:
        return self.heads_now(accounts)

    async def trim(self, account: AccountId, before: Seq) -> Seq:
        return self.trim_now(account, before)

    async def close(self) -> None:
        pass

    # ------------------------------------------------------------ identity's rows

    async def create_account(self, account: AccountId) -> bool:
        if account in self._logs:
            return False
        self._logs[account] = _Log(Epoch(self._draw(EPOCH_BYTES)))
        return True

    async def create_device(
        self, account: AccountId, device: DeviceId, name: str, platform: str, token_hash: bytes
    ) -> None:
        if account not in self._logs:
            raise KeyError(account)
        if device in self._devices or self._find(token_hash):
            raise KeyError(device)
        remembered = Remembered(self._capacity)
        self._devices[device] = _Device(device, account, name, platform, token_hash, remembered)

    async def device_by_token(self, token_hash: bytes) -> Device | None:
        found = self._find(token_hash)
        return None if found is None else self._seen(found)

    async def devices(self, account: AccountId) -> list[Device]:
        return [self._seen(each) for each in self._devices.values() if each.account == account]

    async def change_credential(self, device: DeviceId, token_hash: bytes | None) -> Device:
        changed = self._devices[device]
        if token_hash is None:
            changed.revoked = True
        elif self._find(token_hash) not in (None, changed):
            raise KeyError(device)
        else:
            changed.token_hash = token_hash
            changed.credential += 1
        changed.generation += 1
        return self._seen(changed)

    def _find(self, token_hash: bytes) -> _Device | None:
        found = (each for each in self._devices.values() if each.token_hash == token_hash)
        return next(found, None)

    def _seen(self, device: _Device) -> Device:
        log = self._logs[device.account]
        saved = self._cursors.get(self._cursor_key(device))
        return Device(
            device=device.device,
            account=device.account,
            name=device.name,
            platform=device.platform,
            credential=device.credential,
            generation=device.generation,
            sent=device.remembered.highest,
            revoked=device.revoked,
            epoch=log.epoch,
            cursor=saved.seq if saved and saved.epoch == log.epoch else 0,
            head=log.head,
        )

    async def add_key(self, name: str, key_hash: bytes) -> None:
        if name in self._keys:
            raise KeyError(name)
        self._keys[name] = key_hash

    async def key_name(self, key_hash: bytes) -> str | None:
        return next((name for name, kept in self._keys.items() if kept == key_hash), None)
