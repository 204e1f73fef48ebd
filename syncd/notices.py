"""What the service tells an account about itself, in `system` entries of its own conversation.

Like the changes of a group a notice is a small JSON object, so that a client in any language can
read it. No device can send one: the conversation of an account with itself is no group.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from syncd.model import AccountId, ConversationId, DeviceId


class Merge(msgspec.Struct, frozen=True, tag_field="action", tag="merge", omit_defaults=True):
    """A guest turned out to be this account: its entries follow, and its id is an alias.

    guest, account: the two.
    entries: how many of the entries that follow right after this one came from the guest's log.
    read: by conversation, how many of these count as read up to there: a count of those entries,
        all conversations together. A conversation that is not named has its read marks among them.
    """

    guest: AccountId
    account: AccountId
    entries: int
    read: Mapping[ConversationId, int] = {}


class DeviceAdded(msgspec.Struct, frozen=True, tag_field="action", tag="device_added"):
    """A device logged in to this account for the first time. name, platform: what it calls itself;
    chosen by whoever logged in, so not to be believed."""

    device: DeviceId
    name: str
    platform: str


Notice: TypeAlias = Merge | DeviceAdded

_decode = msgspec.json.Decoder(Notice).decode


def read_notice(body: bytes) -> Notice:
    """The notice in a body. Raises ValueError for everything else."""
    notice: Notice = _decode(body)
    return notice


def write_notice(notice: Notice) -> bytes:
    """The body that says `notice`."""
    return msgspec.json.encode(notice)
