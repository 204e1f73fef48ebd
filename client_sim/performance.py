"""All plays of a reproduction together: what was measured in each half, and what that proves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from client_sim.measured import Playing, complete, founding_bug, loses

WRONG = "platform"
"""The scope whose half shows the bug."""
RIGHT = "device"
"""The scope that the service has."""


@dataclass(frozen=True, slots=True)
class Act:
    """One play in every half in which it was played, by cursor scope."""

    name: str
    title: str
    halves: Mapping[str, Playing]

    @property
    def fixed(self) -> bool:
        """Whether the right half was played and is right."""
        return RIGHT in self.halves and complete(self.halves[RIGHT])

    @property
    def loses(self) -> dict[str, bool]:
        """Whether messages were lost, for each wrong key under which this was played."""
        return {scope: loses(half) for scope, half in self.halves.items() if scope != RIGHT}

    def as_json(self) -> dict[str, Any]:
        """The act in the words of ``--json``."""
        counts = {scope: half.counts() for scope, half in self.halves.items()}
        due = max(len(half.due) for half in self.halves.values())
        return {**counts, "due": due, "loses": self.loses, "fixed": self.fixed}


@dataclass(frozen=True, slots=True)
class Performance:
    """The founding report and its variants, as measured.

    scope: the one scope of a server that ran already; None when both halves were played.
    """

    main: Act
    variants: tuple[Act, ...]
    scope: str | None = None

    @property
    def reproduced(self) -> bool:
        """The wrong half was played, PC1 got everything there and PC2 did not."""
        return WRONG in self.main.halves and founding_bug(self.main.halves[WRONG])

    @property
    def fixed(self) -> bool:
        """The right half was played, and there every device of every play holds everything."""
        return all(act.fixed for act in (self.main, *self.variants))

    @property
    def succeeded(self) -> bool:
        """What the exit status says. A server that runs already can only show its own half."""
        return self.fixed and (self.reproduced or self.scope is not None)

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints. A half that could not be played is null."""
        halves = {
            scope: self.main.halves[scope].counts() if scope in self.main.halves else None
            for scope in (WRONG, RIGHT)
        }
        return {
            **halves,
            "reproduced": self.reproduced,
            "fixed": self.fixed,
            "variants": {act.name: act.as_json() for act in self.variants},
            **({} if self.scope is None else {"scope": self.scope}),
        }
