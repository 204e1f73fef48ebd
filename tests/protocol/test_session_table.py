"""The session's table by itself: total, printable, and every action exists."""

from syncd.protocol.session import Session
from syncd.protocol.session_table import EVENTS, TABLE, State, table


def test_every_event_in_every_state_has_a_row() -> None:
    assert set(TABLE) == {(state, event) for state in State for event in EVENTS}


def test_every_action_is_a_method_of_the_session() -> None:
    actions = {row.action for row in TABLE.values()}
    assert {action for action in actions if not callable(getattr(Session, action))} == set()


def test_what_cannot_happen_leads_nowhere() -> None:
    assert {row.next for row in TABLE.values() if row.action == "_impossible"} == {()}


def test_nothing_leads_out_of_the_closed_state() -> None:
    closed = [row for (state, _), row in TABLE.items() if state is State.CLOSED]
    assert {(row.action, row.next) for row in closed} == {("_deaf", (State.CLOSED,))}


def test_the_table_can_be_printed() -> None:
    printed = table()
    assert len(printed) == len(State) * len(EVENTS)
    notes = {(state, event, following): note for state, event, following, note in printed}
    assert "hello" in notes["greeting", "Received", "admitting, closed"]
    assert all(notes.values())
