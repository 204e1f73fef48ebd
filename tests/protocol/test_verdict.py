"""Every rule of the verdict, in its order, under every cursor scope."""

from typing import Any

import pytest

from syncd.model import Chain, CursorScope, Epoch, Opening, Position
from syncd.protocol.verdict import Judgement, Reason, judge, start

EPOCH, OLD, GUESTS = Epoch(b"epoch-01"), Epoch(b"epoch-00"), Epoch(b"epoch-99")
FLOOR_CHAIN, HERE, THERE = Chain(b"at-floor"), Chain(b"chain-01"), Chain(b"chain-02")
CURSOR = Chain(b"cursor--")
DEVICE, PLATFORM, ACCOUNT = CursorScope


def snapshot(**changes: Any) -> Opening:
    """A log that holds 11 .. 20."""
    facts: dict[str, Any] = {
        "generation": 1,
        "epoch": EPOCH,
        "floor": 10,
        "floor_chain": FLOOR_CHAIN,
        "head": 20,
        "sent": 0,
        "stated_chain": HERE,
        "cursor": None,
        "cursor_chain": None,
        "cursor_outdated": False,
        "merged_epochs": frozenset({GUESTS}),
    }
    return Opening(**(facts | changes))


def at(seq: int, epoch: Epoch = EPOCH, chain: Chain = HERE) -> Position:
    return Position(epoch, seq, chain)


FLOOR = Judgement(10, FLOOR_CHAIN)
EPOCH_RESET = Judgement(10, FLOOR_CHAIN, reason=Reason.EPOCH)
AHEAD_RESET = Judgement(10, FLOOR_CHAIN, reason=Reason.AHEAD)
FORKED_RESET = Judgement(10, FLOOR_CHAIN, reason=Reason.FORKED)

MERGED_RESET = Judgement(10, FLOOR_CHAIN, reason=Reason.MERGED)

# (what is stated, `cursor`, the snapshot, the verdict)
STATED: list[tuple[str, Position | None, Opening, Judgement]] = [
    ("nothing stated: the floor", None, snapshot(stated_chain=None), FLOOR),
    ("nothing stated, though a cursor is stored: the floor", None, snapshot(cursor=15), FLOOR),
    ("another epoch", at(15, OLD), snapshot(), EPOCH_RESET),
    ("the epoch of a log that was merged into this one", at(15, GUESTS), snapshot(), MERGED_RESET),
    ("above the head", at(21), snapshot(stated_chain=None), AHEAD_RESET),
    (
        "below the floor",
        at(9),
        snapshot(stated_chain=None),
        Judgement(10, FLOOR_CHAIN, missing=(10, 10)),
    ),
    (
        "far below the floor",
        at(0),
        snapshot(stated_chain=None),
        Judgement(10, FLOOR_CHAIN, missing=(1, 10)),
    ),
    ("another chain", at(15), snapshot(stated_chain=THERE), FORKED_RESET),
    ("within the log", at(15), snapshot(), Judgement(15, HERE)),
    ("at the head", at(20), snapshot(), Judgement(20, HERE)),
    ("at the floor", at(10), snapshot(), Judgement(10, HERE)),
    ("at the floor of another past", at(10), snapshot(stated_chain=THERE), FORKED_RESET),
    ("a stored cursor above it changes nothing", at(15), snapshot(cursor=18), Judgement(15, HERE)),
    ("a stored cursor below it changes nothing", at(15), snapshot(cursor=12), Judgement(15, HERE)),
    # The order of the rules: where two apply, the first wins.
    ("epoch before ahead", at(99, OLD), snapshot(stated_chain=None), EPOCH_RESET),
    ("merged before ahead", at(99, GUESTS), snapshot(stated_chain=None), MERGED_RESET),
    ("merged before truncated", at(3, GUESTS), snapshot(stated_chain=None), MERGED_RESET),
    ("epoch before truncated", at(3, OLD), snapshot(stated_chain=None), EPOCH_RESET),
    ("epoch before forked", at(15, OLD), snapshot(stated_chain=THERE), EPOCH_RESET),
    (
        "truncated before forked",
        at(3),
        snapshot(stated_chain=THERE),
        Judgement(10, FLOOR_CHAIN, missing=(4, 10)),
    ),
    ("ahead before forked", at(21), snapshot(stated_chain=THERE), AHEAD_RESET),
]

