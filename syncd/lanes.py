"""What waits for the disk: submissions in the lanes of their sessions, and publications."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from syncd.errors import Refusal
from syncd.fan_outs import FanOuts
from syncd.model import Accepted, Outcome, Publication, Record, Submission, Superseded

_OBJECT_BYTES = 640
"""What a waiting message costs beside its bytes, measured and rounded up: without it a flood of
empty messages would wait for the disk uncounted."""

OutcomeTaker: TypeAlias = Callable[[tuple[Outcome, ...] | Superseded], None]
PublicationTaker: TypeAlias = Callable[[Accepted | Refusal], None]


class Lane:
    """The order of one session's submissions.

    Once something in it was refused retryably, everything after it is refused alike: tested in
    commit order, so also for what was waiting already.
    """

    __slots__ = ("refusing",)

    def __init__(self) -> None:
        self.refusing: Refusal | None = None


class Waiting:
    """One submission in its account's line, with its weight in bytes; `piece` is what of it the
    transaction in the making carries."""

    __slots__ = ("_fan_outs", "_left", "account", "lane", "piece", "take", "weight", "wide")

    def __init__(
        self, lane: Lane, submission: Submission, take: OutcomeTaker, fan_outs: FanOuts
    ) -> None:
        self.lane, self.piece, self.take = lane, submission, take
        self.account = submission.drafts[0].account
        self.weight = _weight([draft.record for draft in submission.drafts])
        self.wide = False
        """Whether the piece holds messages to groups."""
        self._fan_outs = fan_outs
        self._left = submission.drafts

    def cut(self, entries_max: int) -> int:
        drafts, self._left = self._left, ()
        entries, widest = 0, 0
        if self.lane.refusing is None:
            for count, draft in enumerate(drafts):
                more = self._fan_outs.of(draft.intent)
                if entries + more > entries_max and count:
                    drafts, self._left = drafts[:count], drafts[count:]
                    break
                entries += more
                if more > widest:
                    widest = more
        self.wide = widest > 2
        self.piece = Submission(self.piece.device, self.piece.generation, drafts)
        return entries

    @property
    def finished(self) -> bool:
        return not self._left


class Publishing:
    """One publication in its publisher's line."""

    __slots__ = ("_fan_outs", "publication", "take", "weight")

    finished = True  # it is one step

    def __init__(self, publication: Publication, take: PublicationTaker, fan_outs: FanOuts) -> None:
        self.publication, self.take = publication, take
        self.weight = _weight([publication.record])
        self._fan_outs = fan_outs

    def cut(self, entries_max: int) -> int:
        one_log = self.publication.account is not None
        return 1 if one_log else self._fan_outs.of(self.publication.intent)


def _weight(records: Sequence[Record]) -> int:
    held = sum([len(record.header) + len(record.body) for record in records])
    return held + len(records) * _OBJECT_BYTES
