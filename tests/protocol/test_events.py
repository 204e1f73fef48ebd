"""Events are plain values that a play can compare and print, and no two mean the same."""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import get_args

import pytest

from syncd.protocol import events


@pytest.mark.parametrize("kind", get_args(events.Event))
def test_an_event_is_a_frozen_value_with_a_meaning(kind: type) -> None:
    assert is_dataclass(kind)
    assert kind.__doc__
    made = kind(*(object() for _ in fields(kind)))
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        made.anything = 1
    assert made == kind(*(getattr(made, field.name) for field in fields(kind)))


def test_every_event_of_the_module_can_be_handled() -> None:
    own = {
        value
        for value in vars(events).values()
        if isinstance(value, type) and value.__module__ == events.__name__
    }
    assert own == set(get_args(events.Event))
