"""What was measured on each device, and what follows from it. Pure: no clock, no socket, no files.

The judgements here see nothing but measured data; what a play expected never reaches them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from syncd.model import Position

DIGEST_CHARACTERS = 16


def digest_of(body: bytes) -> str:
    """A body's fingerprint, short enough to print and long enough never to meet another."""
    return sha256(body).hexdigest()[:DIGEST_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as a device has it: where, which message, and what it says."""

    seq: int
    sender: str
    """The sending device; with `number` the message's identity."""
    number: int
    digest: str

    @property
    def identity(self) -> tuple[str, int]:
        return self.sender, self.number


@dataclass(frozen=True, slots=True)
class Holding:
    """All that one device showed to its user, in the order in which it came, and where it stands.

    check: what the client's check of the server's start said, or would have said where it was
    turned off; trouble: what else kept the device from its messages. Both in words.
    """

    name: str
    platform: str
    lines: tuple[Line, ...]
    position: Position | None
    check: tuple[str, ...] = ()
    trouble: tuple[str, ...] = ()


class Happening(Enum):
    """What can happen in a play."""

    ARRIVED = "arrived"
    LOGGED_IN = "logged in"
    LOGGED_OUT = "logged out"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened, as it was measured.

    cursor: what the server had stored for the device when it happened (for a login: before it).
    """

    happening: Happening
    device: str = ""
    count: int = 0
    """ARRIVED: messages. LOGGED_IN: entries that the login brought. KILLED: entries held then."""
    cursor: int = 0
    start: int | None = None
    """LOGGED_IN: after which seq the server began."""


@dataclass(frozen=True, slots=True)
class Playing:
    """One play in one half: what every device must hold, what each holds, and what happened."""

    due: tuple[Line, ...]
    holdings: tuple[Holding, ...]
    moments: tuple[Moment, ...] = ()

    def counts(self) -> dict[str, int]:
        """How many of the messages due each device holds."""
        return {each.name: examine(each, self.due).held for each in self.holdings}


@dataclass(frozen=True, slots=True)
class Finding:
    """One device's lines compared with what was due. All seqs refer to the account's log."""

    held: int
    due: int
    missing: tuple[int, ...]
    doubled: tuple[int, ...]
    """Seqs that came more than once, or whose message came at another seq too."""
    disordered: tuple[int, ...]
    """Seqs that came after a higher one."""
    strange: tuple[int, ...]
    """Seqs that hold another message or another body than was sent."""

    @property
    def right(self) -> bool:
        return not (self.missing or self.doubled or self.disordered or self.strange)

    def words(self) -> str:
        """The finding as a person would say it."""
        if self.right:
            return "has everything"
        if len(self.missing) == self.due > 1:
            return f"misses all {self.due}"
        faults = (
            ("misses", self.missing),
            ("has twice", self.doubled),
            ("has out of order", self.disordered),
            ("has altered", self.strange),
        )
        return ", ".join(f"{verb} {messages_in_words(seqs)}" for verb, seqs in faults if seqs)


def examine(holding: Holding, due: Sequence[Line]) -> Finding:
    """Compare what a device holds with what it must hold: exactly `due`, once each, in order."""
    by_seq: Mapping[int, Line] = {line.seq: line for line in due}
    right = {line.seq for line in holding.lines if by_seq.get(line.seq) == line}
    strange = {line.seq for line in holding.lines if by_seq.get(line.seq) != line}
    seqs = Counter(line.seq for line in holding.lines)
    identities = Counter(line.identity for line in holding.lines)
    doubled = {
        line.seq for line in holding.lines if seqs[line.seq] > 1 or identities[line.identity] > 1
    }
    disordered, highest = set(), 0
    for line in holding.lines:
        if line.seq < highest:
            disordered.add(line.seq)
        highest = max(highest, line.seq)
    return Finding(
        held=len(right),
        due=len(due),
        missing=tuple(sorted(by_seq.keys() - right)),
        doubled=tuple(sorted(doubled)),
        disordered=tuple(sorted(disordered)),
        strange=tuple(sorted(strange)),
    )


def one_position(playing: Playing) -> bool:
    """Whether all devices stand at the same place: epoch, seq and chain."""
    return len({each.position for each in playing.holdings}) == 1


def complete(playing: Playing) -> bool:
    """Whether this half is right: every device holds everything once, and all agree."""
    nothing_said = not any(each.check or each.trouble for each in playing.holdings)
    all_right = all(examine(each, playing.due).right for each in playing.holdings)
    return bool(playing.due) and nothing_said and all_right and one_position(playing)


def loses(playing: Playing) -> bool:
    """Whether some device misses messages that are in its account's log."""
    return any(examine(each, playing.due).missing for each in playing.holdings)


def founding_bug(playing: Playing) -> bool:
    """Whether it is the bug of the founding report: the first PC holds all, the second misses."""
    by_name = {each.name: examine(each, playing.due) for each in playing.holdings}
    return bool(playing.due) and by_name["PC1"].right and bool(by_name["PC2"].missing)


def words_for(playing: Playing) -> str:
    """The half in words: who misses what, or that nobody does."""
    findings = [(each.name, examine(each, playing.due)) for each in playing.holdings]
    killed = [
        f"{each.device} held {each.count} when killed"
        for each in playing.moments
        if each.happening is Happening.KILLED
    ]
    wrong = [f"{name} {finding.words()}" for name, finding in findings if not finding.right]
    troubles = [f"{each.name}: {said}" for each in playing.holdings for said in each.trouble]
    if wrong or troubles:
        return "; ".join(wrong + troubles + killed)
    if not one_position(playing):
        return "all complete, but their chains differ"
    return "; ".join(["all complete: same seqs, bodies, chain", *killed])


def messages_in_words(seqs: Sequence[int]) -> str:
    """Rising seqs as a person names messages: ``message 1``, ``messages 3 to 7``."""
    return f"{'message' if len(seqs) == 1 else 'messages'} {seqs_in_words(seqs)}"


def seqs_in_words(seqs: Sequence[int]) -> str:
    """Rising seqs as runs: ``1, 3 to 7``."""
    runs: list[list[int]] = []
    for seq in seqs:
        if runs and seq == runs[-1][-1] + 1:
            runs[-1][1:] = [seq]
        else:
            runs.append([seq])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[1]}" for run in runs)
