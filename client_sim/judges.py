"""Verdicts on what devices saw, from the record alone: holes, doubles, disorder, contradictions.

Pure: nothing here knows how the record came to be, so every judge is tested with bad records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from client_sim.measured import Line, messages_in_words

Identity = tuple[str, int]
"""The sending device and its number: which message, in every log."""


class Fault(Enum):
    """What may be wrong with what devices saw."""

    HOLE = "holes"
    DOUBLE = "doubles"
    DISORDER = "disorder"
    CONTRADICTION = "contradictions"
    LOST = "lost"


@dataclass(slots=True)
class Track:
    """All that one device saw: entries in the order in which they came, after place `start`."""

    device: str
    account: str
    start: int = 0
    lines: list[Line] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The seq that it saw last; its start where it saw none."""
        return self.lines[-1].seq if self.lines else self.start


@dataclass(frozen=True, slots=True)
class Charge:
    """One thing that is wrong, on one device."""

    fault: Fault
    device: str
    text: str


def judge(tracks: Sequence[Track], accepted: Mapping[str, Iterable[Identity]]) -> list[Charge]:
    """Everything that is wrong. `accepted`: the messages that each account's log must hold."""
    charges: list[Charge] = []
    for track in tracks:
        charges += holes(track)
        charges += doubles(track)
        charges += disorder(track)
        charges += lost(track, accepted.get(track.account, ()))
    charges += contradictions(tracks)
    return charges


def holes(track: Track) -> Iterator[Charge]:
    """Each entry's seq is one more than that of the entry before; the first follows the start."""
    highest = track.start
    for line in track.lines:
        if line.seq > highest + 1:
            gone = messages_in_words(tuple(range(highest + 1, line.seq)))
            yield Charge(Fault.HOLE, track.device, f"{gone} never came before {line.seq}")
        highest = max(highest, line.seq)


def doubles(track: Track) -> Iterator[Charge]:
    """No seq comes twice, and no message has two seqs."""
    seqs: set[int] = set()
    identities: set[Identity] = set()
    for line in track.lines:
        if line.seq in seqs or line.identity in identities:
            said = f"message {line.number} of {line.sender} came again at {line.seq}"
            yield Charge(Fault.DOUBLE, track.device, said)
        seqs.add(line.seq)
        identities.add(line.identity)


def disorder(track: Track) -> Iterator[Charge]:
    """Seqs rise, and so do the numbers of each sending device."""
    highest = track.start
    numbers: dict[str, int] = {}
    for line in track.lines:
        if line.seq < highest:
            said = f"{line.seq} came after {highest}"
            yield Charge(Fault.DISORDER, track.device, said)
        before = numbers.get(line.sender, 0)
        if line.number < before:
            said = f"message {line.number} of {line.sender} came after its message {before}"
            yield Charge(Fault.DISORDER, track.device, said)
        highest = max(highest, line.seq)
        numbers[line.sender] = max(before, line.number)


def contradictions(tracks: Iterable[Track]) -> Iterator[Charge]:
    """A seq names one message with one body, on every device of an account."""
    known: dict[tuple[str, int], tuple[Line, str]] = {}
    for track in tracks:
        for line in track.lines:
            first, witness = known.setdefault((track.account, line.seq), (line, track.device))
            if first != line:
                said = f"{line.seq} is another message than on {witness}"
                yield Charge(Fault.CONTRADICTION, track.device, said)


def lost(track: Track, accepted: Iterable[Identity]) -> Iterator[Charge]:
    """Every message that the server accepted for the account is there."""
    seen = {line.identity for line in track.lines}
    for sender, number in accepted:
        if (sender, number) not in seen:
            said = f"message {number} of {sender} was accepted and never came"
            yield Charge(Fault.LOST, track.device, said)


def converged(tracks: Sequence[Track]) -> bool:
    """Whether all devices of each account saw the same entry last."""
    places: dict[str, set[int]] = {}
    for track in tracks:
        places.setdefault(track.account, set()).add(track.last)
    return all(len(each) == 1 for each in places.values())


def counts(charges: Iterable[Charge]) -> dict[str, int]:
    """How many of each fault."""
    found = {fault.value: 0 for fault in Fault}
    for charge in charges:
        found[charge.fault.value] += 1
    return found
