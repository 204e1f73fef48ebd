"""Both codecs: every frame survives the trip, everything else is Malformed, and quickly so."""

import struct
import time
import tracemalloc

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd import limits
from syncd.chain import hash_of
from syncd.errors import MALFORMED_FRAME
from syncd.heading import ERASED
from syncd.model import Identity
from syncd.wire.codec import (
    JSON_SUBPROTOCOL,
    MSGPACK_SUBPROTOCOL,
    SUBPROTOCOLS,
    Codec,
    Malformed,
    codec_for,
    content_of,
    pack_entry,
    unpack_entries,
)
from syncd.wire.frames import (
    Ack,
    Batch,
    Entry,
    Frame,
    Heartbeat,
    Hello,
    Message,
    Reset,
    Send,
    Truncated,
    Welcome,
)
from tests.wire.drawn import BY_CLASS, CLIENT, any_frame, entries

BINARY, TEXT = codec_for(MSGPACK_SUBPROTOCOL), codec_for(JSON_SUBPROTOCOL)
EPOCH, CHAIN = b"e" * 8, b"c" * 8
DEVICE = "d" * 24
BOMB_SECONDS_MAX = 2.0  # each takes milliseconds; the rest is for a busy machine

each_codec = pytest.mark.parametrize("codec", [BINARY, TEXT], ids=SUBPROTOCOLS)
each_class = pytest.mark.parametrize("kind", BY_CLASS)


def trip(codec: Codec, frame: Frame) -> Frame:
    data = codec.encode(frame)
    return codec.decode_client(data) if type(frame) in CLIENT else codec.decode_server(data)


# ---------------------------------------------------------------- what is a frame


def test_subprotocols_name_their_codecs() -> None:
    assert SUBPROTOCOLS == ("syncd.v1.msgpack", "syncd.v1.json")
    assert [codec_for(name).subprotocol for name in SUBPROTOCOLS] == list(SUBPROTOCOLS)
    assert [codec_for(name).binary for name in SUBPROTOCOLS] == [True, False]


@each_codec
@each_class
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_round_trip(codec: Codec, kind: type, data: st.DataObject) -> None:
    frame = data.draw(BY_CLASS[kind])
    assert trip(codec, frame) == frame


@each_codec
@settings(max_examples=200, deadline=None)
@given(frame=any_frame)
def test_sides_are_not_mixed_up(codec: Codec, frame: Frame) -> None:
    wrong = codec.decode_server if type(frame) in CLIENT else codec.decode_client
    with pytest.raises(Malformed):
        wrong(codec.encode(frame))


@each_codec
@settings(max_examples=100, deadline=None)
@given(drawn=st.lists(entries, max_size=20), prev=st.integers(0, 2**50), head=st.integers(0, 2**50))
def test_a_batch_of_stored_entries_is_the_batch_frame(
    codec: Codec, drawn: list[Entry], prev: int, head: int
) -> None:
    records = [stored(entry) for entry in drawn]
    to = prev + len(drawn)
    expected = codec.encode(Batch(prev, to, tuple(drawn), CHAIN, head))
    assert codec.batch(prev, to, b"".join(records), CHAIN, head) == expected


@each_codec
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 65_535, 65_536])
def test_a_batch_may_have_any_length(codec: Codec, count: int) -> None:
    entry = Entry(1, "a~b", "a", DEVICE, 1, None, 0, b"")
    expected = codec.encode(Batch(0, count, (entry,) * count, CHAIN, count))
    assert codec.batch(0, count, stored(entry) * count, CHAIN, count) == expected


def stored(entry: Entry) -> bytes:
    body = b"" if entry.body is None else entry.body
    message = Message(entry.number, entry.kind, entry.conversation, entry.target, body)
    record = pack_entry(message, entry.account, entry.device, entry.time)
    return record.header + (ERASED if entry.body is None else record.body)


@settings(max_examples=100, deadline=None)
@given(drawn=st.lists(entries, max_size=20))
def test_stored_entries_unpack_again(drawn: list[Entry]) -> None:
    assert unpack_entries(len(drawn), b"".join(map(stored, drawn))) == tuple(drawn)


