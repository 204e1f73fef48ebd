"""What the reference backend keeps beside its logs: its rows."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId, Epoch, Seq
from syncd.persons import Subject
from syncd.storage.register import ending
from syncd.storage.remembered import Remembered


@dataclass(slots=True)
class StoredDevice:
    """A device. subject: with which it signed in last."""

    device: DeviceId
    account: AccountId
    name: str
    platform: str
    token_hash: bytes
    remembered: Remembered
    credential: int = 1
    generation: int = 0
    instance: str | None = None
    revoked: bool = False
    verdict: str | None = None
    secret_hash: bytes | None = None
    ended_by: str | None = None
    subject: Subject | None = None

    @property
    def ended(self) -> Refusal | None:
        """Why its token opens nothing. Kept by name, so that a copy of the store tells the same."""
        return ending(self.ended_by)


@dataclass(slots=True)
class StoredSubject:
    """Whose a subject is. platform: whose union it brought last; pending: one that waits."""

    account: AccountId
    sealed_key: bytes | None = None
    platform: str | None = None
    pending: str | None = None


@dataclass(frozen=True, slots=True)
class StoredPublication:
    """What was accepted. account: as it was then; it may be an alias since."""

    content: bytes
    account: AccountId | None
    seq: Seq | None
    arrival: int


@dataclass(frozen=True, slots=True)
class StoredCursor:
    """What was confirmed."""

    epoch: Epoch
    seq: Seq
