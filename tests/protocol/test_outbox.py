"""The outbox: number order, the 1,024, frame sizes, and what counts as an answer."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.limits import BODY_BYTES_MAX, CLIENT_FRAME_BYTES_MAX, UNANSWERED_MESSAGES_MAX
from syncd.model import AccountId, ConversationId, DeviceId, Identity
from syncd.protocol.client_events import Echo
from syncd.protocol.outbox import Outbox, message_of, size_in_frame
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Entry, Message, Send

OWN, OTHER = DeviceId("0" * 24), DeviceId("f" * 24)


def message(number: int, body: bytes = b"") -> Message:
    return Message(number, 1, ConversationId("a~b"), None, body)


def entry(number: int, device: DeviceId = OWN, body: bytes = b"") -> Entry:
    return Entry(1, ConversationId("a~b"), AccountId("a"), device, number, None, 0, body)


def numbers(frames: list[Send]) -> list[int]:
    return [each.number for frame in frames for each in frame.messages]


def test_sends_go_in_number_order_and_once() -> None:
    outbox = Outbox()
    outbox.replace([message(3), message(5)], [])
    outbox.add([message(6)])
    assert numbers(outbox.take_frames()) == [3, 5, 6]
    assert outbox.take_frames() == []


def test_never_more_than_1024_without_an_answer() -> None:
    outbox = Outbox()
    outbox.replace([message(number) for number in range(1, 2000)], [])
    assert len(numbers(outbox.take_frames())) == UNANSWERED_MESSAGES_MAX
    outbox.answer(1, True)
    outbox.answer(2, False)
    assert numbers(outbox.take_frames()) == [1025, 1026]


def test_the_bound_is_a_span_of_numbers_not_a_count() -> None:
    outbox = Outbox()
    outbox.replace([message(number) for number in (1, 2, 1024, 1025, 1026, 3000)], [])
    assert numbers(outbox.take_frames()) == [1, 2, 1024]
    outbox.answer(2, True)
    assert outbox.take_frames() == [], "1 is the oldest without an answer"
    outbox.answer(1, True)
    assert numbers(outbox.take_frames()) == [1025, 1026]
    for number in (1024, 1025, 1026):
        assert outbox.take_frames() == []
        outbox.answer(number, False)
    assert numbers(outbox.take_frames()) == [3000]


def test_the_bound_holds_over_a_verdict_and_starts_anew_with_a_socket() -> None:
    outbox = Outbox()
    outbox.replace([message(1), message(2)], [])
    outbox.take_frames()
    outbox.answer(1, True)
    outbox.replace([message(number) for number in (2, 1025, 1026)], [1])
    assert numbers(outbox.take_frames()) == [1025]
    outbox.end_session()
    outbox.replace([message(1026)], [])
    assert numbers(outbox.take_frames()) == [1026]


def test_an_echo_answers_but_frees_no_place() -> None:
    outbox = Outbox()
    outbox.replace([message(number) for number in range(1, 1026)], [])
    outbox.take_frames()
    assert outbox.echo(1)
    assert outbox.take_frames() == []
    assert not outbox.answer(1, True), "the answer after the echo is no news"
    assert numbers(outbox.take_frames()) == [1025]


def test_an_echo_after_the_answer_is_no_news() -> None:
    outbox = Outbox()
    outbox.replace([message(1)], [2])
    outbox.take_frames()
    assert outbox.answer(1, True)
    assert not outbox.echo(1)
    assert not outbox.echo(2)
    assert not outbox.echo(3)


def test_what_came_back_before_its_turn_is_not_sent() -> None:
    outbox = Outbox()
    outbox.replace([message(1), message(2)], [])
    assert outbox.echo(1)
    assert numbers(outbox.take_frames()) == [2]


def test_echoes_are_found_by_device_and_number() -> None:
    outbox = Outbox()
    assert outbox.find_echoes((entry(1),), 10, OWN) == ()
    outbox.replace([message(1)], [2])
    found = outbox.find_echoes((entry(1, OTHER), entry(2), entry(9), entry(1)), 10, OWN)
    assert found == (Echo(2, 12), Echo(1, 14))


def test_an_echo_of_an_unanswered_message_has_its_content() -> None:
    outbox = Outbox()
    outbox.replace([message(1, b"mine"), message(2, b"mine")], [3])
    other, mine = entry(1, OWN, b"another"), entry(1, OWN, b"mine")
    assert outbox.find_echoes((other, entry(3, OWN, b"anything")), 0, OWN) == (Echo(3, 2),)
    assert outbox.find_echoes((mine,), 0, OWN) == (Echo(1, 1),)
    outbox.take_frames()
    outbox.answer(1, True)
    assert outbox.find_echoes((other,), 0, OWN) == (Echo(1, 1),), "accepted: identity suffices"
    outbox.answer(2, False)
    assert outbox.find_echoes((entry(2),), 0, OWN) == ()


@pytest.mark.parametrize(
    "changes", [{"kind": 2}, {"conversation": "a~c"}, {"target": Identity(OTHER, 1)}]
)
def test_content_is_more_than_the_body(changes: dict[str, Any]) -> None:
    outbox = Outbox()
    outbox.replace([message(1)], [])
    assert outbox.find_echoes((msgspec.structs.replace(entry(1), **changes),), 0, OWN) == ()


def test_an_entry_is_the_message_that_it_was() -> None:
    assert message_of(entry(3, OWN, b"hello")) == message(3, b"hello")


def test_a_message_without_an_echo_to_come_is_no_longer_looked_for() -> None:
    outbox = Outbox()
    outbox.replace([message(1), message(2)], [])
    outbox.take_frames()
    outbox.answer(1, False)
    outbox.answer(2, True)
    assert outbox.find_echoes((entry(1), entry(2)), 0, OWN) == (Echo(2, 2),)


def test_a_verdict_during_a_session_sends_nothing_twice() -> None:
    outbox = Outbox()
    outbox.replace([message(4), message(5)], [])
    outbox.take_frames()
    outbox.replace([message(4), message(5), message(6)], [])
    assert outbox.in_order()
    assert numbers(outbox.take_frames()) == [6]


def test_an_earlier_message_that_is_put_back_needs_a_new_socket() -> None:
    outbox = Outbox()
    outbox.replace([message(4)], [])
    outbox.take_frames()
    outbox.replace([message(3), message(4)], [])
    assert not outbox.in_order()
    outbox.end_session()
    outbox.replace([message(3), message(4)], [])
    assert outbox.in_order()
    assert numbers(outbox.take_frames()) == [3, 4]


@given(st.lists(st.integers(0, BODY_BYTES_MAX), max_size=12), st.text(min_size=1, max_size=129))
def test_every_frame_fits_in_every_encoding(sizes: list[int], name: str) -> None:
    outbox = Outbox()
    messages = [
        Message(number, 1, ConversationId(name), None, bytes(size))
        for number, size in enumerate(sizes, 1)
    ]
    outbox.replace(messages, [])
    frames = outbox.take_frames()
    assert [each for frame in frames for each in frame.messages] == messages
    for frame in frames:
        for subprotocol in (MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL):
            assert len(codec_for(subprotocol).encode(frame)) <= CLIENT_FRAME_BYTES_MAX


def test_the_largest_message_fits_alone() -> None:
    largest = Message(2**53 - 1, 255, ConversationId("\x01" * 129), None, bytes(BODY_BYTES_MAX))
    assert size_in_frame(largest) < CLIENT_FRAME_BYTES_MAX
