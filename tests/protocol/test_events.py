"""Events are plain values that a play can compare and print, and no two mean the same."""

from typing import get_args

import msgspec
import pytest

from syncd.protocol import events


@pytest.mark.parametrize("kind", get_args(events.Event))
def test_an_event_is_a_frozen_value_with_a_meaning(kind: type) -> None:
    assert issubclass(kind, msgspec.Struct)
    assert kind.__doc__
    made = kind(*(object() for _ in kind.__struct_fields__))
    for name in (*kind.__struct_fields__, "anything"):
        with pytest.raises(AttributeError):
            setattr(made, name, 1)
    assert made == kind(*(getattr(made, name) for name in kind.__struct_fields__))


def test_every_event_of_the_module_can_be_handled() -> None:
    own = {
        value
        for value in vars(events).values()
        if isinstance(value, type) and value.__module__ == events.__name__
    }
    assert own == set(get_args(events.Event))
