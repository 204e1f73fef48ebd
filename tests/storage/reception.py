"""Where people log in: whole requests out of a few words, each with new ids, secrets and tokens."""

from collections import Counter
from dataclasses import replace
from hashlib import sha256
from itertools import count

from syncd.errors import Refusal
from syncd.membership import Change, write_change
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
    Submission,
    Superseded,
    Work,
    direct,
)
from syncd.notices import Notice, read_notice
from syncd.persons import Merged, Merging, Proof, Shown, SignedIn, SignIn, Subject, Union, Vouch
from syncd.server.notices import NoticeWriter
from syncd.storage import Storage
from syncd.wire.codec import unpack_entries
from syncd.wire.frames import Entry

from .talk import packed
from .works import ALICE, PSEUDO

PHONE_APP, SITE = "app:phone", "app:site"
OPEN, OTHER = "open", "other"


def subject(name: str, issuer: str = PHONE_APP) -> Subject:
    return Subject(issuer, name)


def hashed(text: str) -> bytes:
    return sha256(text.encode()).digest()


class Reception:
    """Remembers the secret of each device, as its installation does. first: of what it draws."""

    def __init__(self, storage: Storage, first: int = 1) -> None:
        self.storage = storage
        self.people = storage.people
        self.writer = NoticeWriter(lambda: 1_700_000_000_000_000_000)
        self.secrets: dict[DeviceId, bytes] = {}
        self.tokens: dict[DeviceId, bytes] = {}
        self._numbers = count(first)

    def move(self, storage: Storage) -> None:
        """The store was opened again, or a copy of it."""
        self.storage, self.people = storage, storage.people

    async def ask(self, proof: Proof | Vouch, shown: Shown | None = None) -> SignedIn | Refusal:
        """Log in with whatever it is."""
        number = next(self._numbers)
        account = AccountId(f"p{number:032x}")
        device = DeviceId(f"d{number:023x}")
        secret, token = hashed(f"secret {number}"), hashed(f"token {number}")
        done = await self.people.sign_in(
            SignIn(
                proof=proof,
                shown=shown,
                account=account,
                device=device,
                name=f"device {number}",
                platform="pc",
                secret_hash=secret,
                token_hash=token,
                notices=self.writer,
            )
        )
        if isinstance(done, SignedIn):
            self.tokens[done.device] = token
            if done.new_device:
                self.secrets[done.device] = secret
            elif shown is not None and shown.secret_hash is not None:
                self.secrets[done.device] = shown.secret_hash
        return done

    async def sign_in(
        self,
        who: str | Subject,
        unionid: str | None = None,
        *,
        on: DeviceId | None = None,
        platform: str = OPEN,
        grant: str | None = None,
        sealed: bytes | None = None,
    ) -> SignedIn:
        """Somebody logs in, on a device that has a secret or on a new one."""
        name = subject(who) if isinstance(who, str) else who
        union = None if unionid is None else Union(platform, unionid)
        proof = Proof(name, union, None if grant is None else hashed(grant), sealed)
        done = await self.ask(proof, None if on is None else Shown(on, self.secrets[on]))
        assert isinstance(done, SignedIn), done
        return done

    async def merge(self, guest: AccountId, account: AccountId) -> Merged | Refusal:
        """By the operator's word."""
        return await self.people.merge(Merging(guest, account, self.writer))


class Visitors(Reception):
    """People who log in and write to each other."""

    def __init__(self, storage: Storage, first: int = 1) -> None:
        super().__init__(storage, first)
        self.sent: Counter[DeviceId] = Counter()

    async def write(
        self,
        who: SignedIn,
        conversation: ConversationId,
        *,
        kind: Kind = Kind.MESSAGE,
        target: Identity | None = None,
        change: Change | None = None,
        again: int | None = None,
    ) -> Outcome | Superseded:
        """What becomes of one message of a device, by the generation that it has. again: an older
        number of the device, with the same content."""
        devices = await self.storage.devices(who.account)
        [device] = [each for each in devices if each.device == who.device]
        own = replace(who, account=device.account)
        submission = self.submission(
            own, device.generation, conversation, kind, target=target, change=change, again=again
        )
        [answered] = (await self.storage.commit(Work(submissions=(submission,)))).submissions
        return answered if isinstance(answered, Superseded) else answered[0]

    def submission(
        self,
        who: SignedIn,
        generation: int,
        conversation: ConversationId,
        kind: Kind = Kind.MESSAGE,
        *,
        target: Identity | None = None,
        change: Change | None = None,
        again: int | None = None,
    ) -> Submission:
        """One message of a device, on its way."""
        self.sent[who.device] += again is None
        number = self.sent[who.device] if again is None else again
        intent = Intent(kind, conversation, target, change)
        body = write_change(change) if change else b"message"
        record, _ = packed(number, intent, body, who.account, who.device)
        content = hashed(f"{number} {conversation}")[:16]
        draft = Draft(who.account, who.device, number, content, intent, record)
        return Submission(who.device, generation, (draft,))

    async def log(self, account: AccountId) -> list[Entry]:
        """All that a log holds."""
        [page] = await self.storage.read([ReadRequest(account, 0, 1)])
        request = ReadRequest(account, page.floor, 100_000_000)
        [page] = await self.storage.read([request])
        return list(unpack_entries(page.to - page.floor, page.entries))

    async def notices(self, account: AccountId) -> list[Notice]:
        """What the service told an account about itself."""
        return [
            read_notice(entry.body)
            for entry in await self.log(account)
            if entry.kind == Kind.SYSTEM and entry.account == "" and entry.body is not None
        ]

    def publication(self, key: str, account: AccountId) -> Publication:
        """An entry from outside for one account, the same for the same key."""
        intent = Intent(Kind.MESSAGE, direct(ALICE, ALICE))
        number = next(self._numbers)
        record, _ = packed(number, intent, b"news", AccountId("http"), PSEUDO)
        return Publication(
            publisher="http",
            key=key,
            content=hashed(key)[:16],
            device=PSEUDO,
            number=number,
            intent=intent,
            record=record,
            account=account,
        )
