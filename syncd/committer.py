"""The one writer: gathers what waits, makes it durable in one transaction, then answers and wakes.

While storage works on one transaction the next one gathers: under load a commit carries many
sessions' messages and one fsync pays for all of them; without load nothing waits. Accounts take
turns (turns.py), so that what one of them floods in costs the others some milliseconds. No
socket's cancellation reaches in here: a session hands over its submission and is called back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from syncd import errors
from syncd.damages import Damages
from syncd.errors import Refusal
from syncd.fan_outs import FanOuts
from syncd.lanes import Lane as Lane
from syncd.lanes import OutcomeTaker, Publishing, Waiting
from syncd.limits import (
    COMMIT_ENTRIES_MAX,
    COMMIT_OPENINGS_MAX,
    COMMIT_SHARE_ENTRIES_MAX,
    COMMITTER_ACCOUNT_CROWDED_BYTES,
    COMMITTER_CROWDED_BYTES,
    COMMITTER_WAITING_BYTES_MAX,
    COMPANY_S,
    CURSOR_SAVE_DELAY_S,
)
from syncd.model import (
    Accepted,
    AccountId,
    CursorMark,
    DeviceId,
    Done,
    Epoch,
    Opening,
    OpeningRequest,
    Outcome,
    Publication,
    Refused,
    Submission,
    Superseded,
    VerdictNote,
    Work,
    members_of_direct,
)
from syncd.storage import Damaged, Storage, StorageError
from syncd.turns import Turns
from syncd.wakeups import Wakeups

log = logging.getLogger(__name__)

_NOTHING = Work()

OpeningTaker: TypeAlias = Callable[[Opening | Refusal], None]
Charge: TypeAlias = Callable[[AccountId, int], None]
"""Told of entries that an account's messages took beside the two of any direct message."""


@dataclass(slots=True)
class _Gathered:
    """One transaction in the making, with who must be told."""

    openings: list[tuple[OpeningRequest, OpeningTaker]] = field(default_factory=list)
    submissions: list[Waiting] = field(default_factory=list)
    publications: list[Publishing] = field(default_factory=list)
    cursors: dict[tuple[DeviceId, Epoch], CursorMark] = field(default_factory=dict)
    notes: dict[DeviceId, VerdictNote] = field(default_factory=dict)

    def __len__(self) -> int:
        """How many steps it has."""
        saved = len(self.cursors) + len(self.notes)
        return saved + len(self.openings) + len(self.submissions) + len(self.publications)

    def halves(self) -> tuple[_Gathered, _Gathered]:
        """The same steps, in the same order, in two transactions. It has two steps or more."""
        first, second = _Gathered(), _Gathered()
        left = len(self) // 2
        for name in ("cursors", "notes"):
            steps = list(getattr(self, name).items())
            setattr(first, name, dict(steps[:left]))
            setattr(second, name, dict(steps[left:]))
            left = max(0, left - len(steps))
        for name in ("openings", "submissions", "publications"):
            steps = getattr(self, name)
            setattr(first, name, steps[:left])
            setattr(second, name, steps[left:])
            left = max(0, left - len(steps))
        return first, second

    def work(self) -> Work:
        return Work(
            cursors=tuple(self.cursors.values()),
            openings=tuple(request for request, _ in self.openings),
            submissions=tuple(waiting.piece for waiting in self.submissions),
            publications=tuple(waiting.publication for waiting in self.publications),
            notes=tuple(self.notes.values()),
        )


