"""People who talk: drafts with real headers, for tests of what the logs say to them."""

from collections import Counter
from collections.abc import Sequence

from syncd.errors import Refusal
from syncd.membership import Action, Change, write_change
from syncd.model import (
    AccountId,
    ConversationId,
    DeviceId,
    Draft,
    Identity,
    Intent,
    Kind,
    Outcome,
    Publication,
    ReadRequest,
    Record,
    Submission,
    Work,
    direct,
)
from syncd.storage import Storage
from syncd.wire.codec import content_of, pack_entry, unpack_entries
from syncd.wire.frames import Entry, Message

from .works import ALICE, BOB, LAPTOP, PHONE, PSEUDO

CAROL, DAVE = AccountId("carol"), AccountId("dave")
DEVICE = {ALICE: PHONE, BOB: LAPTOP, CAROL: DeviceId("6" * 24), DAVE: DeviceId("7" * 24)}
GROUP, OTHER_GROUP = ConversationId("climbing"), ConversationId("chess")
DIRECT = direct(ALICE, BOB)
TARGETED = (Kind.EDIT, Kind.RECALL, Kind.DELETE, Kind.READ)


def change(
    action: str, members: Sequence[AccountId] = (), owners: Sequence[AccountId] = ()
) -> Change:
    return Change(Action(action), tuple(members), tuple(owners))


def identity(draft: Draft) -> Identity:
    return Identity(draft.device, draft.number)


def words(entry: Entry) -> tuple[Kind, bytes | None]:
    return Kind(entry.kind), entry.body


class Talk:
    """Counts each device's numbers and the publications."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._numbers: Counter[DeviceId] = Counter()

    async def populate(self) -> None:
        """Carol and Dave beside those whom `populate` has made."""
        for account in (CAROL, DAVE):
            assert await self.storage.create_account(account)
            token = account.encode()
            await self.storage.create_device(account, DEVICE[account], "name", "pc", token)

    def draft(
        self, who: AccountId, body: bytes = b"hello", in_: ConversationId = GROUP, time: int = 0
    ) -> Draft:
        """A message."""
        return self._made(who, Intent(Kind.MESSAGE, in_), body, time)

    def about(
        self,
        who: AccountId,
        kind: Kind,
        target: Identity,
        in_: ConversationId = GROUP,
        since_ms: int = 0,
    ) -> Draft:
        """An edit, a recall, a deletion or a read mark."""
        return self._made(who, Intent(kind, in_, target, None, since_ms), b"", 0)

    def change(
        self,
        who: AccountId,
        action: str,
        members: Sequence[AccountId] = (),
        owners: Sequence[AccountId] = (),
        in_: ConversationId = GROUP,
    ) -> Draft:
        """A change of a group."""
        wanted = change(action, members, owners)
        return self._made(who, Intent(Kind.SYSTEM, in_, None, wanted), write_change(wanted), 0)

    def publication(
        self,
        intent: Intent,
        body: bytes = b"news",
        actor: AccountId | None = None,
        account: AccountId | None = None,
    ) -> Publication:
        """An entry from outside, under a key of its own."""
        number = self._next(PSEUDO)
        made, content = packed(number, intent, body, AccountId("http"), PSEUDO)
        return Publication(
            publisher="http",
            key=f"key {number}",
            content=content,
            device=PSEUDO,
            number=number,
            intent=intent,
            record=made,
            account=account,
            actor=actor,
        )

    async def send(self, *drafts: Draft) -> list[Outcome]:
        """What becomes of the drafts, all in one Work."""
        outcomes = []
        work = Work(submissions=tuple(Submission(each.device, 0, (each,)) for each in drafts))
        for answered in (await self.storage.commit(work)).submissions:
            assert isinstance(answered, tuple), answered
            outcomes += answered
        return outcomes

    async def answer(self, draft: Draft) -> Refusal | int | None:
        """The refusal of one draft, or its seq."""
        [outcome] = await self.send(draft)
        return getattr(outcome, "refusal", None) or outcome.seq  # type: ignore[union-attr]

    async def log(self, account: AccountId, after: int = 0) -> list[Entry]:
        [page] = await self.storage.read([ReadRequest(account, after, 10_000_000)])
        return list(unpack_entries(page.to - after, page.entries))

    async def logs(self) -> dict[AccountId, int]:
        """How long everybody's log is."""
        return dict(await self.storage.heads(list(DEVICE)))

    def _made(self, who: AccountId, intent: Intent, body: bytes, time: int) -> Draft:
        device = DEVICE[who]
        number = self._next(device)
        made, content = packed(number, intent, body, who, device, time)
        return Draft(who, device, number, content, intent, made)

    def _next(self, device: DeviceId) -> int:
        self._numbers[device] += 1
        return self._numbers[device]


def packed(
    number: int, intent: Intent, body: bytes, who: AccountId, device: DeviceId, time: int = 0
) -> tuple[Record, bytes]:
    """What the session makes of a message: its record, and the hash of its content."""
    message = Message(number, intent.kind, intent.conversation, intent.target, body)
    made = pack_entry(message, who, device, time)
    return made, content_of(message, made)
