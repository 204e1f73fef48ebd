"""The reference backend's persons: subjects, links and aliases in dictionaries.

A refused login changes nothing, because the procedures judge before they write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from syncd import errors, heading
from syncd.errors import Refusal
from syncd.limits import GRANTS_REMEMBERED
from syncd.membership import Members
from syncd.model import AccountId, ConversationId, DeviceId, Identity, Record, Seq
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
    Union,
)
from syncd.storage import signing_in
from syncd.storage.logins import Person
from syncd.storage.memory_log import Log
from syncd.storage.memory_rows import StoredDevice, StoredSubject
from syncd.storage.register import Copy, Installed, NewDevice
from syncd.storage.remembered import Answer, Remembered


@dataclass(slots=True)
class Rows:
    """All that the reference backend keeps and that login may change.

    make_log, append: as the backend makes a log and appends to one.
    """

    logs: dict[AccountId, Log]
    devices: dict[DeviceId, StoredDevice]
    groups: dict[ConversationId, Members]
    make_log: Callable[[AccountId], None]
    append: Callable[[AccountId, Record, Identity], Seq]
    capacity: int
    subjects: dict[Subject, StoredSubject] = field(default_factory=dict)
    links: dict[Union, AccountId] = field(default_factory=dict)
    grants: dict[bytes, tuple[DeviceId, int]] = field(default_factory=dict)


def home_of(logs: Mapping[AccountId, Log], account: AccountId) -> AccountId | None:
    """Whose log takes what is addressed to the account."""
    while account in logs:
        merged_into = logs[account].merged_into
        if merged_into is None:
            return account
        account = merged_into
    return None


class MemoryRegister:
    """See register.Register."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._grown: set[AccountId] = set()

    @property
    def grown(self) -> frozenset[AccountId]:
        return frozenset(self._grown)

    # ------------------------------------------------------------ accounts

    def home(self, account: AccountId) -> AccountId | None:
        return home_of(self._rows.logs, account)

    def person(self, account: AccountId) -> Person:
        mine = {
            union.platform: union.unionid
            for union, owner in self._rows.links.items()
            if owner == account
        }
        return Person(account, self._rows.logs[account].standing, mine)

    def create_account(self, account: AccountId) -> None:
        if account in self._rows.logs:
            raise KeyError(account)
        self._rows.make_log(account)

    def close_log(self, guest: AccountId, account: AccountId) -> None:
        self._rows.logs[guest].merged_into = account

    # ------------------------------------------------------------ subjects and links

    def whose(self, subject: Subject) -> AccountId | None:
        known = self._rows.subjects.get(subject)
        return None if known is None else known.account

    def owner(self, union: Union) -> AccountId | None:
        return self._rows.links.get(union)

    def add_subject(self, subject: Subject, account: AccountId) -> None:
        self._rows.subjects[subject] = StoredSubject(account)

    def note(
        self, subject: Subject, sealed_key: bytes | None, platform: str | None, pending: str | None
    ) -> None:
        known = self._rows.subjects[subject]
        if sealed_key is not None:
            known.sealed_key = sealed_key
        if platform is not None:
            known.platform, known.pending = platform, pending

    def add_link(self, union: Union, account: AccountId) -> None:
        self._rows.links[union] = account

    def move_subjects(self, guest: AccountId, account: AccountId) -> None:
        for known in self._rows.subjects.values():
            if known.account == guest:
                known.account = account
        for union, owner in self._rows.links.items():
            if owner == guest:
                self._rows.links[union] = account

    def settle_pending(self) -> None:
        for known in self._rows.subjects.values():
            given = _pending(known)
            if given is not None and self._rows.links.get(given) == known.account:
                known.pending = None

    # ------------------------------------------------------------ devices

    def device(self, device: DeviceId) -> Installed | None:
        known = self._rows.devices.get(device)
        return None if known is None else _installed(known)

    def devices_of(self, account: AccountId) -> list[Installed]:
        return [_installed(each) for each in self._rows.devices.values() if each.account == account]

    def add_device(self, new: NewDevice, account: AccountId, subject: Subject | None) -> None:
        if new.device in self._rows.devices:
            raise KeyError(new.device)
        self._insist_on_new(new.token_hash)
        self._rows.devices[new.device] = StoredDevice(
            new.device,
            account,
            new.name,
            new.platform,
            new.token_hash,
            Remembered(self._rows.capacity),
            secret_hash=new.secret_hash,
            subject=subject,
        )

    def renew_device(self, device: DeviceId, token_hash: bytes, subject: Subject | None) -> None:
        self._insist_on_new(token_hash)
        known = self._rows.devices[device]
        known.token_hash, known.ended_by = token_hash, None
        known.credential += 1
        known.generation += 1
        known.subject = subject or known.subject

    def _insist_on_new(self, token_hash: bytes) -> None:
        if any(each.token_hash == token_hash for each in self._rows.devices.values()):
            raise KeyError("token")

    def end_device(self, device: DeviceId, why: Refusal) -> None:
        known = self._rows.devices[device]
        known.ended_by = why.name
        known.generation += 1

    def move_devices(self, guest: AccountId, account: AccountId) -> None:
        for known in self._rows.devices.values():
            if known.account == guest:
                known.account = account

    def remembered(self, device: DeviceId) -> list[tuple[int, Seq]]:
        answers = self._rows.devices[device].remembered.answers
        return [(number, answer.seq) for number, answer in answers.items()]

    def rewrite_answers(self, device: DeviceId, places: Iterable[tuple[int, Seq]]) -> None:
        answers = self._rows.devices[device].remembered.answers
        for number, seq in places:
            answers[number] = Answer(seq, answers[number].content)

    def add_grant(self, grant: bytes, device: DeviceId) -> None:
        grants = self._rows.grants
        grants.pop(grant, None)
        grants[grant] = device, self._rows.devices[device].credential
        if len(grants) > GRANTS_REMEMBERED:
            del grants[next(iter(grants))]

    # ------------------------------------------------------------ logs

    def append(self, account: AccountId, identity: Identity, record: Record) -> Seq:
        self._grown.add(account)
        return self._rows.append(account, record, identity)

    def copies(self, guest: AccountId, account: AccountId) -> Iterator[Copy]:
        log, held = self._rows.logs[guest], self._rows.logs[account].seqs
        for seq, entry in enumerate(log.entries, log.floor + 1):
            shown = heading.unpack(entry.header)
            yield Copy(seq, shown, held.get(shown.identity))

    def graft(self, guest: AccountId, account: AccountId, after: Seq) -> Iterator[Seq]:
        log, into = self._rows.logs[guest], self._rows.logs[account]
        for seq, entry in enumerate(log.entries, log.floor + 1):
            identity = heading.unpack(entry.header).identity
            if seq > after and identity not in into.seqs:
                record = Record(entry.header, entry.body, entry.body_hash)
                self.append(account, identity, record)
                yield seq

    def marks(self, account: AccountId) -> dict[ConversationId, Seq]:
        return dict(self._rows.logs[account].marks)

    def save_mark(self, account: AccountId, conversation: ConversationId, seq: Seq) -> None:
        self._rows.logs[account].marks[conversation] = seq

    def find(self, account: AccountId, identity: Identity) -> Seq | None:
        return self._rows.logs[account].seqs.get(identity)

    def groups_of(self, account: AccountId) -> list[ConversationId]:
        return [name for name, members in self._rows.groups.items() if account in members]

    def members(self, conversation: ConversationId) -> Members:
        return self._rows.groups[conversation]

    def set_members(self, conversation: ConversationId, members: Members) -> None:
        self._rows.groups[conversation] = members


