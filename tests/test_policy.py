"""What a policy may do to a session: allow, forbid, or give no answer; and never disorder it."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import errors
from syncd.committer import Committer, Lane
from syncd.limits import (
    BODY_BYTES_MAX,
    POLICY_CROWDED_BYTES,
    POLICY_TIMEOUT_S,
    POLICY_WAITING_BYTES_MAX,
    POLICY_WAITING_MESSAGES_MAX,
)
from syncd.model import Draft, Identity, Intent, Kind, OpeningRequest, Refused, Submission, direct
from syncd.policy import Ask, Checkpoint, Gate, Policy
from syncd.storage.memory import MemoryStorage
from syncd.wakeups import Wakeups
from tests.drafts import ALICE, BOB, PHONE, draft, submission
from tests.virtual_time import in_virtual_time

FORBIDDEN, UNAVAILABLE = errors.FORBIDDEN, errors.POLICY_UNAVAILABLE


def ask(number: int, body: bytes = b"hello") -> Ask:
    return Ask(ALICE, PHONE, number, Kind.MESSAGE, direct(ALICE, BOB), None, body)


def of_kind(number: int, kind: Kind) -> Draft:
    intent = Intent(kind, direct(ALICE, BOB), Identity(PHONE, 1))
    return msgspec.structs.replace(draft(number), intent=intent)


class WholeFrames:
    """A policy for frames. `answer` makes what it says of the numbers."""

    def __init__(self, answer: Callable[[list[int]], Any]) -> None:
        self.answer = answer
        self.asked: list[list[int]] = []

    async def decide(self, asks: Sequence[Ask]) -> Any:
        self.asked.append([each.number for each in asks])
        return self.answer(self.asked[-1])


def told(policy: Policy, *numbers: int) -> list[errors.Refusal | None]:
    async def play() -> list[errors.Refusal | None]:
        checkpoint = Checkpoint(policy)
        try:
            return await checkpoint.refusals([ask(each) for each in numbers])
        finally:
            await checkpoint.close()

    return in_virtual_time(play())


async def odd_numbers(asked: Ask) -> bool:
    return asked.number % 2 == 1


def test_a_callable_decides_one_by_one() -> None:
    assert told(odd_numbers, 1, 2, 3) == [None, FORBIDDEN, None]


def test_a_judge_decides_a_frame_at_once() -> None:
    policy = WholeFrames(lambda numbers: tuple(each > 1 for each in numbers))
    assert told(policy, 1, 2, 3) == [FORBIDDEN, None, None]
    assert policy.asked == [[1, 2, 3]]


def hanging() -> Coroutine[Any, Any, Any]:
    return asyncio.sleep(10 * POLICY_TIMEOUT_S)


async def deaf() -> bool:
    """Ignores that nobody asks any more, for a while."""
    for _ in range(3):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(POLICY_TIMEOUT_S)
    raise ValueError("too late to matter")


async def cancelled() -> bool:
    raise asyncio.CancelledError


async def broken() -> bool:
    raise ValueError("the text of the message: hello")


async def saying(answer: Any) -> Any:
    return answer


NO_ANSWER: list[Callable[[], Any]] = [
    hanging,
    deaf,
    cancelled,
    broken,
    lambda: True,  # no coroutine
    lambda: saying(None),
    lambda: saying(1),
    lambda: saying("yes"),
    lambda: saying([True]),
]


@pytest.mark.parametrize("answer", NO_ANSWER)
def test_without_an_answer_nothing_passes(
    answer: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []

    def policy(ask: Ask) -> Any:
        asked.append(ask.number)
        return saying(True) if ask.number == 1 else answer()

    # One that is in trouble is not asked about the rest of the frame, which could not pass anyway.
    assert told(policy, 1, 2, 3) == [None, UNAVAILABLE, UNAVAILABLE]
    assert asked == [1, 2]
    assert "hello" not in caplog.text


def test_each_kind_of_failure_is_told_once_until_the_policy_is_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answers: list[Callable[[], Any]] = [
        lambda: saying(None),
        lambda: saying(None),
        broken,
        broken,
        lambda: saying(None),
        lambda: saying(True),
        lambda: saying(None),
    ]

    async def play() -> None:
        checkpoint = Checkpoint(lambda asked: answers[asked.number]())
        for number in range(len(answers)):
            await checkpoint.refusals([ask(number)])
        await checkpoint.close()

    in_virtual_time(play())
    none = "! the policy answered None, which is no bool; its senders wait"
    raised = "! the policy raised ValueError; its senders wait"
    assert caplog.messages == [none, raised, none]
    at = caplog.records[1].__dict__["facts"]["at"]
    assert at.endswith(" broken")
    assert "test_policy.py:" in at
    assert "hello" not in at


def test_a_judge_that_forgot_to_return_is_told(caplog: pytest.LogCaptureFixture) -> None:
    told(WholeFrames(lambda numbers: None), 1, 2)
    assert "answered None, which is no list" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        lambda numbers: None,
        lambda numbers: True,
        lambda numbers: [],
        lambda numbers: [True],
        lambda numbers: [True, True, True],
        lambda numbers: [True, 1],
        lambda numbers: "no",
        lambda numbers: {1: True, 2: True},
        lambda numbers: 1 / 0,
    ],
)
def test_what_is_no_answer_for_a_frame(answer: Callable[[list[int]], Any]) -> None:
    assert told(WholeFrames(answer), 1, 2) == [UNAVAILABLE, UNAVAILABLE]


def test_a_slow_answer_counts_for_each_ask_anew() -> None:
    async def slow(asked: Ask) -> bool:
        await asyncio.sleep(0.9 * POLICY_TIMEOUT_S)
        return True

    assert told(slow, 1, 2, 3) == [None, None, None]


# ---------------------------------------------------------------- the gate


class Street:
    """A session's gate, and what came through it."""

    def __init__(self, policy: Policy) -> None:
        self.checkpoint = Checkpoint(policy)
        self.passed: list[Draft] = []
        self._grown = asyncio.Event()
        self.gate: Gate = self.checkpoint.gate(self.append)

    def append(self, submission: Submission) -> None:
        self.passed.extend(submission.drafts)
        self._grown.set()

    @property
    def outcome(self) -> list[tuple[int, errors.Refusal | None]]:
        return [(each.number, each.refusal) for each in self.passed]

    async def passes(self, count: int) -> None:
        async with asyncio.timeout(100 * POLICY_TIMEOUT_S):
            while len(self.passed) < count:
                self._grown.clear()
                await self._grown.wait()


