"""Which signals pass, how many of them, and that nobody is left behind as being here."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import limits
from syncd.model import direct
from syncd.protocol.signalling import SignalKind, Signalling
from syncd.wire.frames import Signal
from tests.drafts import ALICE, BOB

PLACES = [direct(ALICE, BOB), *(f"group-{number}" for number in range(40))]


def signal(kind: int = SignalKind.TYPING, conversation: Any = PLACES[0]) -> Signal:
    return Signal(conversation, kind, b"")


def test_the_numbers_of_kinds_never_change() -> None:
    assert {kind.value: kind.name for kind in SignalKind} == {1: "TYPING", 2: "HERE", 3: "AWAY"}


@pytest.mark.parametrize("conversation", ["alice~bob", "friends"])
def test_a_signal_of_a_possible_conversation_passes(conversation: str) -> None:
    assert Signalling(0.0).passes(signal(conversation=conversation), 0.0)


@pytest.mark.parametrize("conversation", ["bob~alice", "a~b~c", "~", "two words", "x" * 65])
def test_what_can_be_no_conversation_is_dropped(conversation: str) -> None:
    assert not Signalling(0.0).passes(signal(conversation=conversation), 0.0)


@pytest.mark.parametrize("kind", [0, 4, 255])
def test_a_kind_that_is_not_known_is_dropped(kind: int) -> None:
    assert not Signalling(0.0).passes(signal(kind), 0.0)


def test_whoever_waits_long_may_burst_and_no_more() -> None:
    signalling = Signalling(0.0)
    for now in (0.0, 1e6):
        passed = [signalling.passes(signal(), now) for _ in range(limits.SIGNALS_BURST + 5)]
        assert passed == [True] * limits.SIGNALS_BURST + [False] * 5


@given(st.lists(st.floats(0, 3), max_size=200))
def test_no_stretch_of_time_sees_more_than_the_bucket_gives(pauses: list[float]) -> None:
    signalling, now, passed = Signalling(0.0), 0.0, 0
    for pause in pauses:
        now += pause
        passed += signalling.passes(signal(), now)
    assert passed <= limits.SIGNALS_BURST + now * limits.SIGNALS_PER_SECOND + 1e-6


def test_away_is_said_once_wherever_here_was() -> None:
    signalling = Signalling(0.0)
    for kind, place in ((2, 0), (2, 1), (2, 0), (1, 2), (3, 1), (3, 3)):
        assert signalling.passes(signal(kind, PLACES[place]), 0.0)
    assert signalling.leave() == (Signal(PLACES[0], SignalKind.AWAY, b""),)
    assert signalling.leave() == ()


def test_a_here_that_was_dropped_needs_no_away() -> None:
    signalling = Signalling(0.0)
    for _ in range(limits.SIGNALS_BURST):
        signalling.passes(signal(), 0.0)
    assert not signalling.passes(signal(SignalKind.HERE), 0.0)
    assert signalling.leave() == ()


def test_so_many_places_are_remembered_and_here_is_dropped_in_others() -> None:
    signalling, many = Signalling(0.0), limits.PRESENCES_MAX
    for second, place in enumerate(PLACES[:many]):
        assert signalling.passes(signal(SignalKind.HERE, place), second)
    assert not signalling.passes(signal(SignalKind.HERE, PLACES[many]), 100.0)
    assert signalling.passes(signal(SignalKind.HERE, PLACES[0]), 101.0)
    assert signalling.passes(signal(SignalKind.AWAY, PLACES[0]), 102.0)
    assert signalling.passes(signal(SignalKind.HERE, PLACES[many]), 103.0)
    assert [each.conversation for each in signalling.leave()] == PLACES[1 : many + 1]


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(PLACES)), max_size=80))
def test_whoever_heard_the_signals_knows_in_the_end_that_all_went(said: list[Any]) -> None:
    signalling, heard = Signalling(0.0), {}
    for second, (kind, place) in enumerate(said):
        if signalling.passes(signal(kind, place), float(second)) and kind != SignalKind.TYPING:
            heard[place] = kind
    heard |= {each.conversation: each.kind for each in signalling.leave()}
    assert set(heard.values()) <= {SignalKind.AWAY}
