"""The end of a history: what each device holds, and what it misses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from client_sim.chart.cast import Cast, in_words
from client_sim.history import Answer, Holds, Log, Record, Send


@dataclass(frozen=True)
class Share:
    """What one device has of its log: so many of so many. missing: the seqs of what it has not,
    and is not going to get by itself: it was online and had come to the log's end, or beyond the
    missing ones."""

    held: int
    due: int
    missing: tuple[int, ...]
    online: bool

    def words(self) -> tuple[str, str]:
        """A headline and a remark."""
        headline = f"holds {self.held} of {self.due}"
        if self.missing:
            return headline, f"misses {in_words(self.missing)}"
        if self.held == self.due:
            return headline, "has everything"
        return headline, "behind" if self.online else "not logged in"


@dataclass(frozen=True)
class Outcome:
    """shares by device; logs by account; lost: messages that were accepted and that the log of an
    account does not hold, by that account."""

    shares: Mapping[str, Share]
    logs: Mapping[str, Log]
    lost: Mapping[str, tuple[str, ...]]


def outcome(records: Iterable[Record], cast: Cast) -> Outcome:
    """What these records say of the end; nothing where they say nothing."""
    logs: dict[str, Log] = {}
    holds: dict[str, Holds] = {}
    due: dict[str, tuple[str, ...]] = {}
    accepted: set[str] = set()
    for record in records:
        match record:
            case Log():
                logs[record.account] = record
            case Holds():
                holds[record.device] = record
            case Send() if record.to:
                due[record.message] = record.to
            case Answer(outcome="accepted"):
                accepted.add(record.message)
    shares = {
        device: _share(logs[cast.account(device)], held)
        for device, held in holds.items()
        if cast.account(device) in logs
    }
    return Outcome(shares, logs, _lost(logs, {each: due.get(each, ()) for each in accepted}))


def _share(log: Log, holds: Holds) -> Share:
    kept = {identity for identity, _ in holds.entries} | set(holds.old)
    absent = [
        seq for seq, (identity, _) in enumerate(log.entries, log.floor + 1) if identity not in kept
    ]
    missing = [seq for seq in absent if holds.online or seq <= holds.seq]
    return Share(len(log.entries) - len(absent), len(log.entries), tuple(missing), holds.online)


def _lost(
    logs: Mapping[str, Log], due: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    lost: dict[str, tuple[str, ...]] = {}
    for account, log in logs.items():
        if log.floor:
            continue  # What retention dropped cannot be told from what was lost.
        held = {identity for identity, _ in log.entries}
        gone = sorted(each for each, to in due.items() if account in to and each not in held)
        if gone:
            lost[account] = tuple(gone)
    return lost
