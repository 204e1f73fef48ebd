"""Messages, drafts and pages for tests, made with the real codec and the real chain."""

from collections.abc import Sequence

from syncd import chain
from syncd.model import (
    AccountId,
    DeviceId,
    Draft,
    Epoch,
    Intent,
    Kind,
    Link,
    Page,
    Record,
    Seq,
    Submission,
    direct,
)
from syncd.wire.codec import content_of, pack_entry
from syncd.wire.frames import Message

ALICE, BOB, CAROL = AccountId("alice"), AccountId("bob"), AccountId("carol")
EPOCH, OTHER_EPOCH = Epoch(b"epoch-01"), Epoch(b"epoch-02")


def device_id(name: str) -> DeviceId:
    """A device id that shows its name in hex."""
    return DeviceId(name.encode().hex().ljust(24, "0")[:24])


PHONE, LAPTOP = device_id("phone"), device_id("laptop")


def message(
    number: int, body: bytes = b"hello", one: AccountId = ALICE, other: AccountId = BOB
) -> Message:
    return Message(number, Kind.MESSAGE, direct(one, other), None, body)


def record(number: int, body: bytes = b"hello", device: DeviceId = PHONE) -> Record:
    return pack_entry(message(number, body), ALICE, device, 0)


def draft(number: int, body: bytes = b"hello", device: DeviceId = PHONE) -> Draft:
    sent = message(number, body)
    made = pack_entry(sent, ALICE, device, 0)
    intent = Intent(Kind.MESSAGE, sent.conversation)
    return Draft(ALICE, device, number, content_of(sent, made), intent, made)


def submission(
    *numbers: int, device: DeviceId = PHONE, generation: int = 1, body: bytes = b"hello"
) -> Submission:
    return Submission(device, generation, tuple(draft(each, body, device) for each in numbers))


def links(records: Sequence[Record]) -> list[Link]:
    """The links of a log that holds `records` from seq 1 on; index 0 is the place before it."""
    found = [chain.GENESIS]
    for seq, each in enumerate(records, 1):
        found.append(chain.link(found[-1], seq, each.header, each.body_hash))
    return found


def page(
    after: Seq,
    to: Seq,
    head: Seq,
    *,
    floor: Seq = 0,
    epoch: Epoch = EPOCH,
    body: bytes = b"hello",
) -> Page:
    """The page after+1 .. to of a log of records 1, 2, 3 ..., which stands at floor and head."""
    records = [record(number, body) for number in range(1, max(to, floor) + 1)]
    known = links(records)
    entries = b"".join(each.header + each.body for each in records[after:to])
    return Page(epoch, floor, chain.shown(known[floor]), head, to, chain.shown(known[to]), entries)
