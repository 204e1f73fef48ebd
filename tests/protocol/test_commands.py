"""Commands are plain values, and the one interpreter of the server knows them all."""

from typing import get_args

import msgspec
import pytest

from syncd.protocol import commands
from syncd.server.connection import DEEDS


@pytest.mark.parametrize("kind", get_args(commands.Command))
def test_a_command_is_a_frozen_value_with_a_meaning(kind: type) -> None:
    assert issubclass(kind, msgspec.Struct)
    assert kind.__struct_config__.frozen
    assert kind.__doc__


def test_every_command_of_the_module_can_be_asked_for() -> None:
    own = {
        value
        for value in vars(commands).values()
        if isinstance(value, type) and value.__module__ == commands.__name__
    }
    assert own == set(get_args(commands.Command))


def test_the_interpreter_performs_every_command() -> None:
    assert set(DEEDS) == set(get_args(commands.Command))
