"""A policy between real sockets and a real log: blocks, silence, order, retries, lost lines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from syncd import errors, limits
from syncd.committer import Committer
from syncd.model import Identity, Kind, ReadRequest, direct
from syncd.policy import Ask, Checkpoint
from syncd.server import app as app_module
from syncd.server.policy_http import HttpPolicy
from syncd.wire.codec import unpack_entries
from syncd.wire.frames import Answers, Message, Send, ServerFrame
from tests.server.conftest import Running
from tests.server.peers import ANNE, BEN, Peer, Town, found_town, until

TALK = direct(ANNE, BEN)


class Opinion:
    """A policy whose mind a test can change; it thinks as long as `thought` is not set."""

    def __init__(self) -> None:
        self.answer: Callable[[Ask], Any] = lambda ask: True
        self.thought = asyncio.Event()
        self.thought.set()
        self.asked: list[int] = []

    async def __call__(self, ask: Ask) -> Any:
        self.asked.append(ask.number)
        await self.thought.wait()
        return self.answer(ask)


@pytest.fixture
async def opinion() -> Opinion:
    return Opinion()


@pytest.fixture
async def town(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch, opinion: Opinion
) -> AsyncIterator[Town]:
    # A slow machine must not decide for the policy: only the one test that is about it waits 2 s.
    monkeypatch.setattr(app_module, "Checkpoint", partial(Checkpoint, timeout_s=60.0))
    made = await found_town(start, monkeypatch, policy=opinion)
    yield made
    opinion.thought.set()
    await made.close()


def said(number: int, body: bytes = b"hello") -> Message:
    return Message(number, Kind.MESSAGE, TALK, None, body)


async def answered(peer: Peer, count: int) -> tuple[list[int], dict[int, int]]:
    """The next `count` answers, whatever comes between: numbers accepted, codes of the others."""
    accepted: list[int] = []
    refused: dict[int, int] = {}
    while len(accepted) + len(refused) < count:
        frame: Any = await peer.hear(ServerFrame)
        if isinstance(frame, Answers):
            accepted += [each.number for each in frame.accepted]
            refused |= {each.number: each.code for each in frame.refused}
    return accepted, refused


async def bodies(town: Town, account: Any = BEN) -> list[bytes | None]:
    [page] = await town.backstage.reader._storage.read([ReadRequest(account, 0, 1 << 20)])
    return [each.body for each in unpack_entries(page.to, page.entries)]


async def test_who_blocked_me_hears_nothing(town: Town, opinion: Opinion) -> None:
    blocked = {(BEN, ANNE)}
    opinion.answer = lambda ask: (
        ask.conversation != TALK
        or ((BEN if ask.account == ANNE else ANNE), ask.account) not in blocked
    )
    peer = await town.live()
    await peer.say(Send((said(1), said(2, b"are you there?"))))
    assert await answered(peer, 2) == ([], dict.fromkeys((1, 2), errors.FORBIDDEN.code))
    assert await bodies(town) == await bodies(town, ANNE) == []
    blocked.clear()
    await peer.say(Send((said(3, b"friends again"),)))
    assert await answered(peer, 1) == ([3], {})
    assert await bodies(town) == [b"friends again"]


def raising(ask: Ask) -> Any:
    raise RuntimeError("no database")


@pytest.mark.parametrize("answer", [raising, lambda ask: None, lambda ask: "nonsense"])
async def test_without_an_answer_the_device_comes_back(
    town: Town, opinion: Opinion, answer: Callable[[Ask], Any]
) -> None:
    opinion.answer = lambda ask: answer(ask) if ask.number == 2 else True
    peer = await town.live()
    await peer.say(Send((said(1, b"one"), said(2, b"two"), said(3, b"three"))))
    await peer.say(Send((said(4, b"four"),)))
    unavailable = errors.POLICY_UNAVAILABLE.code
    assert await answered(peer, 4) == ([1], dict.fromkeys((2, 3, 4), unavailable))
    assert await bodies(town) == [b"one"]
    opinion.answer = lambda ask: True
    again = await town.live(number=2)
    await again.say(Send((said(2, b"two"), said(3, b"three"), said(4, b"four"))))
    assert await answered(again, 3) == ([2, 3, 4], {})
    assert await bodies(town) == [b"one", b"two", b"three", b"four"]


async def test_a_policy_that_hangs_is_waited_for_a_while(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch, opinion: Opinion
) -> None:
    town = await found_town(start, monkeypatch, policy=opinion)
    opinion.thought.clear()
    peer = await town.live()
    await peer.say(Send((said(1),)))
    assert await answered(peer, 1) == ([], {1: errors.POLICY_UNAVAILABLE.code})
    assert await bodies(town) == []
    await town.close()


async def test_an_accepted_message_keeps_its_seq_whatever_is_decided_today(
    town: Town, opinion: Opinion
) -> None:
    peer = await town.live()
    await peer.say(Send((said(1),)))
    assert await answered(peer, 1) == ([1], {})
    for answer in (lambda ask: False, raising):
        opinion.answer = answer
        again = await town.live(number=2)
        await again.say(Send((said(1),)))
        frame: Any = await again.hear(ServerFrame)
        while not isinstance(frame, Answers):
            frame = await again.hear(ServerFrame)
        [accepted] = frame.accepted
        assert (accepted.number, accepted.seq, accepted.duplicate) == (1, 1, True)
    assert await bodies(town) == [b"hello"]


async def test_the_order_is_kept_while_the_policy_thinks(town: Town, opinion: Opinion) -> None:
    peer = await town.live()
    await peer.say(Send((said(1, b"1"),)))
    await answered(peer, 1)
    opinion.thought.clear()
    opinion.answer = lambda ask: ask.number != 3
    for number in range(2, 6):
        await peer.say(Send((said(number, b"%d" % number),)))
    # A read mark is nobody else's, and yet does not overtake.
    await peer.say(Send((Message(6, Kind.READ, TALK, Identity(peer_device(town), 2), b""),)))
    await until(lambda: bool(opinion.asked) and town.connection().session.unanswered == 5)
    opinion.thought.set()
    assert await answered(peer, 5) == ([2, 4, 5, 6], {3: errors.FORBIDDEN.code})
    assert opinion.asked == [1, 2, 3, 4, 5]
    assert await bodies(town) == [b"1", b"2", b"4", b"5"]


def peer_device(town: Town) -> Any:
    return town.connection().session.device


async def test_a_crowd_before_the_policy_is_not_read_from(town: Town, opinion: Opinion) -> None:
    opinion.thought.clear()
    peer = await town.live()
    connection = town.connection()
    count = limits.POLICY_WAITING_MESSAGES_MAX
    for number in range(1, count + 21):
        await peer.say(Send((said(number),)))
    await until(connection._must_wait)
    # The frame that was taken last may still have come through; nothing after it.
    for _ in range(100):
        await asyncio.sleep(0)
    assert connection.session.unanswered == count + 1
    opinion.thought.set()
    accepted, refused = await answered(peer, count + 20)
    assert (accepted, refused) == (list(range(1, count + 21)), {})


async def test_a_lost_line_does_not_reach_what_was_handed_in(town: Town, opinion: Opinion) -> None:
    opinion.thought.clear()
    peer = await town.live()
    await peer.say(Send((said(1, b"before the line was lost"),)))
    await until(lambda: opinion.asked == [1])
    peer.socket.transport.abort()
    await town.only(0)
    witness = await town.live("witness")
    opinion.thought.set()
    await witness.catch_up(1)
    assert await bodies(town) == [b"before the line was lost"]


async def test_a_newer_session_ends_what_still_waits(
    town: Town, opinion: Opinion, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[int] = []
    append = Committer.append

    def watched(self: Committer, lane: Any, submission: Any, take: Any) -> None:
        handed.append(submission.generation)
        append(self, lane, submission, take)

    monkeypatch.setattr(Committer, "append", watched)
    opinion.thought.clear()
    peer = await town.live()
    await peer.say(Send((said(1, b"of the old session"),)))
    await until(lambda: opinion.asked == [1])
    again = await town.live(number=2)
    opinion.thought.set()
    await until(lambda: len(handed) == 1)
    await again.say(Send((said(1, b"of the new session"),)))
    assert await answered(again, 1) == ([1], {})
    assert await bodies(town) == [b"of the new session"]


async def test_no_policy_no_gate(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> None:
    town = await found_town(start, monkeypatch)
    await town.live()
    assert town.connection()._gate is None
    await town.close()


async def test_a_policy_behind_a_url_that_nobody_answers(
    start: Callable[..., Awaitable[Running]], monkeypatch: pytest.MonkeyPatch
) -> None:
    town = await found_town(start, monkeypatch, policy=HttpPolicy("http://127.0.0.1:1/"))
    peer = await town.live()
    await peer.say(Send((said(1),)))
    assert await answered(peer, 1) == ([], {1: errors.POLICY_UNAVAILABLE.code})
    await town.close()


# ---------------------------------------------------------------- the age of what is recalled


@pytest.mark.parametrize(
    ("limit_s", "age_s", "refusal"),
    [
        (60, 59, None),
        (60, 61, errors.RECALL_TOO_LATE),
        (0, 10**6, None),
    ],
)
async def test_a_recall_has_its_time(
    start: Callable[..., Awaitable[Running]],
    monkeypatch: pytest.MonkeyPatch,
    limit_s: int,
    age_s: int,
    refusal: errors.Refusal | None,
) -> None:
    clock_ns = 1_800_000_000 * 10**9
    monkeypatch.setattr("syncd.server.connection.time.time_ns", lambda: clock_ns)
    town = await found_town(start, monkeypatch, recall_within_s=limit_s)
    peer = await town.live()
    await peer.say(Send((said(1),)))
    assert await answered(peer, 1) == ([1], {})
    clock_ns += age_s * 10**9
    recall = Message(2, Kind.RECALL, TALK, Identity(peer_device(town), 1), b"")
    await peer.say(Send((recall,)))
    expected = ([2], {}) if refusal is None else ([], {2: refusal.code})
    assert await answered(peer, 1) == expected
    assert len(await bodies(town)) == (2 if refusal is None else 1)
    await town.close()
