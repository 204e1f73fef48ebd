"""What the pretended server keeps: a storage, what can be done to its files, what lies in it.

A disk outlives every run of the server. Here is the one in memory; sqlite_disk.py has real files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple, Protocol

import msgspec

from client_sim import history
from client_sim.history import SERVER, Content, Record, fingerprint
from syncd import heading
from syncd.model import EPOCH_BYTES, AccountId, CursorScope, DeviceId, Epoch, Identity, Seq
from syncd.storage import Storage
from syncd.storage.memory import MemoryStorage
from syncd.storage.memory_log import Log


class LogState(NamedTuple):
    """Where a log stands."""

    account: AccountId
    epoch: Epoch
    floor: Seq
    head: Seq


@dataclass(frozen=True, slots=True)
class StoredCursor:
    """What is stored for a device; no epoch where nothing is."""

    device: DeviceId
    epoch: Epoch | None
    seq: Seq
    generation: int


class Disk(Protocol):
    """One server's durable state, looked at without the server's own reading."""

    def open(self) -> Storage:
        """The storage that lies on it, for a server that starts; that of an earlier run is void."""

    def close(self) -> None:
        """Nobody needs it any more. Idempotent."""

    def logs(self) -> list[LogState]:
        """All logs, in the order in which they were made."""

    def entries(self, account: AccountId, after: Seq) -> Iterator[tuple[Seq, Content]]:
        """The entries of one log behind this place, in order."""

    def cursors(self, devices: Iterable[DeviceId]) -> list[StoredCursor]:
        """What is stored for each of these."""

    def back_up(self) -> None:
        """Keep a copy; an older one is let go."""

    def restore(self) -> None:
        """The copy takes its place as the proper command does it; there is one, and nobody has the
        disk open."""

    def put_back(self) -> None:
        """The copy takes its place as it is; there is one, and nobody has the disk open."""


def content(header: bytes, body: bytes) -> Content:
    """Whose message an entry is, and the fingerprint of what it says."""
    text, head = msgspec.msgpack.decode(body), heading.unpack(header)
    return named(head.identity), None if text is None else fingerprint(text, head.kind, head.target)


def named(identity: Identity) -> str:
    """A message as records name it."""
    return f"{identity.device}#{identity.number}"


def remains(disk: Disk, now: float, devices: Iterable[DeviceId]) -> list[Record]:
    """All logs of a disk, and the cursors of these devices, as records of this moment."""
    logs = [
        history.Log(
            at=now,
            by=SERVER,
            account=log.account,
            epoch=log.epoch.hex(),
            floor=log.floor,
            head=log.head,
            entries=tuple(each for _, each in disk.entries(log.account, log.floor)),
        )
        for log in disk.logs()
    ]
    cursors = [
        history.Cursor(at=now, by=SERVER, device=each.device, epoch=each.epoch.hex(), seq=each.seq)
        for each in disk.cursors(dict.fromkeys(devices))
        if each.epoch is not None
    ]
    return [*logs, *cursors]


class _OpenMemory(MemoryStorage):
    """The reference storage, opened so that one can look inside."""

    def logs(self) -> dict[AccountId, Log]:
        return self._logs

    def cursor(self, device: DeviceId) -> StoredCursor:
        kept = self._devices[device]
        saved = self._cursors.get(self._cursor_key(kept))
        if saved is None:
            return StoredCursor(device, None, 0, kept.generation)
        return StoredCursor(device, saved.epoch, saved.seq, kept.generation)

    def renew(self) -> None:
        """As storage/restore.py does: new epochs and new generations."""
        for log in self._logs.values():
            log.epoch = Epoch(self._draw(EPOCH_BYTES))
        for device in self._devices.values():
            device.generation += 1


class MemoryDisk:
    """See Disk. The reference storage keeps all; `random` gives epochs."""

    def __init__(self, random: Random, scope: CursorScope) -> None:
        self._random = random
        self._storage = _OpenMemory(scope, draw=random.randbytes)
        self._copy: _OpenMemory | None = None

    def open(self) -> Storage:
        return self._storage

    def close(self) -> None:
        return

    def logs(self) -> list[LogState]:
        return [
            LogState(account, log.epoch, log.floor, log.head)
            for account, log in self._storage.logs().items()
        ]

    def entries(self, account: AccountId, after: Seq) -> Iterator[tuple[Seq, Content]]:
        log = self._storage.logs()[account]
        for seq in range(max(after, log.floor) + 1, log.head + 1):
            entry = log.entries[seq - log.floor - 1]
            yield seq, content(entry.header, entry.body)

    def cursors(self, devices: Iterable[DeviceId]) -> list[StoredCursor]:
        return [self._storage.cursor(device) for device in devices]

    def back_up(self) -> None:
        self._copy = self._copied(self._storage)

    def restore(self) -> None:
        self.put_back()
        self._storage.renew()

    def put_back(self) -> None:
        assert self._copy is not None, "a backup was taken"
        self._storage = self._copied(self._copy)

    def _copied(self, storage: _OpenMemory) -> _OpenMemory:
        shared: dict[int, Any] = {id(self._random): self._random}  # chance is not set back
        return deepcopy(storage, shared)
