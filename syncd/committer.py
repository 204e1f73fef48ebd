"""The one writer: gathers what waits, makes it durable in one transaction, then answers and wakes.

While storage works on one transaction the next one gathers: under load a commit carries many
sessions' messages and one fsync pays for all of them; without load nothing waits. No socket's
cancellation reaches in here: a session hands over its submission and is called back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from syncd import errors
from syncd.errors import Refusal
from syncd.limits import (
    COMMIT_MESSAGES_MAX,
    COMMITTER_CROWDED_BYTES,
    COMMITTER_WAITING_BYTES_MAX,
    CURSOR_SAVE_DELAY_S,
)
from syncd.model import (
    Accepted,
    CursorMark,
    DeviceId,
    Done,
    Epoch,
    Opening,
    OpeningRequest,
    Outcome,
    Publication,
    Record,
    Refused,
    Submission,
    Superseded,
    Work,
)
from syncd.storage import Storage, StorageError
from syncd.wakeups import Wakeups

log = logging.getLogger(__name__)

_NOTHING = Work()

_OBJECT_BYTES = 640
"""What a waiting message costs beside its bytes, measured and rounded up: without it a flood of
empty messages would wait for the disk uncounted."""

OpeningTaker: TypeAlias = Callable[[Opening | Refusal], None]
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


@dataclass(slots=True)
class _Waiting:
    """One submission in the queue, with its weight in bytes."""

    lane: Lane
    submission: Submission
    take: OutcomeTaker
    weight: int


@dataclass(slots=True)
class _Gathered:
    """One transaction in the making, with who must be told."""

    openings: list[tuple[OpeningRequest, OpeningTaker]] = field(default_factory=list)
    submissions: list[_Waiting] = field(default_factory=list)
    publications: list[tuple[Publication, PublicationTaker]] = field(default_factory=list)
    cursors: dict[tuple[DeviceId, Epoch], CursorMark] = field(default_factory=dict)

    def work(self) -> Work:
        return Work(
            cursors=tuple(self.cursors.values()),
            openings=tuple(request for request, _ in self.openings),
            submissions=tuple(waiting.submission for waiting in self.submissions),
            publications=tuple(publication for publication, _ in self.publications),
        )


class Committer:
    """Owns no task: `run` is the body of one that the assembler starts.

    on_failure: called once when storage failed in a way that leaves the outcome unknown. From then
    on nothing is answered, ever: the process must stop.
    """

    def __init__(
        self, storage: Storage, wakeups: Wakeups, on_failure: Callable[[StorageError], None]
    ) -> None:
        self._storage = storage
        self._wakeups = wakeups
        self._on_failure = on_failure
        self._next = _Gathered()
        self._left: list[_Waiting] = []
        self._waiting_bytes = 0
        self._wanted = asyncio.Event()
        self._cursor_timer: asyncio.TimerHandle | None = None
        self._cursors_due = False
        self._draining = False

    @property
    def crowded(self) -> bool:
        """Whether so much waits that whoever has something waiting should not hand in more."""
        return self._waiting_bytes > COMMITTER_CROWDED_BYTES

    # -------------------------------------------------------- what sessions ask for

    def open(self, request: OpeningRequest, take: OpeningTaker) -> None:
        """Take the next generation of a device. `take` is called once, from the loop."""
        self._next.openings.append((request, take))
        self._wanted.set()

    def append(self, lane: Lane, submission: Submission, take: OutcomeTaker) -> None:
        """Make a submission durable. `take` is called once, after the fsync, from the loop."""
        if self._waiting_bytes > COMMITTER_WAITING_BYTES_MAX:
            lane.refusing = lane.refusing or errors.BUSY
        if lane.refusing is not None:
            # Not from inside this call: the session is still performing its commands.
            outcomes = _refused(submission, lane.refusing)
            asyncio.get_running_loop().call_soon(take, outcomes)
            return
        weight = sum(_weight(draft.record) for draft in submission.drafts)
        self._waiting_bytes += weight
        self._next.submissions.append(_Waiting(lane, submission, take, weight))
        self._wanted.set()

    def publish(self, publication: Publication) -> asyncio.Future[Accepted | Refusal]:
        """Make a publication durable; the future may be dropped, the publication goes on."""
        future: asyncio.Future[Accepted | Refusal] = asyncio.get_running_loop().create_future()

        def take(result: Accepted | Refusal) -> None:
            if not future.done():
                future.set_result(result)

        if self._waiting_bytes > COMMITTER_WAITING_BYTES_MAX:
            take(errors.SERVICE_BUSY)
        else:
            self._waiting_bytes += _weight(publication.record)
            self._next.publications.append((publication, take))
            self._wanted.set()
        return future

    def save_cursor(self, mark: CursorMark) -> None:
        """Save a cursor with the next commit, or soon when none comes. Only the highest counts."""
        key = (mark.device, mark.epoch)
        known = self._next.cursors.get(key)
        if known is None or (mark.generation, mark.seq) >= (known.generation, known.seq):
            self._next.cursors[key] = mark
        if self._cursor_timer is None:
            loop = asyncio.get_running_loop()
            self._cursor_timer = loop.call_later(CURSOR_SAVE_DELAY_S, self._save_cursors)

    def _save_cursors(self) -> None:
        # Remembered beside the event: a commit that is under way now clears the event at its end.
        self._cursors_due = True
        self._wanted.set()

    # -------------------------------------------------------- the one loop

    async def run(self) -> None:
        """Commit whatever waits, again and again; returns when drained or failed."""
        while True:
            if not self._pending():
                if self._draining:
                    return
                self._wanted.clear()
                await self._wanted.wait()
            gathered = self._gather()
            work = gathered.work()
            if work == _NOTHING:
                continue
            try:
                done = await self._storage.commit(work)
            except StorageError as error:
                if not error.definite:
                    log.critical("! commit failed, outcome unknown: %s", error)
                    self._on_failure(error)
                    return
                log.error("! commit refused: %s", error)
                self._refuse(gathered, error.refusal or errors.BUSY)
            else:
                self._answer(gathered, done)

    def drain(self) -> None:
        """Let `run` return once everything that waits is durable and answered."""
        self._draining = True
        self._wanted.set()

    def _pending(self) -> bool:
        waiting = self._next
        cursors = waiting.cursors and (self._cursors_due or self._draining)
        return bool(
            self._left or waiting.submissions or waiting.openings or waiting.publications or cursors
        )

    def _gather(self) -> _Gathered:
        gathered, self._next = self._next, _Gathered()
        if self._cursor_timer is not None:
            self._cursor_timer.cancel()
            self._cursor_timer = None
        self._cursors_due = False
        queue, self._left, gathered.submissions = self._left + gathered.submissions, [], []
        messages = 0
        for place, waiting in enumerate(queue):
            if waiting.lane.refusing is not None:
                self._refuse_one(waiting, waiting.lane.refusing)
            elif messages >= COMMIT_MESSAGES_MAX:
                self._left = queue[place:]
                break
            else:
                gathered.submissions.append(waiting)
                messages += len(waiting.submission.drafts)
        return gathered

    def _answer(self, gathered: _Gathered, done: Done) -> None:
        # Answers first: a sender hears of its acceptance before its own echo is read.
        for (_, take_opening), opening in zip(gathered.openings, done.openings, strict=True):
            take_opening(opening)
        for waiting, outcomes in zip(gathered.submissions, done.submissions, strict=True):
            self._waiting_bytes -= waiting.weight
            waiting.take(outcomes)
        for (publication, take_result), result in zip(
            gathered.publications, done.publications, strict=True
        ):
            self._waiting_bytes -= _weight(publication.record)
            take_result(result)
        self._wakeups.wake(done.grown)

    def _refuse_one(self, waiting: _Waiting, refusal: Refusal) -> None:
        self._waiting_bytes -= waiting.weight
        waiting.take(_refused(waiting.submission, refusal))

    def _refuse(self, gathered: _Gathered, refusal: Refusal) -> None:
        """Nothing was written: everybody hears so, and cursors wait for the next commit."""
        for _, take_opening in gathered.openings:
            take_opening(errors.STORAGE_UNAVAILABLE)
        for waiting in gathered.submissions:
            waiting.lane.refusing = refusal
            self._refuse_one(waiting, refusal)
        full = refusal is errors.STORAGE_FULL
        for publication, take_result in gathered.publications:
            self._waiting_bytes -= _weight(publication.record)
            take_result(errors.SERVICE_FULL if full else errors.SERVICE_BUSY)
        if not self._draining:
            for mark in gathered.cursors.values():
                self.save_cursor(mark)


def _weight(record: Record) -> int:
    return len(record.header) + len(record.body) + _OBJECT_BYTES


def _refused(submission: Submission, refusal: Refusal) -> tuple[Outcome, ...]:
    return tuple(Refused(draft.number, refusal) for draft in submission.drafts)
