"""The table of a pairing is total, ends where it should, and grants a login in one place only."""

import pytest

from syncd import errors
from syncd.errors import Scope
from syncd.identity.pairing_table import TABLE, Request, Stage, table

LIVE = (Stage.WAITING, Stage.SCANNED, Stage.CONFIRMED)


def test_every_request_has_an_answer_at_every_stage() -> None:
    assert set(TABLE) == {(stage, request) for stage in Stage for request in Request}


@pytest.mark.parametrize("request_", Request)
@pytest.mark.parametrize("stage", [each for each in Stage if each not in LIVE])
def test_what_is_over_stays_over(stage: Stage, request_: Request) -> None:
    assert TABLE[stage, request_].next is stage


def test_a_login_is_granted_to_a_confirmed_one_alone_and_ends_it() -> None:
    granted = [stage for stage in Stage if TABLE[stage, Request.POLL].refusal is None]
    assert granted == [Stage.CONFIRMED]
    assert TABLE[Stage.CONFIRMED, Request.POLL].next is Stage.TAKEN


def test_only_a_yes_confirms_and_only_after_a_scan() -> None:
    ways = [pair for pair, row in TABLE.items() if row.next is Stage.CONFIRMED]
    assert {pair for pair in ways if pair[0] is not Stage.CONFIRMED} == {
        (Stage.SCANNED, Request.CONFIRM)
    }


@pytest.mark.parametrize("stage", [Stage.SCANNED, Stage.CONFIRMED])
def test_no_can_be_said_as_long_as_nothing_was_taken(stage: Stage) -> None:
    assert TABLE[stage, Request.DECLINE].next is Stage.DECLINED


def test_what_was_granted_may_be_asked_again() -> None:
    """The answer to a yes, a no or a scan may be lost: the same question gets it once more."""
    for (stage, request), row in TABLE.items():
        again = TABLE[row.next, request]
        if row.refusal is None and request is not Request.POLL:
            assert again.refusal is None, (stage, request)
            assert again.next is row.next


def test_refusals_are_rows_of_the_table_of_errors() -> None:
    told = {row.refusal for row in TABLE.values() if row.refusal is not None}
    assert {each.scope for each in told} == {Scope.HTTP}
    assert errors.AUTHORIZATION_PENDING in told


def test_it_can_be_printed() -> None:
    printed = table()
    assert len(printed) == len(TABLE)
    assert ("scanned", "confirm", "confirmed", "yes") in printed
    assert ("taken", "poll", "taken", "`expired_token`: once was all") in printed