CURSOR_HELLO: list[tuple[str, Opening, Judgement]] = [
    ("no cursor: the floor", snapshot(), FLOOR),
    ("the stored cursor", snapshot(cursor=15, cursor_chain=CURSOR), Judgement(15, CURSOR)),
    ("at the floor", snapshot(cursor=10, cursor_chain=FLOOR_CHAIN), FLOOR),
    ("below the floor", snapshot(cursor=4), Judgement(10, FLOOR_CHAIN, missing=(5, 10))),
    ("one in an older epoch only", snapshot(cursor_outdated=True), EPOCH_RESET),
    ("above the head: the log lost entries", snapshot(cursor=25), AHEAD_RESET),
]


@pytest.mark.parametrize(("_name", "position", "opening", "verdict"), STATED)
def test_a_stated_position_is_judged_by_the_first_rule_that_applies(
    _name: str, position: Position | None, opening: Opening, verdict: Judgement
) -> None:
    assert judge(position, False, opening, DEVICE) == verdict


@pytest.mark.parametrize(("_name", "opening", "verdict"), CURSOR_HELLO)
def test_a_hello_for_the_cursor_is_judged_by_the_stored_one(
    _name: str, opening: Opening, verdict: Judgement
) -> None:
    assert judge(None, True, opening, DEVICE) == verdict


@pytest.mark.parametrize("scope", [PLATFORM, ACCOUNT])
@pytest.mark.parametrize(("_name", "position", "opening", "verdict"), STATED)
def test_a_wrong_scope_changes_the_start_of_a_welcome_alone(
    scope: CursorScope,
    _name: str,
    position: Position | None,
    opening: Opening,
    verdict: Judgement,
) -> None:
    shared = snapshot(stated_chain=opening.stated_chain, cursor=opening.cursor, cursor_chain=CURSOR)
    judged = judge(position, False, shared, scope)
    assert (judged.reason, judged.missing) == (verdict.reason, verdict.missing)
    if verdict.reason is None and verdict.missing is None:
        assert judged.start == max(verdict.start, opening.cursor or 0)
    else:
        assert judged == verdict


@pytest.mark.parametrize("scope", [PLATFORM, ACCOUNT])
def test_the_second_pc_misses_what_the_first_one_acknowledged(scope: CursorScope) -> None:
    shared = snapshot(stated_chain=None, cursor=20, cursor_chain=CURSOR)
    assert judge(None, False, shared, DEVICE) == FLOOR
    assert judge(None, False, shared, scope) == Judgement(20, CURSOR)


@pytest.mark.parametrize(
    ("scope", "stated", "stored", "floor", "after"),
    [
        (DEVICE, None, None, 3, 3),
        (DEVICE, None, 9, 3, 3),
        (DEVICE, 5, None, 3, 5),
        (DEVICE, 5, 9, 3, 5),
        (DEVICE, 9, 5, 3, 9),
        (PLATFORM, None, None, 3, 3),
        (PLATFORM, None, 9, 3, 9),
        (PLATFORM, None, 1, 3, 3),
        (PLATFORM, 5, 9, 3, 9),
        (PLATFORM, 9, 5, 3, 9),
        (ACCOUNT, None, None, 0, 0),
        (ACCOUNT, None, 9, 3, 9),
        (ACCOUNT, 5, 9, 3, 9),
        (ACCOUNT, 9, 5, 3, 9),
    ],
)
def test_start(
    scope: CursorScope, stated: int | None, stored: int | None, floor: int, after: int
) -> None:
    assert start(scope, stated, stored, floor) == after
