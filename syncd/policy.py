"""Asks an embedder's policy about whatever is to reach others, and lets nothing pass unanswered.

The decision travels with the draft and counts in the append's transaction, after the number was
found to be new: what was accepted once keeps its seq, whatever the policy says today.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias, cast

import msgspec

from syncd import errors
from syncd.errors import Refusal
from syncd.limits import (
    POLICY_CROWDED_BYTES,
    POLICY_TIMEOUT_S,
    POLICY_WAITING_BYTES_MAX,
    POLICY_WAITING_MESSAGES_MAX,
)
from syncd.model import AccountId, ConversationId, DeviceId, Draft, Identity, Kind, Submission

log = logging.getLogger(__name__)

_REACHES_OTHERS = frozenset({Kind.MESSAGE, Kind.EDIT, Kind.RECALL, Kind.SYSTEM})
"""A read mark and a deletion stay in the own account's log: nobody else has a say in them."""

_SILENCE = object()
"""Instead of an answer: None is what a policy answers that forgot to return."""

_OBJECT_BYTES = 1024
"""What a waiting message costs beside its bytes (measured for lanes.py), rounded up: without it a
crowd of empty messages would wait uncounted."""


@dataclass(frozen=True, slots=True)
class Ask:
    """May this account do that? `body` is what the entry will hold, as the device sent it."""

    account: AccountId
    device: DeviceId
    number: int
    kind: Kind
    conversation: ConversationId
    target: Identity | None
    body: bytes


class Judge(Protocol):
    """A policy that judges the messages of a whole frame at once."""

    async def decide(self, asks: Sequence[Ask]) -> Sequence[bool]:
        """A list or tuple with one answer for each ask, in order; True allows."""


Policy: TypeAlias = Callable[[Ask], Awaitable[bool]] | Judge
"""True allows, False forbids; everything else (an exception, another value, silence) is no answer,
and without an answer nothing is done: the device comes back and asks again."""


class NoAnswer(Exception):
    """What a policy raises for want of an answer. Unlike those of other errors its text is logged,
    so it never repeats what came from a device or a peer."""