def test_an_entry_ends_its_header_before_the_body() -> None:
    message = Message(5, 1, "a~b", Identity(DEVICE, 4), b"body")
    record = pack_entry(message, "a", DEVICE, 99)
    expected = [1, "a~b", "a", DEVICE, 5, [DEVICE, 4], 99, b"body"]
    assert msgpack.unpackb(record.header + record.body) == expected
    assert msgpack.unpackb(record.body) == b"body"
    assert record.body_hash == hash_of(record.body)


def test_content_is_all_that_the_sender_decided_but_the_number() -> None:
    message = Message(5, 1, "a~b", None, b"body")
    others = [
        Message(5, 2, "a~b", None, b"body"),
        Message(5, 1, "a~c", None, b"body"),
        Message(5, 1, "a~b", Identity(DEVICE, 4), b"body"),
        Message(5, 1, "a~b", None, b"Body"),
    ]

    def content(each: Message) -> bytes:
        return content_of(each, pack_entry(each, "a", DEVICE, 99))

    assert len(content(message)) == 16
    assert content(message) == content(Message(6, 1, "a~b", None, b"body"))
    assert len({content(each) for each in [message, *others]}) == 5


def test_the_largest_message_fits_a_frame_in_both_encodings() -> None:
    message = Message(
        limits.INTEGER_MAX,
        255,
        "x" * limits.CONVERSATION_CHARACTERS_MAX,
        Identity(DEVICE, limits.INTEGER_MAX),
        bytes(limits.BODY_BYTES_MAX),
    )
    for codec in (BINARY, TEXT):
        assert len(codec.encode(Send((message,)))) <= limits.CLIENT_FRAME_BYTES_MAX


def test_the_fullest_batch_fits_a_server_frame_in_both_encodings() -> None:
    smallest = stored(Entry(1, "a", "a", "d" * 24, 1, None, 0, b""))
    count = limits.BATCH_BYTES_MAX // len(smallest)
    for codec in (BINARY, TEXT):
        data = codec.batch(0, count, smallest * count, CHAIN, count)
        assert len(data) <= limits.SERVER_FRAME_BYTES_MAX


# ---------------------------------------------------------------- what is none

ACK = [2, EPOCH, 5]
HELLO = [1, "token", "0" * 16, None, False, 65_536]
MESSAGE = [1, 1, "a~b", None, b""]


def packed(tree: object) -> bytes:
    return msgpack.packb(tree)


def ack_with(seq: bytes) -> bytes:
    return b"\x93\x02" + packed(EPOCH) + seq


