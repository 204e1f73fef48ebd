"""Plays for pure machines: events >> in, commands << out, and a readable difference.

    play = Playbook(client)
    play >> Connected()
    play << SendFrame(hello)

Each `>>` hands one event to the machine; each `<<` says the next command that must have come of
it. `play.now` is the clock. A play whose commands were not all said fails at the next event or at
`end`, so nothing is passed over in silence. ANYTHING stands for a value that does not matter.
"""

from __future__ import annotations

from difflib import ndiff
from typing import Any, Protocol


class Machine(Protocol):
    """Events in, commands out."""

    def handle(self, event: Any, now: float) -> list[Any]: ...

    def deadline(self) -> float | None: ...


class _Anything:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "ANYTHING"


ANYTHING: Any = _Anything()


class Playbook:
    """One machine in a play."""

    def __init__(self, machine: Machine, now: float = 100.0) -> None:
        self.machine = machine
        self.now = now
        self._event: object = None
        self._said: list[Any] = []
        self._done: list[Any] = []

    def __rshift__(self, event: object) -> Playbook:
        """This happens."""
        self.end()
        self._event, self._said = event, []
        self._done = self.machine.handle(event, self.now)
        return self

    def __lshift__(self, command: object) -> Playbook:
        """And the machine asks for this, next."""
        self._said.append(command)
        # The expected side first: its placeholders decide what is equal.
        if self._said != self._done[: len(self._said)]:
            raise AssertionError(self._difference())
        return self

    def end(self) -> Playbook:
        """Everything that the machine asked for was said."""
        if len(self._said) < len(self._done):
            raise AssertionError(self._difference())
        return self

    def wait(self) -> Playbook:
        """Let time pass until the machine's deadline; the caller feeds the event."""
        due = self.machine.deadline()
        assert due is not None, "the machine waits for no time"
        assert due >= self.now, "the machine's deadline is over"
        self.now = due
        return self

    def skip(self) -> list[Any]:
        """Take the unsaid commands as they are."""
        unsaid = self._done[len(self._said) :]
        self._said = list(self._done)
        return unsaid

    def _difference(self) -> str:
        said, done = ([repr(each) for each in side] for side in (self._said, self._done))
        return f"after {self._event!r}:\n" + "\n".join(ndiff(said, done))
