"""The tables say all there is to say: no field without a meaning, no bound unexplained."""

from typing import get_args

import pytest

from syncd import limits
from syncd.document import tables
from syncd.membership import Action
from syncd.model import Kind
from syncd.protocol import session_table
from syncd.protocol.signalling import SignalKind
from syncd.protocol.verdict import Reason
from syncd.wire import frames

EVERY_CLASS = [*get_args(frames.Frame), *tables.RECORDS]


@pytest.mark.parametrize("kind", EVERY_CLASS)
def test_every_field_is_documented(kind: type) -> None:
    prose, meanings = tables.documentation(kind)
    assert prose
    assert set(meanings) >= set(kind.__struct_fields__)
    assert all(meanings[field].strip() for field in kind.__struct_fields__)


def test_a_docstring_comes_apart() -> None:
    prose, meanings = tables.documentation(frames.Truncated)
    assert prose.startswith("Verdict: retention dropped")
    assert prose.endswith("when a trim passes the session.")
    assert meanings["missing"] == "the first and last seq that are gone."
    assert meanings["account"] == meanings["device"] == "whose token this was."
    _, meanings = tables.documentation(frames.Hello)
    assert meanings["instance"].endswith("the instance that took over.")


def test_types_are_words() -> None:
    table = tables.client_frames()
    for words in (
        "| string, 1 to 4,096 characters |",
        "| string, `[0-9a-f]{16}` |",
        "| Position or null |",
        "| integer, 65,536 to 4,194,304 |",
        "| array of Message, 1 to 1,024 items |",
        "| epoch |",
        "| boolean |",
    ):
        assert words in table


def test_positions_are_those_of_messagepack() -> None:
    assert "| 1 | `token` |" in tables.client_frames()  # behind the tag
    assert "| 0 | `number` |" in tables.records()


@pytest.mark.parametrize("kind", get_args(frames.Frame))
def test_every_frame_has_its_section(kind: type) -> None:
    heading = f"#### `{kind.__name__.lower()}`, tag {kind.__struct_config__.tag}\n"
    assert heading in tables.client_frames() + "\n" + tables.server_frames()


def test_records_are_all_that_frames_hold() -> None:
    told = {kind.__name__ for kind in tables.RECORDS}
    every = tables.client_frames() + tables.server_frames() + tables.records()
    named = {name for name in vars(frames) if f"| {name} |" in every or f"of {name}" in every}
    assert named <= told


def test_kinds_and_reasons_are_complete() -> None:
    assert all(f"| {kind.value} | {kind.name.lower()} |" in tables.kinds() for kind in Kind)
    assert all(f"| `{action.value}` |" in tables.changes() for action in Action)
    assert all(f"| {kind.value} | {kind.name.lower()} |" in tables.signals() for kind in SignalKind)
    assert all(f"| `{reason.value}` |" in tables.reasons() for reason in Reason)


def test_bounds_are_explained() -> None:
    told = tables.limit_reasons()
    assert all(told[name] for name in tables.CROSS_THE_WIRE)
    assert told["RECONNECT_DELAY_MIN_S"] == told["RECONNECT_DELAY_MAX_S"]
    assert f"| `WINDOW_BYTES_MIN` | {limits.WINDOW_BYTES_MIN:,} |" in tables.bounds()


def test_the_diagram_shows_every_state() -> None:
    diagram = tables.state_diagram()
    assert all(state.value in diagram for state in session_table.State)
    assert "greeting --> admitting: Received" in diagram


def test_the_state_table_leaves_out_what_cannot_happen() -> None:
    table = tables.state_table()
    assert "| live | Committed |" in table
    assert "| greeting | Committed |" not in table
    assert not any(line.startswith("| closed |") for line in table.splitlines())
