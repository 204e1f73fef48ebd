"""What the service tells an account about itself, as devices will read it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from syncd.chain import hash_of
from syncd.model import AccountId, ConversationId, DeviceId, Kind, Record
from syncd.notices import DeviceAdded, Merge, read_notice
from syncd.server.notices import NoticeWriter

ALICE, GUEST = AccountId("alice"), AccountId("guest")


def test_a_merge() -> None:
    read = {ConversationId("alice~bob"): 2}
    identity, record = NoticeWriter(lambda: 7_000_000).merged(GUEST, ALICE, 3, read)
    [kind, conversation, sender, device, number, target, at, body] = fields(record)
    assert (device, number) == (identity.device, identity.number)
    assert (kind, conversation, sender, target, at) == (Kind.SYSTEM, "alice~alice", "", None, 7)
    assert read_notice(body) == Merge(GUEST, ALICE, 3, read)
    assert record.body_hash == hash_of(record.body)


def test_a_new_device() -> None:
    _, record = NoticeWriter().device_added(ALICE, DeviceId("d" * 24), "PC1", "pc")
    assert read_notice(fields(record)[-1]) == DeviceAdded(DeviceId("d" * 24), "PC1", "pc")


def test_no_two_have_one_identity_whatever_the_thread() -> None:
    writer, other = NoticeWriter(), NoticeWriter()
    with ThreadPoolExecutor(4) as threads:
        written = list(threads.map(lambda _: writer.merged(GUEST, ALICE, 0, {})[0], range(1000)))
    assert len(set(written)) == 1000
    assert other.merged(GUEST, ALICE, 0, {})[0] not in written


def fields(record: Record) -> list[Any]:
    entry: list[Any] = msgspec.msgpack.decode(record.header + record.body, type=list)
    return entry
