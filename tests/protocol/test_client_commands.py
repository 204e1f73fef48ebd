"""Commands are plain values, and each store command has the event that answers it."""

import dataclasses
from typing import get_args

from syncd.protocol import client_commands as commands
from syncd.protocol import client_events as events

ANSWERS = {
    commands.TakeVerdict: events.VerdictTaken,
    commands.StoreBatch: events.BatchStored,
    commands.StoreAnswers: events.AnswersStored,
    commands.StoreHanded: events.HandedStored,
}


def test_every_command_is_a_frozen_value() -> None:
    for command in get_args(commands.ClientCommand):
        assert dataclasses.is_dataclass(command)
        assert command.__doc__
    assert commands.Close(None) == commands.Close(None)
    assert hash(commands.Connect()) == hash(commands.Connect())


def test_every_store_command_is_answered() -> None:
    assert set(get_args(commands.StoreCommand)) == set(ANSWERS)
    assert set(ANSWERS.values()) < set(get_args(events.ClientEvent))
