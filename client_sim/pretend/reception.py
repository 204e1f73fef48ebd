"""Login in a pretended house: the service's own, in one run of its server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from client_sim.platform import Platform
from syncd import limits
from syncd.errors import Refusal
from syncd.identity.accounts import Accounts
from syncd.identity.codes import Codes
from syncd.identity.issuers import Issuers
from syncd.identity.login import Login, Surroundings
from syncd.identity.sealing import Sealing
from syncd.model import AccountId, ConversationId, DeviceId, Identity, Kind, Record, direct
from syncd.notices import DeviceAdded, Merge, Notice, write_notice
from syncd.wire.codec import pack_entry
from syncd.wire.frames import Message

if TYPE_CHECKING:
    from client_sim.pretend.node import Node

_KEY = bytes(32)
"""Nobody steals a store in a pretended house."""


class _NoKeys:
    """See issuers.KeySource."""

    async def fetch(self, url: str) -> bytes | None:
        return None


_NO_ISSUERS = Issuers((), _NoKeys())


class PretendNotices:
    """See persons.Notices: as server/notices.py writes them, but from a seed."""

    def __init__(self, random: Random, wall_ms: Callable[[], int]) -> None:
        self._device = DeviceId(random.randbytes(limits.DEVICE_ID_CHARACTERS // 2).hex())
        self._numbers = count(1)
        self._wall_ms = wall_ms

    def merged(
        self,
        guest: AccountId,
        account: AccountId,
        entries: int,
        read: Mapping[ConversationId, int],
    ) -> tuple[Identity, Record]:
        return self._written(account, Merge(guest, account, entries, read))

    def device_added(
        self, account: AccountId, device: DeviceId, name: str, platform: str
    ) -> tuple[Identity, Record]:
        return self._written(account, DeviceAdded(device, name, platform))

    def _written(self, account: AccountId, notice: Notice) -> tuple[Identity, Record]:
        identity = Identity(self._device, next(self._numbers))
        conversation, body = direct(account, account), write_notice(notice)
        message = Message(identity.number, int(Kind.SYSTEM), conversation, None, body)
        record = pack_entry(message, AccountId(""), identity.device, self._wall_ms())
        return identity, record


class Reception:
    """What the server's process has for logins. Made with its node."""

    def __init__(self, node: Node, platform: Platform) -> None:
        world, people = node.world, node.storage.people
        draw = world.chance("login").randbytes
        notices = PretendNotices(world.chance("notices"), world.wall_ms)
        sealing = Sealing({1: _KEY}, draw)
        ended: Callable[[DeviceId, Refusal], None] = node.live.end
        codes = Codes(people, platform, platform.apps, sealing, ended)
        around = Surroundings(
            notices=notices, ended=ended, wake=node.wakeups.wake, draw=draw, clock=world.now
        )
        self.login = Login(people, codes, _NO_ISSUERS, platform.apps, sealing, around)
        self.accounts = Accounts(people, notices, ended, node.wakeups.wake)