def _installed(known: StoredDevice) -> Installed:
    return Installed(
        known.device,
        known.account,
        known.credential,
        known.revoked,
        known.ended,
        known.secret_hash,
        known.subject,
    )


class MemoryPeople:
    """See people.People."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def sign_in(self, request: SignIn) -> SignedIn | Refusal:
        return signing_in.sign_in(MemoryRegister(self._rows), request)

    async def merge(self, request: Merging) -> Merged | Refusal:
        return signing_in.merge(MemoryRegister(self._rows), request)

    async def link(self, request: Linking) -> Refusal | None:
        return signing_in.link(MemoryRegister(self._rows), request)

    async def unlink(self, account: AccountId, mine: Subject, removed: Subject) -> Refusal | None:
        home = home_of(self._rows.logs, account)
        own = [name for name, each in self._rows.subjects.items() if each.account == home]
        refusal = signing_in.unlinkable(own, mine, removed)
        if refusal is None:
            del self._rows.subjects[removed]
            for device in self._rows.devices.values():
                if device.subject == removed:
                    device.subject = None
        return refusal

    async def replayed(self, grant: bytes) -> DeviceId | None:
        device, credential = self._rows.grants.get(grant, (None, 0))
        if device is None:
            return None
        known = self._rows.devices[device]
        if known.credential != credential or known.revoked or known.ended is not None:
            return None
        MemoryRegister(self._rows).end_device(device, errors.SIGNED_OUT)
        return device

    async def sign_out(
        self, account: AccountId, keep: DeviceId | None, only: DeviceId | None = None
    ) -> tuple[DeviceId, ...]:
        register = MemoryRegister(self._rows)
        ending = [
            each.device
            for each in register.devices_of(register.home(account) or account)
            if not each.revoked
            and each.ended is None
            and each.device != keep
            and only in (None, each.device)
        ]
        for device in ending:
            register.end_device(device, errors.SIGNED_OUT)
        return tuple(ending)

    async def over(self, sessions: Mapping[DeviceId, int | None]) -> Mapping[DeviceId, Refusal]:
        ended: dict[DeviceId, Refusal] = {}
        for device, credential in sessions.items():
            known = self._rows.devices.get(device)
            if known is None or known.revoked:
                ended[device] = errors.DEVICE_REVOKED
            elif known.ended is not None:
                ended[device] = known.ended
            elif credential not in (None, known.credential):
                ended[device] = errors.TOKEN_ROTATED
        return ended

    async def rename(self, account: AccountId, device: DeviceId, name: str) -> bool:
        known = self._rows.devices.get(device)
        if known is None or known.account != home_of(self._rows.logs, account):
            return False
        known.name = name
        return True

    async def account_of(self, account: AccountId) -> AccountId | None:
        return home_of(self._rows.logs, account)

    async def aliases(self, account: AccountId) -> tuple[AccountId, ...]:
        return aliases_of(self._rows.logs, account)

    async def standing(self, account: AccountId) -> Standing | None:
        home = home_of(self._rows.logs, account)
        return None if home is None else self._rows.logs[home].standing

    async def stand(self, account: AccountId, standing: Standing) -> tuple[DeviceId, ...] | None:
        home = home_of(self._rows.logs, account)
        if home is None:
            return None
        self._rows.logs[home].standing = standing
        return await self.sign_out(home, None) if standing is Standing.GONE else ()

    async def subjects(self, account: AccountId) -> list[SubjectFacts]:
        home = home_of(self._rows.logs, account)
        if home is None:
            return []
        links = MemoryRegister(self._rows).person(home).links
        return [
            SubjectFacts(name, _union(each.platform, links), _pending(each))
            for name, each in self._rows.subjects.items()
            if each.account == home
        ]

    async def find(self, subject: Subject) -> AccountId | None:
        return MemoryRegister(self._rows).whose(subject)

    async def sealed_key(self, device: DeviceId) -> SealedKey | None:
        known = self._rows.devices.get(device)
        if known is None or known.subject is None:
            return None
        sealed = self._rows.subjects[known.subject].sealed_key
        return SealedKey(known.account, known.subject, sealed)

    async def pending(self) -> list[PendingUnion]:
        waiting = []
        for name, each in self._rows.subjects.items():
            given = _pending(each)
            if given is not None:
                links = MemoryRegister(self._rows).person(each.account).links
                linked = _union(each.platform, links)
                waiting.append(PendingUnion(each.account, name, linked, given))
        return waiting

    async def remap(self, platform: str, changes: Sequence[Remap]) -> Remapped:
        links = self._rows.links
        moved, unknown, taken = signing_in.remapped(
            changes, {union.unionid for union in links if union.platform == platform}
        )
        owners = {change: links.pop(Union(platform, change.old)) for change in moved}
        for change, owner in owners.items():
            links[Union(platform, change.new)] = owner
        MemoryRegister(self._rows).settle_pending()
        return Remapped(len(moved), unknown, taken)


def aliases_of(logs: Mapping[AccountId, Log], account: AccountId) -> tuple[AccountId, ...]:
    """The accounts that were merged into this one, directly or not."""
    return tuple(each for each in logs if each != account and home_of(logs, each) == account)


def _union(platform: str | None, links: Mapping[str, str]) -> Union | None:
    return Union(platform, links[platform]) if platform is not None and platform in links else None


def _pending(known: StoredSubject) -> Union | None:
    if known.platform is None or known.pending is None:
        return None
    return Union(known.platform, known.pending)