NOT_FROM_A_CLIENT = {
    "nothing": b"",
    "reserved byte": b"\xc1",
    "reserved byte inside": ack_with(b"\xc1"),
    "truncated": packed(ACK)[:-1],
    "trailing byte": packed(ACK) + b"\x00",
    "trailing frame": packed(ACK) * 2,
    "trailing reserved byte": packed(ACK) + b"\xc1",
    "unknown tag": packed([99, 1]),
    "a server's tag": packed([20, EPOCH, 5, 5]),
    "tag as float": b"\x93" + struct.pack(">Bd", 0xCB, 2.0) + packed(EPOCH) + b"\x05",
    "tag as bool": b"\x93\xc3" + packed(EPOCH) + b"\x05",
    "tag as name": packed(["ack", EPOCH, 5]),
    "tag missing": packed([]),
    "field missing": packed([2, EPOCH]),
    "field too many": packed([*ACK, 1]),
    "reserved byte as field too many": b"\x94" + packed(ACK)[1:] + b"\xc1",
    "map instead of array": packed({0: 2, 1: EPOCH, 2: 5}),
    "map with doubled keys": b"\x82\xa2op\x01\xa2op\x02",
    "null": packed(None),
    "extension": packed([2, msgpack.ExtType(5, EPOCH), 5]),
    "extension as frame": packed(msgpack.ExtType(5, EPOCH)),
    "timestamp": packed([2, EPOCH, msgpack.Timestamp(5, 0)]),
    "float": packed([2, EPOCH, 5.0]),
    "minus zero": packed([2, EPOCH, -0.0]),
    "not a number": packed([2, EPOCH, float("nan")]),
    "infinity": packed([2, EPOCH, float("inf")]),
    "bool": packed([2, EPOCH, True]),
    "null for integer": packed([2, EPOCH, None]),
    "text for integer": packed([2, EPOCH, "5"]),
    "negative": packed([2, EPOCH, -1]),
    "least integer": packed([2, EPOCH, -(2**63)]),
    "above 2^53-1": packed([2, EPOCH, 2**53]),
    "largest integer": packed([2, EPOCH, 2**64 - 1]),
    "integer for bool": packed([*HELLO[:4], 0, 65_536]),
    "text for bytes": packed([2, "e" * 8, 5]),
    "bytes for text": packed([1, b"token", *HELLO[2:]]),
    "text not UTF-8": packed(HELLO).replace(b"token", b"tok\xff\xfe"),
    "lone surrogate": packed(HELLO).replace(b"token", b"to\xed\xa0\x80"),
    "overlong UTF-8": packed(HELLO).replace(b"token", b"tok\xc0\x80"),
    "short epoch": packed([2, b"e" * 7, 5]),
    "long epoch": packed([2, b"e" * 9, 5]),
    "no token": packed([1, "", *HELLO[2:]]),
    "long token": packed([1, "x" * 4097, *HELLO[2:]]),
    "instance in upper case": packed([1, "t", "A" * 16, *HELLO[3:]]),
    "instance with line end": packed([1, "t", "0" * 16 + "\n", *HELLO[3:]]),
    "instance too short": packed([1, "t", "0" * 15, *HELLO[3:]]),
    "instance of other digits": packed([1, "t", "\u0660" * 16, *HELLO[3:]]),
    "window too small": packed([*HELLO[:5], 65_535]),
    "window too large": packed([*HELLO[:5], 4_194_305]),
    "position with a part missing": packed([*HELLO[:3], [EPOCH, 5], False, 65_536]),
    "position with a part too many": packed([*HELLO[:3], [EPOCH, 5, CHAIN, 1], False, 65_536]),
    "no messages": packed([3, []]),
    "too many messages": packed([3, [MESSAGE] * 1025]),
    "message number zero": packed([3, [[0, *MESSAGE[1:]]]]),
    "kind too large": packed([3, [[1, 256, *MESSAGE[2:]]]]),
    "no conversation": packed([3, [[1, 1, "", None, b""]]]),
    "long conversation": packed([3, [[1, 1, "x" * 130, None, b""]]]),
    "long device in target": packed([3, [[1, 1, "a", ["d" * 25, 1], b""]]]),
    "null for a message's body": packed([3, [[*MESSAGE[:4], None]]]),
    "signal with a body too long": packed([4, "a~b", 1, bytes(257)]),
    "signal with a field too many": packed([4, "a~b", 1, b"", 1]),
    "signal without a conversation": packed([4, "", 1, b""]),
    "signal's kind too large": packed([4, "a~b", 256, b""]),
    "message with a field too many": packed([3, [[*MESSAGE, 1]]]),
}

BOMBS = {
    "depth": b"\x91" * limits.CLIENT_FRAME_BYTES_MAX,
    "depth inside": b"\x92\x03" + b"\x91" * 65_000,
    "depth of maps": b"\x81\x01" * 32_000,
    "array of 2^32-1": b"\xdd\xff\xff\xff\xff",
    "messages of 2^32-1": b"\x92\x03\xdd\xff\xff\xff\xff",
    "map of 2^32-1": b"\xdf\xff\xff\xff\xff",
    "text of 2^32-1": b"\x96\x01\xdb\xff\xff\xff\xff",
    "bytes of 2^32-1": b"\x93\x02\xc6\xff\xff\xff\xff",
    "extension of 2^32-1": b"\x93\x02\xc9\xff\xff\xff\xff\x01",
    "empty arrays": b"\xdc\xff\xff" + b"\x90" * 65_535,
    "empty maps": b"\xdc\xff\xff" + b"\x80" * 65_535,
    "empty arrays as messages": b"\x92\x03\xdc\x04\x00" + b"\x90" * 1024,
    "empty arrays side by side": b"\x90" * 65_536,
    "integer keys": packed({key << 32: 0 for key in range(7_000)}),
    "long shared keys": packed({"k" * 100 + str(key): 0 for key in range(600)}),
}