class Checkpoint:
    """The policy of one service. Its caller owes: `close` at the end.

    timeout_s: how long one call of the policy may take.
    """

    def __init__(self, policy: Policy, timeout_s: float = POLICY_TIMEOUT_S) -> None:
        self._policy = policy
        self._timeout_s = timeout_s
        # Kept here because a task outlives the socket that it works for, and the loop keeps none.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._told: set[str] = set()
        self.waiting_bytes = 0
        """Of the messages in all gates, those of sockets that are gone included."""

    def gate(self, append: Callable[[Submission], None]) -> Gate:
        """The way of one session's submissions to `append`."""
        return Gate(self, append)

    async def refusals(self, asks: Sequence[Ask]) -> list[Refusal | None]:
        """Why each may not be done: None where it may, FORBIDDEN, or POLICY_UNAVAILABLE from the
        first one on that has no answer. Never raises."""
        if hasattr(self._policy, "decide"):
            answers = await self._decided(cast(Judge, self._policy), asks)
        else:
            answers = await self._answered(self._policy, asks)
        told = [None if answer else errors.FORBIDDEN for answer in answers]
        return told + [errors.POLICY_UNAVAILABLE] * (len(asks) - len(told))

    async def close(self) -> None:
        """Ask nothing any more. What waits is never answered: its devices come back with it."""
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            # With an end: an embedder's code may well ignore that it was cancelled.
            await asyncio.wait(self._tasks, timeout=self._timeout_s)

    def start(self, body: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task that is kept until it is done."""
        task = asyncio.create_task(body)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _decided(self, judge: Judge, asks: Sequence[Ask]) -> Sequence[bool]:
        answer = await self._call(partial(judge.decide, asks))
        if answer is _SILENCE:
            return ()
        if (
            isinstance(answer, list | tuple)
            and len(answer) == len(asks)
            and all(isinstance(each, bool) for each in answer)
        ):
            self._told.clear()
            return answer
        self._tell(f"answered {_named(answer)}, which is no list of a True or False for each ask")
        return ()

    async def _answered(
        self, policy: Callable[[Ask], Awaitable[bool]], asks: Sequence[Ask]
    ) -> Sequence[bool]:
        """One after the other, up to the first that has no answer: what follows it must wait for
        it anyway, and a policy that is in trouble is not asked a thousand times."""
        answers: list[bool] = []
        for ask in asks:
            answer = await self._call(partial(policy, ask))
            if not isinstance(answer, bool):
                if answer is not _SILENCE:
                    self._tell(f"answered {_named(answer)}, which is no bool")
                break
            self._told.clear()
            answers.append(answer)
        return answers

    def _tell(self, what: str, error: BaseException | None = None) -> None:
        """Log each kind of failure once until the policy is well again: every device comes back
        with what it could not send, and would have it logged for each message."""
        if what not in self._told:
            self._told.add(what)
            facts = {} if error is None else {"at": _places(error)}
            log.error("! the policy %s; its senders wait", what, extra={"facts": facts})

    async def _call(self, asking: Callable[[], Awaitable[object]]) -> object:
        """What the embedder's code answers; _SILENCE for nothing. It may do what it likes: raise,
        hang, cancel itself or ignore that it was cancelled."""
        task = self.start(_awaited(asking))
        try:
            await asyncio.wait({task}, timeout=self._timeout_s)
        finally:
            task.cancel()
        if not task.done():
            task.add_done_callback(_nobody_asks_any_more)
            self._tell("did not answer in time")
        elif task.cancelled():
            self._tell("cancelled itself")
        elif (error := task.exception()) is not None:
            # Not its text: that of a foreign error may quote the message.
            text = f": {error}" if isinstance(error, NoAnswer) else ""
            self._tell(f"raised {type(error).__name__}{text}", error)
        else:
            return task.result()
        return _SILENCE


class Gate:
    """The submissions of one session: past the policy in their order, one at a time.

    A task exists only while something waits for an answer. It is not the connection's: what was
    handed in before the socket went is still appended, unless a newer generation came.
    """

    __slots__ = ("_append", "_checkpoint", "_drafts", "_passing", "_unavailable", "_waiting")

    def __init__(self, checkpoint: Checkpoint, append: Callable[[Submission], None]) -> None:
        self._checkpoint = checkpoint
        self._append = append
        self._waiting: deque[Submission] = deque()
        self._drafts = 0
        self._passing: asyncio.Task[None] | None = None
        self._unavailable = False

    @property
    def crowded(self) -> bool:
        """Whether so much waits for the policy that no more should be read from the device."""
        if self._drafts > POLICY_WAITING_MESSAGES_MAX:
            return True
        return self._drafts > 0 and self._checkpoint.waiting_bytes > POLICY_CROWDED_BYTES

    def submit(self, submission: Submission) -> None:
        """Ask about what reaches others, then append; but where too much waits already, refuse."""
        if self._passing is None and not any(map(_is_asked, submission.drafts)):
            self._append(submission)
            return
        if self._checkpoint.waiting_bytes > POLICY_WAITING_BYTES_MAX:
            self._unavailable = True
        if self._unavailable:
            # It may overtake what waits, because nothing of it is appended and, behind it, nothing
            # of what it overtook: the refusal sticks to the session (lanes.py).
            self._append(_unanswered(submission))
            return
        self._waiting.append(submission)
        self._count(submission, 1)
        if self._passing is None:
            self._passing = self._checkpoint.start(self._pass())

    async def _pass(self) -> None:
        while self._waiting:
            submission = self._waiting.popleft()
            judged = await self._judged(submission)
            self._count(submission, -1)
            self._append(judged)
        self._passing = None

    def _count(self, submission: Submission, sign: int) -> None:
        self._drafts += sign * len(submission.drafts)
        self._checkpoint.waiting_bytes += sign * sum(map(_size, submission.drafts))

    async def _judged(self, submission: Submission) -> Submission:
        drafts = list(submission.drafts)
        places = [place for place, draft in enumerate(drafts) if _is_asked(draft)]
        if not places:
            return submission
        refusals: list[Refusal | None]
        if self._unavailable:
            # One silence is enough: the device has to come back on a new socket anyway.
            refusals = [errors.POLICY_UNAVAILABLE] * len(places)
        else:
            refusals = await self._checkpoint.refusals([_ask(drafts[place]) for place in places])
        if refusals[-1] is errors.POLICY_UNAVAILABLE:
            self._unavailable = True
        for place, refusal in zip(places, refusals, strict=True):
            if refusal is not None:
                drafts[place] = msgspec.structs.replace(drafts[place], refusal=refusal)
        return Submission(submission.device, submission.generation, tuple(drafts))


def _unanswered(submission: Submission) -> Submission:
    """Whole: a definite refusal, or a read mark, would take effect ahead of what was overtaken."""
    refused = [
        msgspec.structs.replace(draft, refusal=errors.POLICY_UNAVAILABLE)
        for draft in submission.drafts
    ]
    return Submission(submission.device, submission.generation, tuple(refused))


def _size(draft: Draft) -> int:
    return len(draft.record.header) + len(draft.record.body) + _OBJECT_BYTES


def _is_asked(draft: Draft) -> bool:
    return draft.refusal is None and draft.intent.kind in _REACHES_OTHERS


def _ask(draft: Draft) -> Ask:
    intent = draft.intent
    body = msgspec.msgpack.decode(draft.record.body, type=bytes)
    return Ask(
        draft.account,
        draft.device,
        draft.number,
        intent.kind,
        intent.conversation,
        intent.target,
        body,
    )


def _named(answer: object) -> str:
    """Its type only, as it may hold what the policy was asked about."""
    return "None" if answer is None else type(answer).__name__


def _places(error: BaseException) -> str:
    """Where it was raised, outermost first, without the text of any error in it."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{each.filename}:{each.lineno} {each.name}" for each in frames)


async def _awaited(asking: Callable[[], Awaitable[object]]) -> object:
    """A plain function as a policy is an error like any other of its: found inside of the task."""
    return await asking()


def _nobody_asks_any_more(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # looked at, or asyncio would log its text
