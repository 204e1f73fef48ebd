"""The table is total, and what a client does about every event in every state is what it says."""

from typing import Any

import pytest

from syncd import errors
from syncd.model import Accepted
from syncd.protocol import client_events as events
from syncd.protocol.client import Client
from syncd.protocol.client_table import HAPPENINGS, TABLE, Happening, State, table
from syncd.wire import frames
from tests.playbook import Playbook
from tests.protocol.client_plays import (
    EPOCH,
    NEW_EPOCH,
    batch,
    entry,
    got,
    loaded,
    message,
    play,
    reset,
    signal,
    signalled,
    stored,
    taken,
    truncated,
    verdict,
)

# Two samples where an event may be good or bad.
SAMPLES: dict[Happening, list[Any]] = {
    events.Loaded: [loaded(), events.Loaded(None, None, None, 0, 0)],
    events.Connected: [events.Connected()],
    frames.Welcome: [got(verdict()), got(verdict(start=12)), got(verdict(epoch=NEW_EPOCH))],
    frames.Truncated: [got(truncated())],
    frames.Reset: [got(reset()), got(reset(account="mallory"))],
    frames.Batch: [batch(10, entry(1)), batch(11, entry(1))],
    frames.Heartbeat: [got(frames.Heartbeat(EPOCH, 20, 10)), got(frames.Heartbeat(EPOCH, 20, 9))],
    frames.Answers: [
        got(frames.Answers((Accepted(1, 11, False),), ())),
        got(frames.Answers((), (frames.RefusedField(1, errors.BUSY.code),))),
    ],
    frames.Goodbye: [
        got(frames.Goodbye(errors.DRAINING.code, "draining", None, None)),
        got(frames.Goodbye(errors.DEVICE_REVOKED.code, "device_revoked", None, 100)),
    ],
    frames.Signalled: [got(signalled())],
    events.Malformed: [events.Malformed(errors.MALFORMED_FRAME)],
    events.VerdictTaken: [taken(message(1))],
    events.BatchStored: [stored(11)],
    events.AnswersStored: [events.AnswersStored((Accepted(1, 11, False),))],
    events.HandedStored: [events.HandedStored()],
    events.Queued: [events.Queued((message(1),))],
    events.Handed: [events.Handed(0, 9), events.Handed(0, 11)],
    events.Signalling: [events.Signalling(signal())],
    events.TimePassed: [events.TimePassed()],
    events.Disconnected: [events.Disconnected(None), events.Disconnected(4504, "device_revoked")],
    events.CloseRequested: [events.CloseRequested()],
}


def stage_for(state: State, happening: Happening) -> Playbook:
    """A play in this state, in which this may happen: a verdict is taken where one was given."""
    ways = {
        State.WAITING: events.Disconnected(None),
        State.CLOSING: events.CloseRequested(),
    }
    if happening is not events.VerdictTaken or state not in ways:
        return play(state)
    stage = play(State.JUDGING)
    stage >> ways[state]
    stage.skip()
    return stage


def test_every_event_in_every_state_has_a_row() -> None:
    assert set(TABLE) == {(state, happening) for state in State for happening in HAPPENINGS}
    assert set(SAMPLES) == set(HAPPENINGS)
    assert len(table()) == len(State) * len(HAPPENINGS)
    for state, happening, following, note in table():
        assert state
        assert happening
        assert note
        assert (following == "-") == ("cannot happen" in note)


def test_every_action_exists() -> None:
    for row in TABLE.values():
        assert callable(getattr(Client, row.action))


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda happening: happening.__name__)
def test_the_client_does_as_the_table_says(state: State, happening: Happening) -> None:
    row = TABLE[state, happening]
    for sample in SAMPLES[happening]:
        stage = play(state)
        machine = stage.machine
        assert isinstance(machine, Client)
        if row.action == "_impossible":
            with pytest.raises(AssertionError, match="cannot meet"):
                stage >> sample
            continue
        for wait in (0.0, 1000.0):
            stage = stage_for(state, happening)
            assert isinstance(stage.machine, Client)
            stage.now += wait
            stage >> sample
            assert stage.machine.state in (row.next or (state,))
            stage.machine.deadline()


def test_every_next_state_can_be_reached_and_none_is_a_dead_end() -> None:
    reachable = {State.LOADING}
    while True:
        more = {
            following
            for (state, _), row in TABLE.items()
            if state in reachable
            for following in row.next
        }
        if more <= reachable:
            break
        reachable |= more
    assert reachable == set(State)
    for state in State:
        if state is not State.STOPPED:
            assert any(
                set(row.next) - {state} for (where, _), row in TABLE.items() if where is state
            )
