"""A header says what it was packed from; with a body behind it it is an entry; junk is neither."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import limits
from syncd.heading import ERASED, Heading, pack, unpack
from syncd.model import AccountId, ConversationId, DeviceId, Identity, Kind, direct
from syncd.wire.codec import pack_entry
from syncd.wire.frames import Entry, Message

devices = st.text("0123456789abcdef", min_size=24, max_size=24).map(DeviceId)
numbers = st.integers(1, limits.INTEGER_MAX)
headings = st.builds(
    Heading,
    st.integers(0, 255),
    st.text(min_size=1, max_size=129).map(ConversationId),
    st.text(min_size=1, max_size=64).map(AccountId),
    devices,
    numbers,
    st.none() | st.builds(Identity, devices, numbers),
    st.integers(0, limits.INTEGER_MAX),
)
DEVICE = DeviceId("0123456789abcdef01234567")
ONE = Heading(1, direct(AccountId("a"), AccountId("b")), AccountId("a"), DEVICE, 7, None, 1000)


@given(headings)
def test_what_was_packed_is_unpacked(heading: Heading) -> None:
    assert unpack(pack(heading)) == heading
    assert heading.identity == Identity(heading.device, heading.number)


@given(headings, st.binary(max_size=300))
def test_a_header_and_a_body_are_an_entry(heading: Heading, body: bytes) -> None:
    entry = msgspec.msgpack.decode(pack(heading) + msgspec.msgpack.encode(body), type=Entry)
    assert (entry.kind, entry.device, entry.number) == (
        heading.kind,
        heading.device,
        heading.number,
    )
    assert (entry.target, entry.body) == (heading.target, body)


def test_a_header_and_the_marker_of_an_erased_body_are_an_entry() -> None:
    assert msgspec.msgpack.decode(pack(ONE) + ERASED, type=Entry).body is None


def test_no_body_is_the_marker_of_an_erased_one() -> None:
    for body in (b"", b"\xc0", b"nil"):
        made = pack_entry(
            Message(1, Kind.MESSAGE, ONE.conversation, None, body), ONE.account, DEVICE, 0
        )
        assert made.body != ERASED


def test_the_codec_packs_this_header() -> None:
    message = Message(7, Kind.MESSAGE, ONE.conversation, None, b"hello")
    assert pack_entry(message, ONE.account, DEVICE, 1000).header == pack(ONE)


@pytest.mark.parametrize("cut", range(len(pack(ONE))))
def test_a_header_that_is_cut_is_none(cut: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack(pack(ONE)[:cut])


@given(st.binary(max_size=100))
def test_junk_is_a_value_error_and_nothing_else(junk: bytes) -> None:
    for header in (junk, b"\x98" + junk, pack(ONE) + junk + b"\0"):
        with pytest.raises(ValueError, match=r"."):
            unpack(header)
