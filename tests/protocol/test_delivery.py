"""What is read next, and what a page and an ack are worth: level-triggered, one read at a time."""

import pytest

from syncd.limits import ENTRY_BYTES_MAX, WINDOW_BYTES_MIN
from syncd.model import Chain, Page, ReadRequest, Seq
from syncd.protocol.delivery import Delivery
from syncd.protocol.verdict import Judgement, Reason
from syncd.protocol.window import AckJudgement
from tests.drafts import ALICE, EPOCH, OTHER_EPOCH, page

PLACE = Judgement(0, Chain(bytes(8)))


def begun(head: Seq, start: Seq = 0) -> Delivery:
    delivery = Delivery(WINDOW_BYTES_MIN)
    delivery.begin(Judgement(start, Chain(bytes(8))), EPOCH, 0, head)
    return delivery


def test_nothing_is_read_where_nothing_can_be() -> None:
    assert begun(0).next_read(ALICE) is None
    assert begun(7, start=7).next_read(ALICE) is None


def test_what_the_verdict_promised_is_read_at_once() -> None:
    assert begun(7, start=3).next_read(ALICE) == ReadRequest(ALICE, 3, WINDOW_BYTES_MIN)


def test_one_read_is_under_way_at_most() -> None:
    delivery = begun(7)
    assert delivery.next_read(ALICE) is not None
    delivery.wake()
    assert delivery.next_read(ALICE) is None


def test_a_wake_during_a_read_is_not_lost() -> None:
    delivery = begun(2)
    delivery.next_read(ALICE)
    delivery.wake()
    assert delivery.changed(page(0, 2, 2)) is None
    assert delivery.take(page(0, 2, 2)) == 0
    assert delivery.next_read(ALICE) == ReadRequest(ALICE, 2, delivery.window.room())


def test_many_wakes_are_one_look() -> None:
    delivery = begun(0)
    delivery.wake()
    delivery.wake()
    assert delivery.next_read(ALICE) is not None
    assert delivery.changed(page(0, 0, 0)) is None
    assert delivery.take(page(0, 0, 0)) is None
    assert delivery.next_read(ALICE) is None


def test_a_head_above_the_page_is_read_on() -> None:
    delivery = begun(2)
    delivery.next_read(ALICE)
    found = page(0, 1, 9)
    assert delivery.changed(found) is None
    delivery.take(found)
    assert delivery.next_read(ALICE) == ReadRequest(ALICE, 1, delivery.window.room())


def test_a_full_window_stops_the_reading_until_an_ack() -> None:
    delivery = begun(9)
    delivery.next_read(ALICE)
    full = page(0, 2, 9, body=bytes(ENTRY_BYTES_MAX - 1500))
    assert delivery.changed(full) is None
    delivery.take(full)
    delivery.wake()
    assert delivery.next_read(ALICE) is None
    assert delivery.ack(EPOCH, 2) is AckJudgement.TAKEN
    assert delivery.next_read(ALICE) == ReadRequest(ALICE, 2, WINDOW_BYTES_MIN)


@pytest.mark.parametrize(
    ("found", "reason", "missing"),
    [
        (page(2, 2, 5, epoch=OTHER_EPOCH), Reason.EPOCH, None),
        (page(0, 0, 1), Reason.AHEAD, None),
        (page(2, 2, 8, floor=6), None, (3, 6)),
        (page(2, 2, 3, floor=3), None, (3, 3)),
    ],
)
def test_a_page_of_a_changed_log_brings_a_new_verdict(
    found: Page, reason: Reason | None, missing: tuple[int, int] | None
) -> None:
    delivery = begun(5, start=2)
    delivery.next_read(ALICE)
    assert delivery.changed(found) == Judgement(found.floor, found.floor_chain, reason, missing)


def test_a_floor_at_the_place_is_no_change() -> None:
    delivery = begun(5, start=3)
    delivery.next_read(ALICE)
    assert delivery.changed(page(3, 5, 5, floor=3)) is None


def test_a_new_place_starts_with_an_empty_window() -> None:
    delivery = begun(9)
    delivery.next_read(ALICE)
    full = page(0, 2, 9, body=bytes(ENTRY_BYTES_MAX - 1500))
    delivery.changed(full)
    delivery.take(full)
    delivery.begin(Judgement(6, Chain(bytes(8)), missing=(3, 6)), EPOCH, 6, 9)
    assert delivery.window.outstanding() == 0
    assert delivery.next_read(ALICE) == ReadRequest(ALICE, 6, WINDOW_BYTES_MIN)


def test_an_ack_of_another_epoch_is_ignored() -> None:
    assert begun(5).ack(OTHER_EPOCH, 99) is None


def test_acks_are_judged_by_the_window() -> None:
    delivery = begun(5, start=3)
    assert delivery.ack(EPOCH, 2) is AckJudgement.BACKWARDS
    assert delivery.ack(EPOCH, 3) is AckJudgement.TAKEN
    assert delivery.ack(EPOCH, 4) is AckJudgement.BEYOND_SENT


def test_a_late_ack_belongs_to_the_place_before() -> None:
    delivery = begun(9)
    delivery.next_read(ALICE)
    delivery.changed(page(0, 2, 9))
    delivery.take(page(0, 2, 9))
    delivery.begin(Judgement(6, Chain(bytes(8)), missing=(3, 6)), EPOCH, 6, 9)
    assert delivery.ack(EPOCH, 2) is None
    assert delivery.window.acked == 6
    assert delivery.ack(EPOCH, 6) is AckJudgement.TAKEN
    assert delivery.ack(EPOCH, 7) is AckJudgement.BEYOND_SENT
