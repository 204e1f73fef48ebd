"""Events are plain values: equal by content, hashable, frozen."""

import dataclasses
from typing import get_args

import pytest

from syncd.protocol import client_events as events


def test_every_event_is_a_frozen_value() -> None:
    for event in get_args(events.ClientEvent):
        assert dataclasses.is_dataclass(event)
        assert event.__doc__
    ended = events.Disconnected(4000)
    assert ended == events.Disconnected(4000, "")
    with pytest.raises(dataclasses.FrozenInstanceError):
        ended.code = 1


def test_the_marks_are_words_for_people() -> None:
    assert [mark.value for mark in events.Mark] == ["not on server", "local only"]