def refused(data: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        BINARY.decode_client(data)
    assert caught.value.refusal is MALFORMED_FRAME


def test_the_frames_that_the_bad_ones_come_from_are_good() -> None:
    assert BINARY.decode_client(packed(ACK)) == Ack(EPOCH, 5)
    assert BINARY.decode_client(packed(HELLO)) == Hello("token", "0" * 16, None, False, 65_536)
    assert BINARY.decode_client(packed([3, [MESSAGE]])) == Send((Message(1, 1, "a~b", None, b""),))


@pytest.mark.parametrize("name", NOT_FROM_A_CLIENT)
def test_what_is_no_frame_is_malformed(name: str) -> None:
    refused(NOT_FROM_A_CLIENT[name])


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_neither_time_nor_memory(name: str) -> None:
    tracemalloc.start()
    begin = time.perf_counter()
    try:
        refused(BOMBS[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - begin < BOMB_SECONDS_MAX
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "seq", [b"\x05", b"\xcc\x05", b"\xcd\x00\x05", b"\xcf" + bytes(7) + b"\x05"]
)
def test_integers_may_have_any_width(seq: bytes) -> None:
    assert BINARY.decode_client(ack_with(seq)) == Ack(EPOCH, 5)


def test_text_may_hold_any_character_that_utf8_can() -> None:
    token = "\x00\u202e\ufeffe\u0301\U0001f600"
    for codec in (BINARY, TEXT):
        assert trip(codec, Hello(token, "0" * 16, None, False, 65_536)).token == token


@pytest.mark.parametrize("extra", [1, None, "later", [[], {}], {"a": 1.5}])
def test_a_server_may_grow_fields_at_the_end(extra: object) -> None:
    heartbeat = Heartbeat(EPOCH, 7, 5, 3)
    assert BINARY.decode_server(packed([20, EPOCH, 7, 5, 3, extra])) == heartbeat
    grown_answers = packed([21, [[1, 2, False, extra]], [], extra])
    assert BINARY.decode_server(grown_answers).accepted[0].seq == 2


def test_what_a_server_grew_may_be_missing() -> None:
    assert BINARY.decode_server(packed([20, EPOCH, 7, 5])) == Heartbeat(EPOCH, 7, 5, 0)
    fields = ("alice", DEVICE, EPOCH, 0, 0, 0, CHAIN, 0, 0)
    for older, frame in (
        ([16, *fields], Welcome(*fields)),
        ([17, *fields, (1, 3)], Truncated(*fields, (1, 3))),
        ([18, *fields, "epoch"], Reset(*fields, "epoch")),
    ):
        assert BINARY.decode_server(packed(older)) == frame
        assert frame.aliases == ()


@pytest.mark.parametrize("extra", [b"\xc1", b"\xdd\xff\xff\xff\xff", b"", b"\x91" * 5_000])
def test_what_a_server_grows_must_be_messagepack(extra: bytes) -> None:
    with pytest.raises(Malformed):
        BINARY.decode_server(b"\x96" + packed([20, EPOCH, 7, 5, 3])[1:] + extra)


# ---------------------------------------------------------------- chance

trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=8)),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=30,
)


def is_frame_or_malformed(codec: Codec, data: bytes) -> None:
    for decode in (codec.decode_client, codec.decode_server):
        try:
            frame = decode(data)
        except Malformed:
            continue
        assert trip(codec, frame) == frame


@each_codec
@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_random_bytes(codec: Codec, data: bytes) -> None:
    is_frame_or_malformed(codec, data)


@settings(max_examples=150, deadline=None)
@given(tag=st.sampled_from([*range(1, 5), *range(16, 24)]), values=st.lists(trees, max_size=11))
def test_random_trees_behind_a_tag(tag: int, values: list[object]) -> None:
    is_frame_or_malformed(BINARY, packed([tag, *values]))


@each_codec
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_mutated_frames(codec: Codec, data: st.DataObject) -> None:
    spoiled = bytearray(codec.encode(data.draw(any_frame)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoiled)))
        until = data.draw(st.integers(at, min(len(spoiled), at + 4)))
        spoiled[at:until] = data.draw(st.binary(max_size=4))
    is_frame_or_malformed(codec, bytes(spoiled))
