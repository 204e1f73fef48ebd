"""What storage tests commit: records that mean nothing, because storage must not look inside."""

from collections.abc import Sequence

from syncd import chain
from syncd.model import (
    AccountId,
    CursorMark,
    DeviceId,
    Draft,
    Epoch,
    Intent,
    Kind,
    Link,
    Opening,
    OpeningRequest,
    Page,
    Publication,
    ReadRequest,
    Record,
    Seq,
    Submission,
    Work,
    direct,
)
from syncd.storage import Storage

ALICE, BOB, NOBODY = AccountId("alice"), AccountId("bob"), AccountId("nobody")
PHONE, LAPTOP, TABLET, LOST = (DeviceId(digit * 24) for digit in "1234")
PSEUDO = DeviceId("5" * 24)
"""PHONE and TABLET are Alice's (a phone and a pc), LAPTOP is Bob's (a pc), LOST never existed."""
PHONE_TOKEN, LAPTOP_TOKEN, TABLET_TOKEN, NEW_TOKEN = (bytes([digit]) * 32 for digit in range(4))


async def populate(storage: Storage) -> None:
    for account in (ALICE, BOB):
        assert await storage.create_account(account)
    await storage.create_device(ALICE, PHONE, "Alice's phone", "phone", PHONE_TOKEN)
    await storage.create_device(BOB, LAPTOP, "Bob's laptop", "pc", LAPTOP_TOKEN)
    await storage.create_device(ALICE, TABLET, "Alice's tablet", "pc", TABLET_TOKEN)


def record(text: str | int, size: int = 0) -> Record:
    body = f"body {text}".encode().ljust(size)
    return Record(f"header {text};".encode(), body, chain.hash_of(body))


def encoded(*texts: str | int) -> bytes:
    return b"".join(record(text).header + record(text).body for text in texts)


def content(text: str | int) -> bytes:
    return chain.hash_of(str(text).encode())[:16]


def draft(
    number: int,
    text: str | int | None = None,
    members: Sequence[AccountId] = (ALICE, BOB),
    device: DeviceId = PHONE,
) -> Draft:
    text = number if text is None else text
    intent = Intent(Kind.MESSAGE, direct(members[0], members[-1]))
    return Draft(members[0], device, number, content(text), intent, record(text))


def submission(*drafts: Draft | int, generation: int = 0, device: DeviceId = PHONE) -> Submission:
    made = [draft(each, device=device) if isinstance(each, int) else each for each in drafts]
    return Submission(device, generation, tuple(made))


def sending(*drafts: Draft | int, generation: int = 0) -> Work:
    return Work(submissions=(submission(*drafts, generation=generation),))


def publication(
    key: str, text: str | int = "news", account: AccountId = ALICE, publisher: str = "http"
) -> Publication:
    return Publication(
        publisher=publisher,
        key=key,
        content=content(text),
        device=PSEUDO,
        number=1,
        intent=Intent(Kind.MESSAGE, direct(account, account)),
        record=record(text),
        account=account,
    )


def opening(
    device: DeviceId = PHONE,
    account: AccountId = ALICE,
    credential: int | None = 1,
    instance: str = "i" * 16,
    stated: Seq | None = None,
) -> OpeningRequest:
    return OpeningRequest(account, device, credential, instance, stated)


async def opened(storage: Storage, request: OpeningRequest | None = None) -> Opening:
    done = await storage.commit(Work(openings=(request or opening(),)))
    [result] = done.openings
    assert isinstance(result, Opening), result
    return result


def mark(
    epoch: Epoch,
    seq: Seq,
    generation: int = 0,
    device: DeviceId = PHONE,
    account: AccountId = ALICE,
) -> CursorMark:
    return CursorMark(account, device, generation, epoch, seq)


async def page(
    storage: Storage, account: AccountId = ALICE, after: Seq = 0, bytes_max: int = 1_000_000
) -> Page:
    [found] = await storage.read([ReadRequest(account, after, bytes_max)])
    return found


def links(*texts: str | int) -> list[Link]:
    """The links of a log of these records; index 0 is the place before the first."""
    found = [chain.GENESIS]
    for seq, text in enumerate(texts, 1):
        made = record(text)
        found.append(chain.link(found[-1], seq, made.header, made.body_hash))
    return found