class Committer:
    """Owns no task: `run` is the body of one that the assembler starts.

    on_failure: called once when storage failed in a way that leaves the outcome unknown. From then
        on nothing is answered, ever: the process must stop.
    charge: what messages to groups cost more than others, told when they are durable.
    """

    def __init__(
        self,
        storage: Storage,
        wakeups: Wakeups,
        on_failure: Callable[[StorageError], None],
        charge: Charge = lambda account, entries: None,
    ) -> None:
        self._storage = storage
        self._wakeups = wakeups
        self._on_failure = on_failure
        self._charge = charge
        self._next = _Gathered()
        self._turns: Turns[Waiting | Publishing] = Turns()
        self._fan_outs = FanOuts()
        self._damages = Damages()
        self._latest = ""
        self._met = False
        self._company_until = 0.0
        self._waiting_bytes = 0
        self._waiting_bytes_of: dict[str, int] = {}
        self._wanted = asyncio.Event()
        self._cursor_timer: asyncio.TimerHandle | None = None
        self._cursors_due = False
        self._draining = False

    def crowded(self, account: AccountId) -> bool:
        """Whether so much waits that the account, if it has something waiting, should not hand in
        more."""
        return (
            self._waiting_bytes > COMMITTER_CROWDED_BYTES
            or self._waiting_bytes_of.get(account, 0) > COMMITTER_ACCOUNT_CROWDED_BYTES
        )

    # -------------------------------------------------------- what sessions ask for

    def open(self, request: OpeningRequest, take: OpeningTaker) -> None:
        """Take the next generation of a device. `take` is called once, from the loop."""
        self._meet(request.account)
        self._next.openings.append((request, take))
        self._wanted.set()

    def append(self, lane: Lane, submission: Submission, take: OutcomeTaker) -> None:
        """Make a submission, which is not empty, durable.

        `take` is called from the loop, after the fsync, for one piece of it after the other.
        """
        if self._waiting_bytes > COMMITTER_WAITING_BYTES_MAX:
            lane.refusing = lane.refusing or errors.BUSY
        if lane.refusing is not None:
            # Not from inside this call: the session is still performing its commands.
            outcomes = _refused(submission, lane.refusing)
            asyncio.get_running_loop().call_soon(take, outcomes)
            return
        waiting = Waiting(lane, submission, take, self._fan_outs)
        self._line_up(waiting.account, waiting)

    def publish(self, publication: Publication) -> asyncio.Future[Accepted | Refusal]:
        """Make a publication durable; the future may be dropped, the publication goes on."""
        future: asyncio.Future[Accepted | Refusal] = asyncio.get_running_loop().create_future()

        def take(result: Accepted | Refusal) -> None:
            if not future.done():
                future.set_result(result)

        if self._waiting_bytes > COMMITTER_WAITING_BYTES_MAX:
            take(errors.SERVICE_BUSY)
        else:
            waiting = Publishing(publication, take, self._fan_outs)
            self._line_up(_publisher(publication), waiting)
        return future

    def save_cursor(self, mark: CursorMark) -> None:
        """Save a cursor with the next commit, or soon when none comes. Only the highest counts."""
        key = (mark.device, mark.epoch)
        known = self._next.cursors.get(key)
        if known is None or (mark.generation, mark.seq) >= (known.generation, known.seq):
            self._next.cursors[key] = mark
        self._save_soon()

    def note_verdict(self, note: VerdictNote) -> None:
        """Save what a device was told, as a cursor is saved. Only the newest session's counts."""
        known = self._next.notes.get(note.device)
        if known is None or note.generation >= known.generation:
            self._next.notes[note.device] = note
        self._save_soon()

    def _save_soon(self) -> None:
        if self._cursor_timer is None:
            loop = asyncio.get_running_loop()
            self._cursor_timer = loop.call_later(CURSOR_SAVE_DELAY_S, self._save_cursors)

    def _save_cursors(self) -> None:
        # Remembered beside the event: a commit that is under way now clears the event at its end.
        self._cursors_due = True
        self._wanted.set()

    def _line_up(self, party: str, waiting: Waiting | Publishing) -> None:
        self._waiting_bytes += waiting.weight
        before = self._waiting_bytes_of.get(party, 0)
        self._waiting_bytes_of[party] = before + waiting.weight
        self._meet(party)
        self._turns.add(party, waiting)
        self._wanted.set()

    def _meet(self, party: str) -> None:
        """Somebody asks for something: notice when it is somebody else than last time."""
        if party != self._latest:
            self._met = bool(self._latest)
            self._latest = party

    # -------------------------------------------------------- the one loop

    async def run(self) -> None:
        """Commit whatever waits, again and again; returns when drained or failed."""
        while True:
            if not self._pending():
                if self._draining:
                    return
                self._wanted.clear()
                await self._wanted.wait()
            if not await self._commit(self._gather()):
                return

    async def _commit(self, gathered: _Gathered) -> bool:
        """Carry it out, and answer; False when nothing may be answered any more.

        What damage refuses is tried again in halves, so that in the end whoever asks for what is
        damaged is refused, and nobody else.
        """
        work = gathered.work()
        if work == _NOTHING:
            return True
        try:
            done = await self._storage.commit(work)
        except Damaged as damage:
            if len(gathered) > 1:
                first, second = gathered.halves()
                return await self._commit(first) and await self._commit(self._in_order(second))
            self._damages.tell(str(damage))
            self._refuse(gathered, errors.BUSY, save_again=False)
        except StorageError as error:
            if not error.definite:
                log.critical("! commit failed, outcome unknown: %s", error)
                self._on_failure(error)
                return False
            log.error("! commit refused: %s", error)
            self._refuse(gathered, error.refusal or errors.BUSY)
        else:
            self._answer(gathered, done)
        return True

    def _in_order(self, gathered: _Gathered) -> _Gathered:
        """Refuse what follows, in its lane, something that was refused a moment ago."""
        submissions, gathered.submissions = gathered.submissions, []
        for waiting in submissions:
            if waiting.lane.refusing is None:
                gathered.submissions.append(waiting)
            else:
                self._refuse_one(waiting, waiting.lane.refusing)
        return gathered

    def drain(self) -> None:
        """Let `run` return once everything that waits is durable and answered."""
        self._draining = True
        self._wanted.set()

    def _pending(self) -> bool:
        waiting = self._next
        saved = waiting.cursors or waiting.notes
        return bool(
            self._turns or waiting.openings or (saved and (self._cursors_due or self._draining))
        )

    def _gather(self) -> _Gathered:
        gathered, self._next = self._next, _Gathered()
        self._next.openings = gathered.openings[COMMIT_OPENINGS_MAX:]
        del gathered.openings[COMMIT_OPENINGS_MAX:]
        if self._cursor_timer is not None:
            self._cursor_timer.cancel()
            self._cursor_timer = None
        self._cursors_due = False
        now = asyncio.get_running_loop().time()
        if self._met:
            self._company_until, self._met = now + COMPANY_S, False
        alone = now >= self._company_until
        share = COMMIT_ENTRIES_MAX if alone else COMMIT_SHARE_ENTRIES_MAX
        for waiting in self._turns.round(COMMIT_ENTRIES_MAX, share):
            if isinstance(waiting, Publishing):
                gathered.publications.append(waiting)
            elif waiting.lane.refusing is not None:
                self._refuse_one(waiting, waiting.lane.refusing)
            else:
                gathered.submissions.append(waiting)
        return gathered

    def _answer(self, gathered: _Gathered, done: Done) -> None:
        # Answers first: a sender hears of its acceptance before its own echo is read.
        for (_, take_opening), opening in zip(gathered.openings, done.openings, strict=True):
            take_opening(opening)
        for waiting, outcomes in zip(gathered.submissions, done.submissions, strict=True):
            # A group that was small may have grown: only the transaction knows then that it did.
            if (waiting.wide or done.fan_outs) and not isinstance(outcomes, Superseded):
                self._learn(waiting, outcomes, done)
            self._dismiss(waiting.account, waiting)
            _note(waiting.lane, outcomes)
            waiting.take(outcomes)
        for publishing, result in zip(gathered.publications, done.publications, strict=True):
            publication = publishing.publication
            if publication.account is None and isinstance(result, Accepted):
                self._fan_outs.learn([publication.intent.conversation], done.fan_outs)
            self._dismiss(_publisher(publication), publishing)
            publishing.take(result)
        self._wakeups.wake(done.grown)
        for damage in done.damages:
            self._damages.tell(damage)

    def _learn(self, waiting: Waiting, outcomes: tuple[Outcome, ...], done: Done) -> None:
        """How large the groups are that took messages; who wrote to them pays for it."""
        accepted = [
            draft.intent
            for draft, outcome in zip(waiting.piece.drafts, outcomes, strict=True)
            if isinstance(outcome, Accepted) and not outcome.duplicate
        ]
        groups = [each for each in accepted if members_of_direct(each.conversation) is None]
        self._fan_outs.learn([each.conversation for each in groups], done.fan_outs)
        self._charge(waiting.account, sum(self._fan_outs.of(each) - 2 for each in groups))

    def _dismiss(self, party: str, waiting: Waiting | Publishing) -> None:
        """It was answered; once its last piece was, nothing of it waits any more."""
        if not waiting.finished:
            return
        self._waiting_bytes -= waiting.weight
        left = self._waiting_bytes_of.pop(party) - waiting.weight
        if left:
            self._waiting_bytes_of[party] = left

    def _refuse_one(self, waiting: Waiting, refusal: Refusal) -> None:
        self._dismiss(waiting.account, waiting)
        waiting.take(_refused(waiting.piece, refusal))

    def _refuse(self, gathered: _Gathered, refusal: Refusal, *, save_again: bool = True) -> None:
        """Nothing was written: everybody hears so, and cursors wait for the next commit."""
        for _, take_opening in gathered.openings:
            take_opening(errors.STORAGE_UNAVAILABLE)
        for waiting in gathered.submissions:
            waiting.lane.refusing = refusal
            self._refuse_one(waiting, refusal)
        full = refusal is errors.STORAGE_FULL
        for publishing in gathered.publications:
            self._dismiss(_publisher(publishing.publication), publishing)
            publishing.take(errors.SERVICE_FULL if full else errors.SERVICE_BUSY)
        if save_again and not self._draining:
            for mark in gathered.cursors.values():
                self.save_cursor(mark)
            for note in gathered.notes.values():
                if note.device not in self._next.notes:
                    self.note_verdict(note)


def _note(lane: Lane, outcomes: tuple[Outcome, ...] | Superseded) -> None:
    """What was refused retryably in one transaction must not be overtaken in the next one by what
    its session had handed in already."""
    if isinstance(outcomes, Superseded) or lane.refusing is not None:
        return
    for outcome in outcomes:
        if isinstance(outcome, Refused) and outcome.refusal.reconnect:
            lane.refusing = outcome.refusal
            return


def _publisher(publication: Publication) -> str:
    # No account id holds this separator.
    return "/" + publication.publisher


def _refused(submission: Submission, refusal: Refusal) -> tuple[Outcome, ...]:
    return tuple(Refused(draft.number, refusal) for draft in submission.drafts)
