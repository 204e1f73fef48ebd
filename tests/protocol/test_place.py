"""Places and acks: half a window, 100 ms, on close; and what follows the application."""

import pytest

from syncd.limits import ACK_DELAY_S, CURSOR_SAVE_DELAY_S, WINDOW_BYTES_MIN
from syncd.model import Chain, Epoch, Position
from syncd.protocol.place import Place
from syncd.wire.frames import Ack

EPOCH = Epoch(b"epoch-01")
HALF = WINDOW_BYTES_MIN // 2


def at(seq: int) -> Position:
    return Position(EPOCH, seq, Chain(seq.to_bytes(8, "big")))


@pytest.fixture(name="place")
def stored_place() -> Place:
    """A place whose acks follow the store."""
    place = Place(WINDOW_BYTES_MIN, follows_handed=False)
    place.restart(at(10), 10, 0)
    return place


@pytest.fixture(name="handing")
def handed_place() -> Place:
    """A place whose acks follow the application."""
    place = Place(WINDOW_BYTES_MIN, follows_handed=True)
    place.restart(at(10), 10, 0)
    return place


def test_nothing_stored_nothing_to_ack(place: Place) -> None:
    place.receive(at(12), HALF)
    assert place.ack(0.0) is None
    assert place.ack(None) is None
    assert place.ack_deadline() is None


def test_half_a_window_is_acked_at_once(place: Place) -> None:
    place.receive(at(12), HALF - 1)
    place.store(at(12), 1.0)
    assert place.ack(1.0) is None
    place.receive(at(13), 1)
    place.store(at(13), 1.0)
    assert place.ack(1.0) == Ack(EPOCH, 13)
    assert place.acked == 13
    assert place.ack(1.0) is None


def test_little_is_acked_after_a_while(place: Place) -> None:
    place.receive(at(11), 5)
    place.store(at(11), 1.0)
    assert place.ack_deadline() == 1.0 + ACK_DELAY_S
    place.receive(at(12), 5)
    place.store(at(12), 1.05)
    assert place.ack_deadline() == 1.0 + ACK_DELAY_S, "the first one counts"
    assert place.ack(1.0 + ACK_DELAY_S) == Ack(EPOCH, 12)


def test_on_close_everything_is_acked(place: Place) -> None:
    place.receive(at(11), 5)
    place.store(at(11), 1.0)
    assert place.ack(None) == Ack(EPOCH, 11)
    assert place.ack(None) is None


def test_with_a_memory_store_the_ack_follows_the_application(handing: Place) -> None:
    handing.receive(at(20), HALF)
    handing.store(at(20), 1.0)
    assert handing.ack(None) is None
    assert handing.statable() == at(10)
    handing.hand(0, 15, 2.0)
    assert handing.ack(2.0) is None, "no batch is free yet"
    assert handing.ack(2.0 + ACK_DELAY_S) == Ack(EPOCH, 15)
    assert handing.statable() == at(10), "a chain is known at the ends of batches only"
    handing.hand(0, 20, 3.0)
    assert handing.ack(3.0) == Ack(EPOCH, 20)
    assert handing.statable() == at(20)


def test_nothing_beyond_what_is_stored_is_acked(handing: Place) -> None:
    handing.receive(at(20), HALF)
    handing.hand(0, 20, 1.0)
    assert handing.ack(None) is None
    handing.store(at(20), 1.0)
    assert handing.ack(1.0) == Ack(EPOCH, 20)


def test_a_stored_place_is_statable_at_once(place: Place) -> None:
    place.receive(at(12), 1)
    assert place.statable() == at(10)
    place.store(at(12), 1.0)
    assert place.statable() == at(12)


def test_handing_goes_forward_within_one_era(place: Place) -> None:
    assert place.hand(0, 11, 1.0)
    assert not place.hand(0, 11, 1.0)
    assert not place.hand(1, 12, 1.0)
    assert place.handed == 11


def test_the_applications_place_is_saved_behind(place: Place) -> None:
    assert place.handed_deadline() is None
    place.hand(0, 11, 1.0)
    place.hand(0, 12, 1.5)
    assert place.handed_deadline() == 1.0 + CURSOR_SAVE_DELAY_S
    assert place.save_handed() == 12
    assert place.handed_deadline() is None


def test_a_verdict_starts_everything_anew(place: Place) -> None:
    place.receive(at(12), HALF)
    place.store(at(12), 1.0)
    place.restart(at(5), 5, 1)
    assert place.ack(None) is None
    assert (place.received, place.stored, place.acked) == (at(5), at(5), 5)
    assert place.handed == 5


def test_within_an_era_the_application_is_never_set_back(place: Place) -> None:
    place.hand(0, 12, 1.0)
    place.restart(at(10), 10, 0)
    assert place.handed == 12


def test_before_anything_is_known_nothing_is_stated() -> None:
    place = Place(WINDOW_BYTES_MIN, follows_handed=False)
    place.restart(None, 0, 0)
    assert place.statable() is None
    assert place.ack(None) is None