@given(
    frames=st.lists(st.integers(1, 4), min_size=1, max_size=8),
    delays_ms=st.lists(st.integers(0, 400), min_size=32, max_size=32),
    forbidden=st.sets(st.integers(1, 32)),
    own=st.sets(st.integers(1, 32)),
)
def test_nothing_overtakes_whatever_the_policy_takes_its_time_for(
    frames: list[int], delays_ms: list[int], forbidden: set[int], own: set[int]
) -> None:
    async def policy(asked: Ask) -> bool:
        assert asked.number not in own, "read marks are nobody else's"
        await asyncio.sleep(delays_ms[asked.number - 1] / 1000)
        return asked.number not in forbidden

    async def play() -> None:
        street = Street(policy)
        number = 0
        for count in frames:
            numbers = range(number + 1, number + count + 1)
            number += count
            drafts = [of_kind(n, Kind.READ) if n in own else draft(n) for n in numbers]
            street.gate.submit(Submission(PHONE, 1, tuple(drafts)))
            await asyncio.sleep(delays_ms[-number] / 1000)
        await street.passes(number)
        assert street.outcome == [
            (each, FORBIDDEN if each in forbidden - own else None) for each in range(1, number + 1)
        ]
        await street.checkpoint.close()

    in_virtual_time(play())


@pytest.mark.parametrize("kind", [Kind.MESSAGE, Kind.EDIT, Kind.RECALL, Kind.SYSTEM])
def test_what_reaches_others_is_asked(kind: Kind) -> None:
    asked: list[Ask] = []

    async def policy(about: Ask) -> bool:
        asked.append(about)
        return True

    async def play() -> None:
        street = Street(policy)
        street.gate.submit(Submission(PHONE, 1, (of_kind(7, kind),)))
        await street.passes(1)

    in_virtual_time(play())
    [about] = asked
    assert about == Ask(ALICE, PHONE, 7, kind, direct(ALICE, BOB), Identity(PHONE, 1), b"hello")


@pytest.mark.parametrize("kind", [Kind.READ, Kind.DELETE])
def test_what_stays_in_the_own_log_passes_at_once(kind: Kind) -> None:
    async def play() -> None:
        street = Street(WholeFrames(lambda numbers: None))
        street.gate.submit(Submission(PHONE, 1, (of_kind(1, kind),)))
        assert street.outcome == [(1, None)]

    in_virtual_time(play())


def test_what_was_refused_before_is_not_asked() -> None:
    async def play() -> None:
        policy = WholeFrames(lambda numbers: [True] * len(numbers))
        street = Street(policy)
        limited = msgspec.structs.replace(draft(1), refusal=errors.BUSY)
        street.gate.submit(Submission(PHONE, 1, (limited, draft(2))))
        await street.passes(2)
        assert street.outcome == [(1, errors.BUSY), (2, None)]
        assert policy.asked == [[2]]

    in_virtual_time(play())


def test_after_one_silence_a_session_is_not_asked_about_again() -> None:
    async def play() -> None:
        policy = WholeFrames(lambda numbers: None)
        street = Street(policy)
        street.gate.submit(submission(1, 2))
        street.gate.submit(submission(3))
        await street.passes(3)
        street.gate.submit(submission(4))
        await street.passes(4)
        assert street.outcome == [(number, UNAVAILABLE) for number in (1, 2, 3, 4)]
        assert policy.asked == [[1, 2]]

    in_virtual_time(play())


