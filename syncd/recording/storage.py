"""A storage whose doings are told to a journal: what became durable, before anybody hears of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from syncd.errors import Refusal
from syncd.membership import Members
from syncd.model import (
    Accepted,
    AccountId,
    ConversationId,
    CursorMark,
    CursorScope,
    Device,
    DeviceId,
    Done,
    Identity,
    Page,
    Publication,
    ReadRequest,
    Seq,
    Work,
)
from syncd.recording.journal import Fields, Journal, Place, content, named
from syncd.recording.people import RecordedPeople
from syncd.storage import UNKNOWN_EPOCH, Storage, StorageError
from syncd.storage.importing import Imported
from syncd.storage.keeping import Keeping
from syncd.storage.sqlite import SqliteStorage
from syncd.wire.codec import unpack_entries

log = logging.getLogger(__name__)

_ANY_SIZE = 1 << 40
_LOGS_PER_READ = 256


class RecordedStorage:
    """See Storage. Made with its server; `begin` is awaited once, before all else."""

    def __init__(self, inner: Storage, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal
        self._told: dict[AccountId, Place] = {}
        self._cursors: dict[DeviceId, tuple[str, Seq]] = {}
        self.turn = asyncio.Lock()
        """Held from before a change of logs until it was told, so that no other tells of it."""

    async def begin(self) -> None:
        """Tell where the past of a log has changed since the journal last heard of it."""
        self._journal.begin(self._inner.cursor_scope)
        known = self._journal.known
        accounts = list(known)
        for start in range(0, len(accounts), _LOGS_PER_READ):
            some = accounts[start : start + _LOGS_PER_READ]
            for account, page in await self._where(some):
                if page.epoch.hex() != known[account].epoch:
                    self._renewed(account, page, "restore")
                elif page.head < known[account].seq:
                    self._renewed(account, page, "put back by hand")
                else:
                    known_seq = max(known[account].seq, page.floor)
                    self._told[account] = Place(page.epoch.hex(), known_seq)
                    await self._tell_missed(account)

    async def _tell_missed(self, account: AccountId) -> None:
        """What the recording before this one made durable and was killed before it could tell."""
        try:
            [page] = await self._inner.read(
                [ReadRequest(account, self._told[account].seq, _ANY_SIZE)]
            )
        except StorageError as error:
            log.error("! the journal cannot tell what was committed: %s", error)
        else:
            self._tell_page({}, account, page, others={})

    def _renewed(self, account: AccountId, page: Page, why: str) -> None:
        if page.epoch != UNKNOWN_EPOCH:
            self._told[account] = Place(page.epoch.hex(), page.head)
            self._journal.tell(
                "renewed", account=account, epoch=page.epoch.hex(), head=page.head, why=why
            )

    async def _where(self, accounts: list[AccountId]) -> list[tuple[AccountId, Page]]:
        """How these logs stand, each with an empty page of it; none where nobody can tell now."""
        if not accounts:
            return []
        try:
            # No log holds anything after -1.
            pages = await self._inner.read([ReadRequest(account, -1, 0) for account in accounts])
        except StorageError as error:
            log.error("! the journal cannot tell how logs stand: %s", error)
            return []
        return list(zip(accounts, pages, strict=True))

    # ------------------------------------------------------------ commits

    async def commit(self, work: Work) -> Done:
        for publication in work.publications:
            self._tell_publication(publication)
        async with self.turn:
            done = await self._inner.commit(work)
            try:
                await self._tell_appended(_generations(work), sorted(done.grown))
                await self._tell_cursors(work.cursors)
            except StorageError as error:
                log.error("! the journal cannot tell what was committed: %s", error)
        for publication, result in zip(work.publications, done.publications, strict=True):
            self._tell_published(publication, result)
        return done

    async def tell_merged(self, own: Collection[str], brought: int, account: AccountId) -> None:
        """A login has written its `own` messages to this log, and `brought` so many from a guest's.
        Its caller holds the turn."""
        try:
            await self._tell_appended(dict.fromkeys(own, 0), [account], brought)
        except StorageError as error:
            log.error("! the journal cannot tell what was committed: %s", error)

    async def _tell_appended(
        self, sent: Mapping[str, int], grown: list[AccountId], brought: int = 0
    ) -> None:
        behind = [account for account in grown if account not in self._told]
        for account, page in await self._where(behind):
            # It grew by no more than this; where it grew by less, what stood there is passed over.
            before = max(page.head - len(sent) - brought, page.floor)
            self._told[account] = Place(page.epoch.hex(), before)
        known = [account for account in grown if account in self._told]
        requests = [ReadRequest(account, self._told[account].seq, _ANY_SIZE) for account in known]
        for account, page in zip(known, await self._inner.read(requests), strict=True):
            self._tell_page(sent, account, page, {"merged": True} if brought else None)

    def _tell_page(
        self,
        sent: Mapping[str, int],
        account: AccountId,
        page: Page,
        others: Fields | None,
    ) -> None:
        """others: what is told besides of entries that were not sent; None: they are passed over,
        because somebody else tells of them."""
        epoch, before = page.epoch.hex(), self._told[account].seq
        records: list[Fields] = []
        entries = unpack_entries(page.to - before, page.entries)
        for seq, (message, body) in enumerate(map(content, entries), before + 1):
            if others is not None or message in sent:
                records.append(
                    {
                        "what": "appended",
                        "account": account,
                        "epoch": epoch,
                        "seq": seq,
                        "message": message,
                        "body": body,
                        "generation": sent.get(message, 0),
                    }
                    | ({} if message in sent else others or {})
                )
        self._told[account] = Place(epoch, page.to)
        self._journal.tell_all(records)

    async def _tell_cursors(self, marks: Sequence[CursorMark]) -> None:
        for account in sorted({mark.account for mark in marks}):
            stored = {each.device: each for each in await self._inner.devices(account)}
            for mark in marks:
                if mark.account == account:
                    self._tell_cursor(mark, stored[mark.device])

    def _tell_cursor(self, mark: CursorMark, device: Device) -> None:
        place = device.epoch.hex(), device.cursor
        if self._cursors.get(device.device) != place:
            self._cursors[device.device] = place
            mine = place == (mark.epoch.hex(), mark.seq)
            self._journal.tell(
                "saved",
                device=device.device,
                epoch=place[0],
                seq=place[1],
                generation=mark.generation if mine else 0,
            )

    def _tell_publication(self, publication: Publication) -> None:
        record = publication.record
        [entry] = unpack_entries(1, record.header + record.body)
        message, body = content(entry)
        self._journal.tell(
            "send",
            device=entry.device,
            message=message,
            body=body,
            to=[] if publication.account is None else [publication.account],
            kind=entry.kind,
            conversation=entry.conversation,
            size=len(entry.body or b""),
        )

    def _tell_published(self, publication: Publication, result: Accepted | Refusal) -> None:
        outcome: Fields = {"outcome": "accepted"}
        if isinstance(result, Accepted):
            if result.duplicate:
                return  # an idempotency key that was used before: the entry is another one's
            outcome["seq"] = result.seq
        else:
            definite = not result.reconnect
            outcome = {"outcome": "refused", "code": result.name, "definite": definite}
        message = named(publication.device, publication.number)
        self._journal.tell("answer", device=publication.device, message=message, **outcome)

    # ------------------------------------------------------------ logs

    @property
    def cursor_scope(self) -> CursorScope:
        return self._inner.cursor_scope

    @property
    def keeping(self) -> Keeping:
        return self._inner.keeping

    @property
    def people(self) -> RecordedPeople:
        return RecordedPeople(self, self._inner.people, self._journal)

    async def read(self, requests: Sequence[ReadRequest]) -> list[Page]:
        return await self._inner.read(requests)

    async def heads(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, Seq]:
        return await self._inner.heads(accounts)

    async def members(self, conversation: ConversationId) -> Members | None:
        return await self._inner.members(conversation)

    async def trim(self, account: AccountId, before: Seq) -> Seq:
        floor = await self._inner.trim(account, before)
        for _, page in await self._where([account]):
            self._journal.tell("floor", account=account, epoch=page.epoch.hex(), floor=floor)
        return floor

    async def erase(self, account: AccountId, seq: Seq) -> int:
        return await self._inner.erase(account, seq)

    async def edits(self, account: AccountId, seq: Seq) -> Mapping[Seq, Identity]:
        return await self._inner.edits(account, seq)

    async def close(self) -> None:
        await self._inner.close()

    # ------------------------------------------------------------ identity's rows

    async def create_account(self, account: AccountId) -> bool:
        return await self._inner.create_account(account)

    async def create_device(
        self, account: AccountId, device: DeviceId, name: str, platform: str, token_hash: bytes
    ) -> None:
        await self._inner.create_device(account, device, name, platform, token_hash)
        self._journal.meet(device, account, name, platform)

    async def device_by_token(self, token_hash: bytes) -> Device | None:
        found = await self._inner.device_by_token(token_hash)
        if found is not None:
            self._journal.meet(found.device, found.account, found.name, found.platform)
        return found

    async def devices(self, account: AccountId) -> list[Device]:
        return await self._inner.devices(account)

    async def change_credential(self, device: DeviceId, token_hash: bytes | None) -> Device:
        changed = await self._inner.change_credential(device, token_hash)
        if token_hash is None:
            self._journal.tell("revoked", device=device)
        return changed

    async def add_key(self, name: str, key_hash: bytes) -> None:
        await self._inner.add_key(name, key_hash)

    async def key_name(self, key_hash: bytes) -> str | None:
        return await self._inner.key_name(key_hash)


class RecordedFiles(RecordedStorage):
    """The same over a store in files, which can take an account in."""

    def __init__(self, inner: SqliteStorage, journal: Journal) -> None:
        super().__init__(inner, journal)
        self._files = inner

    async def import_account(self, account: AccountId, path: Path) -> Imported:
        """See SqliteStorage."""
        imported = await self._files.import_account(account, path)
        for _, page in await self._where([account]):
            self._renewed(account, page, "import")
        return imported


def recorded(inner: Storage, journal: Journal) -> RecordedStorage:
    """The storage, told of."""
    if isinstance(inner, SqliteStorage):
        return RecordedFiles(inner, journal)
    return RecordedStorage(inner, journal)


def _generations(work: Work) -> Mapping[str, int]:
    """All messages that a transaction may append, and the generation that had sent each."""
    sent = {
        named(draft.device, draft.number): submission.generation
        for submission in work.submissions
        for draft in submission.drafts
    }
    return sent | {named(each.device, each.number): 0 for each in work.publications}
