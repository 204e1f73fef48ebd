"""Login in a pretended server: the service's own, with chance and time of the pretended world."""

from random import Random

import msgspec

from client_sim.pretend.reception import PretendNotices
from syncd import heading
from syncd.model import AccountId, DeviceId, Kind, Record
from syncd.notices import DeviceAdded, Merge, read_notice

ALICE, GUEST = AccountId("alice"), AccountId("guest")


def written(record: Record) -> bytes:
    body: bytes = msgspec.msgpack.decode(record.body)
    return body


def test_notices_are_those_of_the_service_but_from_a_seed() -> None:
    notices, again = (PretendNotices(Random(1), lambda: 5) for _ in range(2))
    identity, merged = notices.merged(GUEST, ALICE, 3, {})
    assert read_notice(written(merged)) == Merge(GUEST, ALICE, 3)
    shown = heading.unpack(merged.header)
    assert (shown.identity, shown.kind) == (identity, Kind.SYSTEM)
    following, added = notices.device_added(ALICE, DeviceId("d" * 24), "PC1", "pc")
    assert read_notice(written(added)) == DeviceAdded(DeviceId("d" * 24), "PC1", "pc")
    assert (following.device, following.number) == (identity.device, identity.number + 1)
    assert again.merged(GUEST, ALICE, 3, {}) == (identity, merged)
