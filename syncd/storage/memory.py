"""The reference backend: everything in dictionaries, short enough to be the specification.

The rules are plain functions without an await (`commit_now`, `read_now` ...), so that a simulator
may run them inline; the door's coroutines only pass them on. Nothing survives the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from syncd import chain, errors, heading
from syncd.errors import Refusal
from syncd.limits import REMEMBERED_MESSAGES
from syncd.membership import Members
from syncd.model import (
    EPOCH_BYTES,
    Accepted,
    AccountId,
    ConversationId,
    CursorMark,
    CursorScope,
    Device,
    DeviceId,
    Done,
    Draft,
    Epoch,
    Identity,
    Intent,
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
from syncd.storage import UNKNOWN_EPOCH, Damaged
from syncd.storage.cursors import cursor_key
from syncd.storage.keeping import Keeping
from syncd.storage.memory_log import Log
from syncd.storage.memory_people import MemoryPeople, Rows, aliases_of, home_of
from syncd.storage.memory_retention import MemoryKeeping
from syncd.storage.memory_rows import StoredCursor, StoredDevice, StoredPublication
from syncd.storage.people import People
from syncd.storage.remembered import Answer, Remembered
from syncd.storage.rules import Found, Ruling, rule


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
        self._logs: dict[AccountId, Log] = {}
        self._devices: dict[DeviceId, StoredDevice] = {}
        self._cursors: dict[str, StoredCursor] = {}
        self._published: dict[tuple[str, str], StoredPublication] = {}
        self._keys: dict[str, bytes] = {}
        self._groups: dict[ConversationId, Members] = {}
        self._fan_outs: dict[ConversationId, int] = {}
        self._arrival = 0
        self._keeping = MemoryKeeping(self._logs, lambda: self._arrival, self._forget)
        self._people = MemoryPeople(
            Rows(
                self._logs,
                self._devices,
                self._groups,
                self._make_log,
                self._append_to,
                remembered,
            )
        )

    @property
    def cursor_scope(self) -> CursorScope:
        return self._scope

    @property
    def keeping(self) -> Keeping:
        return self._keeping

    @property
    def people(self) -> People:
        return self._people

    # ------------------------------------------------------------ one transaction

    def commit_now(self, work: Work) -> Done:
        """What `commit` promises, at once: nothing here can fail half-way."""
        grown: set[AccountId] = set()
        self._fan_outs = {}
        for mark in work.cursors:
            self._mark(mark)
        openings = tuple(self._open(request) for request in work.openings)
        refusing: dict[DeviceId, Refusal] = {}
        submissions = tuple(self._submit(each, grown, refusing) for each in work.submissions)
        publications = tuple(self._publish(each, grown) for each in work.publications)
        for note in work.notes:
            device = self._devices.get(note.device)
            if device is not None and device.generation == note.generation:
                device.verdict = note.text
        return Done(openings, submissions, publications, frozenset(grown), self._fan_outs)

    def _open(self, request: OpeningRequest) -> Opening | Refusal:
        device = self._devices.get(request.device)
        if device is None or device.account != self.home(request.account):
            return errors.NOT_AUTHENTICATED
        if device.revoked:
            return errors.DEVICE_REVOKED
        if device.ended is not None:
            return device.ended
        if request.credential not in (None, device.credential):
            return errors.TOKEN_ROTATED
        if device.account != request.account:
            return errors.NOT_AUTHENTICATED
        device.generation += 1
        device.instance = request.instance
        log = self._logs[device.account]
        saved = self._cursors.get(self._cursor_key(device))
        cursor = saved.seq if saved and saved.epoch == log.epoch else None
        aliases = aliases_of(self._logs, device.account)
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
            aliases=aliases,
            merged_epochs=frozenset(self._logs[alias].epoch for alias in aliases),
        )

    def _submit(
        self, submission: Submission, grown: set[AccountId], refusing: dict[DeviceId, Refusal]
    ) -> tuple[Outcome, ...] | Superseded:
        device = self._devices.get(submission.device)
        if device is None or device.revoked:
            return Superseded(None)
        if submission.generation != device.generation:
            return Superseded(device.instance)
        outcomes: list[Outcome] = []
        for draft in submission.drafts:
            sticking = refusing.get(device.device)
            outcome = (
                self._append(device, draft, grown)
                if sticking is None
                else Refused(draft.number, sticking)
            )
            if isinstance(outcome, Refused) and outcome.refusal.reconnect:
                refusing[device.device] = outcome.refusal
            outcomes.append(outcome)
        return tuple(outcomes)

    def _append(self, device: StoredDevice, draft: Draft, grown: set[AccountId]) -> Outcome:
        if draft.account != device.account:
            raise Damaged(f"the row of device {draft.device} says {device.account}")
        known = device.remembered.judge(draft, self._logs[draft.account].floor)
        if known is not None:
            return known
        ruling = draft.refusal or rule(draft.intent, draft.account, self)
        if isinstance(ruling, Refusal):
            return Refused(draft.number, ruling)
        identity = Identity(draft.device, draft.number)
        seq = self._carry_out(ruling, draft.intent, draft.record, identity, grown)
        device.remembered.accept(draft.number, Answer(seq, draft.content))
        return Accepted(draft.number, seq, duplicate=False)

    def _carry_out(
        self,
        ruling: Ruling,
        intent: Intent,
        record: Record,
        identity: Identity,
        grown: set[AccountId],
    ) -> Seq:
        """Append to every log; the seq in the first one's."""
        seqs = []
        for account in ruling.logs:
            seqs.append(self._append_to(account, record, identity))
        grown.update(ruling.logs)
        if len(ruling.logs) > 2:
            self._fan_outs[intent.conversation] = len(ruling.logs)
        if ruling.members is not None:
            self._groups[intent.conversation] = ruling.members
        if ruling.mark is not None:
            self._logs[ruling.logs[0]].marks[intent.conversation] = ruling.mark
        return seqs[0]

    def _append_to(self, account: AccountId, record: Record, identity: Identity) -> Seq:
        self._arrival += 1
        return self._logs[account].append(record, identity, self._arrival)

    def _publish(self, publication: Publication, grown: set[AccountId]) -> Accepted | Refusal:
        key = (publication.publisher, publication.key)
        account = publication.account and self.home(publication.account)
        known = self._published.get(key)
        if known is not None:
            before = known.account and self.home(known.account)
            if (known.content, before) != (publication.content, account):
                return errors.KEY_CONFLICT
            return Accepted(0, self._still_there(known), duplicate=True)
        ruling = self._ruling(publication, account)
        if isinstance(ruling, Refusal):
            return ruling
        identity = Identity(publication.device, publication.number)
        seq = self._carry_out(ruling, publication.intent, publication.record, identity, grown)
        told = None if account is None else seq
        self._published[key] = StoredPublication(publication.content, account, told, self._arrival)
        return Accepted(0, told, duplicate=False)

    def _forget(self, arrival: int, most: int) -> int:
        old = [key for key, known in self._published.items() if known.arrival <= arrival][:most]
        for key in old:
            del self._published[key]
        return len(old)

    def _ruling(self, publication: Publication, account: AccountId | None) -> Ruling | Refusal:
        if publication.refusal is not None:
            return publication.refusal
        if publication.account is None:
            actor = publication.actor and (self.home(publication.actor) or publication.actor)
            return rule(publication.intent, actor, self)
        return errors.UNKNOWN_ACCOUNT if account is None else Ruling((account,))

    def _still_there(self, known: StoredPublication) -> Seq | None:
        if known.account is None or known.seq is None:
            return None
        log = self._logs[known.account]
        return known.seq if log.merged_into is None and known.seq > log.floor else None

    # ------------------------------------------------------------ the book that rules ask

    def home(self, account: AccountId) -> AccountId | None:
        return home_of(self._logs, account)

    def members_of(self, conversation: ConversationId) -> Members | None:
        return self._groups.get(conversation)

    def find(self, account: AccountId, identity: Identity) -> Found | None:
        log = self._logs[account]
        seq = log.seqs.get(identity)
        if seq is None:
            return None
        return Found(seq, heading.unpack(log.entries[seq - log.floor - 1].header))

    def mark(self, account: AccountId, conversation: ConversationId) -> Seq:
        return self._logs[account].marks.get(conversation, 0)

    # ------------------------------------------------------------ cursors

    def _mark(self, mark: CursorMark) -> None:
        device = self._devices.get(mark.device)
        if device is None or device.revoked or mark.generation != device.generation:
            return
        log, key = self._logs[device.account], self._cursor_key(device)
        if mark.account != device.account or mark.epoch != log.epoch or mark.seq > log.head:
            return
        saved = self._cursors.get(key)
        if saved is None or saved.epoch != log.epoch or saved.seq < mark.seq:
            self._cursors[key] = StoredCursor(log.epoch, mark.seq)

    def _cursor_key(self, device: StoredDevice) -> str:
        return cursor_key(self._scope, device.device, device.account, device.platform)

    # ------------------------------------------------------------ logs

    def read_now(self, requests: Sequence[ReadRequest]) -> list[Page]:
        nothing = Log(UNKNOWN_EPOCH)
        return [
            self._logs.get(request.account, nothing).page(request.after, request.bytes_max)
            for request in requests
        ]

    def heads_now(self, accounts: Sequence[AccountId]) -> dict[AccountId, Seq]:
        return {account: self._logs[account].head for account in accounts if account in self._logs}

    def trim_now(self, account: AccountId, before: Seq) -> Seq:
        log = self._logs[account]
        floor = min(before - 1, log.head)
        log.trim(floor)
        return log.floor

    async def commit(self, work: Work) -> Done:
        return self.commit_now(work)

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        return self.read_now(requests)

    async def heads(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Seq]:
        return self.heads_now(accounts)

    async def members(self, conversation: ConversationId) -> Members | None:
        return self.members_of(conversation)

    async def trim(self, account: AccountId, before: Seq) -> Seq:
        return self.trim_now(account, before)

    async def erase(self, account: AccountId, seq: Seq) -> int:
        identity = self._logs[account].erasable_at(seq)
        return sum(log.erase(identity) for log in self._logs.values())

    async def edits(self, account: AccountId, seq: Seq) -> Mapping[Seq, Identity]:
        return self._logs[account].edits(seq)

    async def close(self) -> None:
        pass

    # ------------------------------------------------------------ identity's rows

    async def create_account(self, account: AccountId) -> bool:
        if account in self._logs:
            return False
        self._make_log(account)
        return True

    def _make_log(self, account: AccountId) -> None:
        self._logs[account] = Log(Epoch(self._draw(EPOCH_BYTES)))

    async def create_device(
        self, account: AccountId, device: DeviceId, name: str, platform: str, token_hash: bytes
    ) -> None:
        home = self.home(account)
        if home is None:
            raise KeyError(account)
        if device in self._devices or self._find(token_hash):
            raise KeyError(device)
        remembered = Remembered(self._capacity)
        self._devices[device] = StoredDevice(device, home, name, platform, token_hash, remembered)

    async def device_by_token(self, token_hash: bytes) -> Device | None:
        found = self._find(token_hash)
        return None if found is None else self._seen(found)

    async def devices(self, account: AccountId) -> list[Device]:
        home = self.home(account)
        return [self._seen(each) for each in self._devices.values() if each.account == home]

    async def change_credential(self, device: DeviceId, token_hash: bytes | None) -> Device:
        changed = self._devices[device]
        if token_hash is None:
            changed.revoked = True
        elif self._find(token_hash) not in (None, changed):
            raise KeyError(device)
        else:
            changed.token_hash, changed.ended_by = token_hash, None
            changed.credential += 1
        changed.generation += 1
        return self._seen(changed)

    def _find(self, token_hash: bytes) -> StoredDevice | None:
        found = (each for each in self._devices.values() if each.token_hash == token_hash)
        return next(found, None)

    def _seen(self, device: StoredDevice) -> Device:
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
            verdict=device.verdict,
            ended=device.ended,
        )

    async def add_key(self, name: str, key_hash: bytes) -> None:
        if name in self._keys:
            raise KeyError(name)
        self._keys[name] = key_hash

    async def key_name(self, key_hash: bytes) -> str | None:
        return next((name for name, kept in self._keys.items() if kept == key_hash), None)