def test_a_session_whose_messages_wait_is_crowded() -> None:
    async def play() -> None:
        street = Street(odd_numbers)
        street.gate.submit(submission(*range(1, POLICY_WAITING_MESSAGES_MAX + 1)))
        assert not street.gate.crowded
        street.gate.submit(submission(POLICY_WAITING_MESSAGES_MAX + 1))
        assert street.gate.crowded
        await street.passes(POLICY_WAITING_MESSAGES_MAX + 1)
        assert not street.gate.crowded

    in_virtual_time(play())


def test_whoever_waits_in_a_great_crowd_is_crowded_and_nobody_else() -> None:
    async def play() -> None:
        street = Street(odd_numbers)
        waiting, idle = street.gate, street.checkpoint.gate(street.append)
        body = bytes(BODY_BYTES_MAX)
        count = POLICY_CROWDED_BYTES // BODY_BYTES_MAX
        crowd = [street.checkpoint.gate(street.append) for _ in range(count)]
        waiting.submit(submission(1))
        assert not waiting.crowded
        for gate in crowd:
            gate.submit(submission(1, body=body))
        assert waiting.crowded
        assert not idle.crowded
        await street.passes(count + 1)
        assert not waiting.crowded
        assert street.checkpoint.waiting_bytes == 0

    in_virtual_time(play())


def test_devices_that_come_back_behind_a_slow_policy_cannot_pile_up_without_end() -> None:
    async def play() -> None:
        answering = asyncio.Event()

        async def policy(about: Ask) -> bool:
            await answering.wait()
            return True

        street = Street(policy)
        slow, idle = street.gate, street.checkpoint.gate(street.append)
        slow.submit(submission(1))
        body = bytes(BODY_BYTES_MAX)
        count = 0
        while street.checkpoint.waiting_bytes <= POLICY_WAITING_BYTES_MAX:
            # Nobody holds these gates any more: their sockets are gone.
            street.checkpoint.gate(street.append).submit(submission(1, body=body))
            count += 1
        full = street.checkpoint.waiting_bytes
        assert full < POLICY_WAITING_BYTES_MAX + 2 * BODY_BYTES_MAX
        slow.submit(Submission(PHONE, 1, (of_kind(2, Kind.READ), draft(3))))
        assert street.outcome == [(2, UNAVAILABLE), (3, UNAVAILABLE)], "read marks wait their turn"
        idle.submit(Submission(PHONE, 1, (of_kind(1, Kind.READ),)))
        assert street.outcome[2:] == [(1, None)], "nobody is asked about a read mark"
        assert street.checkpoint.waiting_bytes == full
        answering.set()
        await street.passes(3 + 1 + count)
        assert street.checkpoint.waiting_bytes == 0
        slow.submit(submission(4))
        idle.submit(submission(2))
        assert street.outcome[-1] == (4, UNAVAILABLE), "it has to come back on a new socket"
        await street.passes(3 + 1 + count + 2)
        assert street.outcome[-1] == (2, None)

    in_virtual_time(play())


def test_what_is_refused_ahead_of_what_waits_lets_nothing_overtake() -> None:
    async def play() -> None:
        answering, storage = asyncio.Event(), MemoryStorage()

        async def policy(about: Ask) -> bool:
            await answering.wait()
            return True

        for account in (ALICE, BOB):
            await storage.create_account(account)
        await storage.create_device(ALICE, PHONE, "", "pc", b"credential")
        committer = Committer(storage, Wakeups(), pytest.fail)
        running = asyncio.create_task(committer.run())
        committer.open(OpeningRequest(ALICE, PHONE, 1, "ab" * 8, None), lambda opening: None)
        lane, street, told = Lane(), Street(policy), list[Any]()
        gate = street.checkpoint.gate(lambda each: committer.append(lane, each, told.extend))
        gate.submit(submission(1))
        count = 0
        while street.checkpoint.waiting_bytes <= POLICY_WAITING_BYTES_MAX:
            street.checkpoint.gate(street.append).submit(submission(1, body=bytes(BODY_BYTES_MAX)))
            count += 1
        # Were the deletion not refused with the rest, 1 would be skipped for ever.
        gate.submit(Submission(PHONE, 1, (draft(2), of_kind(3, Kind.DELETE))))
        answering.set()
        await street.passes(count)
        committer.drain()
        await running
        assert told == [Refused(number, UNAVAILABLE) for number in (2, 3, 1)]

    in_virtual_time(play())


def test_what_waits_when_the_service_ends_is_never_appended() -> None:
    async def play() -> None:
        asked = asyncio.Event()

        async def policy(about: Ask) -> Any:
            asked.set()
            return await hanging()

        street = Street(policy)
        street.gate.submit(submission(1))
        street.gate.submit(submission(2))
        await asked.wait()
        await street.checkpoint.close()
        assert street.outcome == []
        assert len(asyncio.all_tasks()) == 1

    in_virtual_time(play())
