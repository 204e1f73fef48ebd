"""What a planted bug is: where it is, what it means, and who must find it."""

from __future__ import annotations

from dataclasses import dataclass

CRASH_POINTS, POWER_CUT = "crash points", "power cut"


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug.

    old, new: what is replaced in the source of `module`; `old` stands there exactly once.
    ground: where it is hunted: "storm" (in memory), "storm sqlite", "play NAME" (pretend),
        "live NAME" (a real server), CRASH_POINTS or POWER_CUT (a real server that dies).
    judges: one of these must say false.
    """

    name: str
    meaning: str
    module: str
    old: str
    new: str
    ground: str
    judges: tuple[str, ...]
