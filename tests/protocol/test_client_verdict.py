"""What a client checks in a verdict: whose it is, of which past, and from where on."""

from typing import Any

import msgspec
import pytest

from syncd.model import AccountId, Chain, Position
from syncd.protocol.client_commands import Mismatch, Skipped
from syncd.protocol.client_verdict import contradicts, mismatch, skipped
from tests.protocol.client_plays import (
    ALICE,
    EPOCH,
    NEW_EPOCH,
    OTHER,
    OWN,
    at,
    reset,
    truncated,
    verdict,
)


def test_a_store_that_belongs_to_nobody_takes_any_token() -> None:
    assert mismatch(verdict(), None, None) is None


@pytest.mark.parametrize("frame", [verdict(), truncated(), reset()])
def test_the_own_account_and_device_fit(frame: Any) -> None:
    assert mismatch(frame, ALICE, OWN) is None


def test_another_account_or_device_does_not_fit_but_by_a_merge_of_this_device() -> None:
    assert mismatch(verdict(), AccountId("bob"), OWN) == Mismatch(f"bob/{OWN}", f"alice/{OWN}")
    assert mismatch(verdict(), ALICE, OTHER) == Mismatch(f"alice/{OTHER}", f"alice/{OWN}")
    assert mismatch(reset("merged"), AccountId("guest"), OWN) is None
    assert mismatch(reset("merged"), AccountId("guest"), OTHER) is not None


@pytest.mark.parametrize("frame", [verdict(), truncated(), reset()])
def test_an_alias_of_the_account_is_the_same_person(frame: Any) -> None:
    """A device that stated no position, say, is not told that there was a merge."""
    guest = AccountId("guest")
    told = msgspec.structs.replace(frame, aliases=(guest,))
    assert mismatch(told, guest, OWN) is None
    assert mismatch(told, AccountId("mallory"), OWN) is not None
    assert mismatch(told, guest, OTHER) is not None


@pytest.mark.parametrize(
    ("frame", "stated", "lies"),
    [
        (verdict(), at(10), False),
        (verdict(), None, False),
        (verdict(start=12), at(10), False),  # passes over something, which is another question
        (verdict(start=9), at(10), True),
        (verdict(start=4), None, True),  # below the floor
        (verdict(), Position(EPOCH, 10, Chain(b"another.")), True),
        (verdict(epoch=NEW_EPOCH), at(10), True),
        (truncated(), at(10), False),
        (truncated(start=14), at(10), True),
        (reset(), at(10), False),
    ],
)
def test_no_log_would_say_what_contradicts(frame: Any, stated: Any, lies: bool) -> None:
    assert contradicts(frame, stated) is lies


@pytest.mark.parametrize(
    ("frame", "stated", "cursor", "found"),
    [
        (verdict(), at(10), False, None),
        (verdict(start=12), at(10), False, Skipped(10, 12, 2)),
        (verdict(start=5), None, False, None),
        (verdict(start=7), None, False, Skipped(None, 7, 2)),
        (verdict(start=17), None, True, None),
        (truncated(), at(10), False, None),
        (truncated(start=16), at(10), False, Skipped(None, 16, 1)),
        (truncated(start=16), None, True, Skipped(None, 16, 1)),
        (reset(), at(10), False, None),
        (reset(start=8), at(10), False, Skipped(None, 8, 3)),
    ],
)
def test_what_is_passed_over_is_found(frame: Any, stated: Any, cursor: bool, found: Any) -> None:
    assert skipped(frame, stated, cursor) == found
