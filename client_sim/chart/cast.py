"""Who takes part in a history, and what people call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from client_sim.history import Appended, Device, Floor, Log, Record, Renewed

NAME_MAX = 14
"""Longer names are cut: a lane is not wider."""


@dataclass(frozen=True)
class Cast:
    """The devices, by id and in the order in which they were first told of, and the accounts."""

    devices: Mapping[str, Device]
    accounts: tuple[str, ...]

    @classmethod
    def of(cls, records: Iterable[Record]) -> Cast:
        """Everybody in these records; a device that nothing introduces has no account."""
        devices: dict[str, Device] = {}
        accounts: dict[str, None] = {}
        for record in records:
            match record:
                case Device():
                    devices[record.device] = record
                    accounts[record.account] = None
                case Appended() | Log() | Renewed() | Floor():
                    accounts.setdefault(record.account)
                case _:
                    device = getattr(record, "device", "")
                    if device and device not in devices:
                        devices[device] = Device(device=device, account="")
        return cls(devices, tuple(accounts))

    def name(self, device: str) -> str:
        """What people call a device."""
        known = self.devices.get(device)
        return short((known.name if known else "") or device)

    def account(self, device: str) -> str:
        """Whose it is; empty where nobody says."""
        known = self.devices.get(device)
        return known.account if known else ""

    def message(self, identity: str) -> str:
        """What people call a message: its device's name, and its number there."""
        device, sign, number = identity.rpartition("#")
        return f"{self.name(device)}#{number}" if sign and device in self.devices else identity


def short(name: str) -> str:
    """A name that fits over a lane."""
    return name if len(name) <= NAME_MAX else f"{name[: NAME_MAX - 1]}…"


def spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as runs, first and last of each."""
    ordered = sorted(set(numbers))
    found = []
    for _, run in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        found.append((members[0], members[-1]))
    return found


def in_words(numbers: Iterable[int], most: int = 4) -> str:
    """Numbers as people write them: 1-3, 7, 9-12."""
    runs = [f"{low}" if low == high else f"{low}-{high}" for low, high in spans(numbers)]
    return ", ".join(runs[:most]) + (" …" if len(runs) > most else "")


def listed(names: Sequence[str], most: int = 3) -> str:
    """Names as people list them."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), *names[-1:]])
