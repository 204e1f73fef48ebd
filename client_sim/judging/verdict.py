"""What a judge says: true, false or unknown; and what a court of them says of a whole run."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Ruling(Enum):
    """Unknown is not acquitted: it fails a run as false does."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Charge:
    """One breach of one invariant. steps: indexes of the few records that show it, in order."""

    text: str
    steps: tuple[int, ...] = ()
    device: str = ""


@dataclass(slots=True)
class Finding:
    """What one judge has found so far. seen: how many things it looked at."""

    seen: int = 0
    charges: list[Charge] = field(default_factory=list)

    def charge(self, text: str, *steps: int, device: str = "") -> None:
        """One more breach. steps: indexes of the records that show it, in any order; negative ones
        stand for what nobody told."""
        shown = tuple(sorted({step for step in steps if step >= 0}))
        self.charges.append(Charge(text, shown, device))


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one judge found. seen: how many things it looked at; nothing to look at is true only
    of a judge that the run was not for."""

    judge: str
    ruling: Ruling
    seen: int
    charges: tuple[Charge, ...] = ()
    """The first few."""
    charged: int = 0
    """How many there are."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the court says of a run. why: what left it unknown, in words."""

    ruling: Ruling
    opinions: tuple[Opinion, ...]
    accepted: int
    """Messages that were accepted in the run."""
    why: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """The judges that said false."""
        return tuple(each.judge for each in self.opinions if each.ruling is Ruling.FALSE)
