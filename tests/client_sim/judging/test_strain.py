"""Queues that grow, others who wait, and what a wrong clock does."""

import pytest
from msgspec.structs import replace

from client_sim.history import (
    SERVER,
    Answer,
    Closed,
    Connect,
    Fault,
    Floor,
    Phase,
    Queued,
    Record,
    Revoked,
    Send,
)
from client_sim.judging.court import judge
from client_sim.judging.strain import BESIDE_WINDOW_BYTES, WINDOW_BYTES
from client_sim.judging.verdict import Ruling
from tests.client_sim.judging.story import Story, broken, founding_story

# ---------------------------------------------------------------- bounded-memory


@pytest.mark.parametrize("window", [0, 65_536])
def test_a_queue_beyond_its_window(window: int) -> None:
    allowed = (window or WINDOW_BYTES) + BESIDE_WINDOW_BYTES
    for bytes_, expected in ((allowed, ()), (allowed + 1, ("bounded-memory",))):
        story = founding_story()
        story.tell(Connect(device="PC1", session=9, epoch="a1", seq=2, window=window))
        story.tell(Queued(by=SERVER, device="PC1", session=9, bytes=bytes_))
        assert broken(story.end("PC1")) == expected


# ---------------------------------------------------------------- isolation


def crowd(peace_s: float, abuse_s: float, *more: Record) -> tuple[str, ...]:
    """How long bob waits for his answers while nobody, and while PC1 floods."""
    story = Story()
    story.tell(*more)
    for phase, wait in (("peace", peace_s), ("abuse", abuse_s)):
        story.tell(Phase(name=phase))
        for number in range(10):
            message = f"phone#{number + 10 * (phase == 'abuse')}"
            sent = story.tell(Send(device="phone", message=message, body="b"))
            answered = Answer(device="phone", message=message, outcome="accepted")
            story.tell(answered)
            at = story.records[sent].at + wait
            story.records[-1] = replace(story.records[-1], at=at)  # type: ignore[call-arg]
        if phase == "abuse":
            for number in range(50):
                story.tell(Send(device="PC1", message=f"PC1#{number}", body="b"))
    return broken(judge(story.records))


def test_others_who_wait_more_than_twice_as_long() -> None:
    assert crowd(0.1, 0.2) == ()
    assert crowd(0.001, 0.04) == ()
    assert crowd(0.1, 0.4) == ("isolation",)


def test_the_abuser_may_wait() -> None:
    assert crowd(0.1, 0.4, Fault(kind="abuse", target="phone")) == ()


# ---------------------------------------------------------------- clock-free

JUMP = Fault(by=SERVER, kind="clock_jump", target="server")
DROPPED = Floor(by=SERVER, account="alice", epoch="a1", floor=1)
BY_THE_CLOCK = (
    DROPPED,
    Closed(device="PC2", session=3, code="not_authenticated"),
    Answer(device="phone", message="phone#2", outcome="refused", code="slow_down", definite=False),
)


@pytest.mark.parametrize("record", BY_THE_CLOCK, ids=lambda record: type(record).__name__)
def test_what_a_jump_of_the_clock_may_not_do(record: Record) -> None:
    for before, expected in (((JUMP,), ("clock-free",)), ((), ())):
        story = founding_story()
        story.tell(*before, record)
        assert broken(story.end()) == expected


def test_a_message_that_nobody_answers_since_the_clock_was_set_back() -> None:
    story = founding_story()
    story.tell(JUMP)
    story.write("phone", 3)
    assert broken(story.end(phone={"waiting": ("phone#3",)})) == ("convergence", "clock-free")


def test_what_has_another_reason_is_not_the_clocks() -> None:
    story = founding_story()
    story.tell(JUMP, Fault(by=SERVER, kind="trim", target="alice"), DROPPED)
    story.tell(Revoked(by=SERVER, device="PC2"), BY_THE_CLOCK[1])
    assert story.end().ruling is Ruling.TRUE
