"""What a device was answered: the rule that makes a message take effect once, however often sent.

Pure, so that every backend judges by the same lines: it loads what its rows hold, asks, and
writes down what was newly accepted.
"""

from __future__ import annotations

import msgspec

from syncd import errors
from syncd.limits import REMEMBERED_MESSAGES
from syncd.model import Accepted, Draft, Outcome, Refused, Seq


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An accepted message: its seq in the sender's log, and the hash of its content."""

    seq: Seq
    content: bytes


class Remembered:
    """The accepted numbers of one device: the highest for ever, the last `capacity` with answers.

    `answers` must hold the answers of the last `capacity` accepted numbers, in ascending order,
    where any draft is to be judged whose number is not above `highest`.
    """

    __slots__ = ("answers", "capacity", "highest")

    def __init__(self, capacity: int = REMEMBERED_MESSAGES) -> None:
        self.capacity = capacity
        self.highest = 0
        self.answers: dict[int, Answer] = {}

    def judge(self, draft: Draft, floor: Seq) -> Outcome | None:
        """The answer to a draft that this device decided before; None when it is a new one.

        `floor` is the floor of the sender's log: a seq that was trimmed is not told.
        """
        number = draft.number
        if number > self.highest:
            return None
        answer = self.answers.get(number)
        if answer is None:
            # Had it been accepted, it would still be remembered, unless so many came after it.
            later = sum(1 for remembered in self.answers if remembered > number)
            forgotten = later >= self.capacity
            return Refused(number, errors.STALE if forgotten else errors.SKIPPED)
        if answer.content != draft.content:
            return Refused(number, errors.CONFLICT)
        return Accepted(number, answer.seq if answer.seq > floor else None, duplicate=True)

    def accept(self, number: int, answer: Answer) -> None:
        """Remember a new number, forgetting the oldest beyond the capacity."""
        self.highest = number
        self.answers[number] = answer
        if len(self.answers) > self.capacity:
            del self.answers[next(iter(self.answers))]
