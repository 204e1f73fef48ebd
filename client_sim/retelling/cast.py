"""The cast of a retold play: names that its sentences can say, kept where they already are such."""

from __future__ import annotations

import re
from collections import defaultdict

from client_sim.retelling.recording import Recording

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_JOINS = {"and", "to", "with", "from"}
"""Words between the names of a sentence."""


class Names:
    """Recorded accounts, groups and devices to their names in the play."""

    def __init__(self, recording: Recording) -> None:
        self._taken: set[str] = set()
        self.accounts = {
            account: self._name(account, "account") for account in recording.accounts()
        }
        self.groups = {group: self._name(group, "group") for group in recording.groups()}
        self.devices: dict[str, str] = {}
        self.cast: dict[str, list[str]] = defaultdict(list)
        for device, told in recording.devices.items():
            kind = re.sub("[^a-z]", "", told.platform.lower()) or "device"
            # A play's devices have the platform that their names say.
            fits = re.sub("[0-9]", "", told.name).lower() == kind
            self._cast(told.account, device, told.name if fits else "", kind)
        for account, name in self.accounts.items():
            if name not in self.cast:
                self._cast(account, f"of {account}", "", "device")  # it exists, all the same

    def _cast(self, account: str, device: str, wanted: str, kind: str) -> None:
        self.devices[device] = self._name(wanted, kind)
        self.cast[self.accounts[account]].append(self.devices[device])

    def _name(self, wanted: str, kind: str) -> str:
        name, number = wanted, 0
        while not _PLAIN.fullmatch(name) or name in self._taken or name in _JOINS:
            number += 1
            name = f"{kind}{number}"
        self._taken.add(name)
        return name
