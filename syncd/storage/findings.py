"""What a check of a store has seen, and what of it is wrong."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from syncd.storage.transaction import CHANGED

FINDINGS_MAX = 1_000
"""So many are told in full: a store with more is beyond repair by hand."""

UNREADABLE = (sqlite3.Error, *CHANGED)
"""What is raised by a value that damage has turned into another one, or into another type."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: the place, and what about it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(slots=True)
class Report:
    """What was seen. `findings` are at most FINDINGS_MAX, `unlisted` counts those beyond."""

    logs: int = 0
    entries: int = 0
    erased: int = 0
    devices: int = 0
    findings: list[Finding] = field(default_factory=list)
    unlisted: int = 0

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def add(self, where: str, what: str) -> None:
        """Take down one finding."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(where, what))
        else:
            self.unlisted += 1
