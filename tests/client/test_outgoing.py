"""Whatever is handed in either reads back from the outbox and crosses the wire, or is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import errors, limits
from syncd.client.exceptions import SendRefused
from syncd.client.outgoing import body_of, conversation_of, kind_of, outgoing_of
from syncd.client.store import Outgoing, numbered
from syncd.model import Identity
from syncd.wire.frames import Message
from tests.protocol.client_plays import OWN

HALF = "\ud800"
ANYTHING = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.just(HALF),
    st.binary(max_size=5),
    st.integers(),
    st.floats(),
    st.lists(st.integers(), max_size=2),
    st.builds(Identity, st.sampled_from([OWN, "short", 7, HALF * len(OWN)]), st.integers()),
)
BODIES = st.binary(max_size=5)


@given(
    st.integers(0, 255) | ANYTHING,
    st.just("team") | ANYTHING,
    st.none() | st.just(Identity(OWN, 1)) | ANYTHING,
    BODIES | BODIES.map(bytearray) | BODIES.map(memoryview) | ANYTHING,
)
def test_it_is_sound_or_refused(kind: Any, conversation: Any, target: Any, body: Any) -> None:
    try:
        sent = outgoing_of(kind, conversation, target, body)
    except (TypeError, ValueError):
        return
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=Outgoing) == sent
    message = numbered(1, sent)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=Message) == message


def test_what_is_sound_is_kept() -> None:
    target = Identity(OWN, 1)
    assert outgoing_of(2, "team", target, b"new") == Outgoing(
        2, conversation_of("team"), target, b"new"
    )


def test_what_is_too_large_is_refused_as_the_server_would() -> None:
    with pytest.raises(SendRefused) as refused:
        outgoing_of(1, "team", None, bytes(limits.BODY_BYTES_MAX + 1))
    assert refused.value.refusal is errors.TOO_LARGE


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("a" * len(OWN), TypeError),
        ((OWN, 1), TypeError),
        (Identity(OWN, 0), ValueError),
        (Identity("short", 1), ValueError),
        (Identity(HALF * len(OWN), 1), ValueError),
        (Identity(OWN, object()), ValueError),
    ],
)
def test_a_target_is_the_identity_of_a_message(target: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="dentity"):
        outgoing_of(2, "team", target, b"new")


@pytest.mark.parametrize("conversation", ["", "a" * 1000, HALF])
def test_a_conversation_has_an_id_that_can_cross_the_wire(conversation: str) -> None:
    with pytest.raises(ValueError, match=r"no conversation|surrogates"):
        conversation_of(conversation)


def test_a_kind_is_one_byte() -> None:
    assert [kind_of(0), kind_of(255)] == [0, 255]
    with pytest.raises(ValueError, match="256"):
        kind_of(256)
    with pytest.raises(TypeError, match="str"):
        kind_of("edit")


def test_a_body_says_how_text_becomes_one() -> None:
    with pytest.raises(TypeError) as told:
        body_of("text")
    assert str(told.value) == 'body is bytes, not str: encode it ("text".encode())'
    with pytest.raises(TypeError, match="body is bytes, not int"):
        body_of(7)
    assert body_of(memoryview(b"text")[1:]) == b"ext"
