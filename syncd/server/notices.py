"""Writes the `system` entries with which the service tells an account about itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from syncd.model import AccountId, ConversationId, DeviceId, Identity, Kind, Record, direct
from syncd.notices import DeviceAdded, Merge, Notice, write_notice
from syncd.server.writer import PseudoDevice
from syncd.wire.codec import pack_entry
from syncd.wire.frames import Message


class NoticeWriter:
    """See persons.Notices. Its device does not exist, like that of every entry without one."""

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._device = PseudoDevice()
        self._wall_ns = wall_ns

    def merged(
        self,
        guest: AccountId,
        account: AccountId,
        entries: int,
        read: Mapping[ConversationId, int],
    ) -> tuple[Identity, Record]:
        """The entry that announces a merge."""
        return self._written(account, Merge(guest, account, entries, read))

    def device_added(
        self, account: AccountId, device: DeviceId, name: str, platform: str
    ) -> tuple[Identity, Record]:
        """The entry that tells of a new device."""
        return self._written(account, DeviceAdded(device, name, platform))

    def _written(self, account: AccountId, notice: Notice) -> tuple[Identity, Record]:
        identity = self._device.next()
        conversation, body = direct(account, account), write_notice(notice)
        message = Message(identity.number, int(Kind.SYSTEM), conversation, None, body)
        wall_ms = self._wall_ns() // 1_000_000
        return identity, pack_entry(message, AccountId(""), identity.device, wall_ms)
