"""The raw client counts from the heads of frames what the codec reads out of the whole."""

import msgspec
import pytest

from bench.peers.line import LineLost
from bench.peers.syncd_server import Device, frame, send_frames
from syncd.model import AccountId
from syncd.wire.codec import MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Send

CODEC = codec_for(MSGPACK_SUBPROTOCOL)
BATCH, HEARTBEAT, ANSWERS = 19, 20, 21


def served(*fields: object) -> bytes:
    """A WebSocket message as a server sends it: not masked."""
    payload = msgspec.msgpack.encode(fields)
    size = len(payload)
    if size < 126:
        return bytes((0x82, size)) + payload
    if size < 65_536:
        return b"\x82\x7e" + size.to_bytes(2, "big") + payload
    return b"\x82\x7f" + size.to_bytes(8, "big") + payload


def entries(count: int) -> list[object]:
    return [[1, "a~b", "a", "0" * 24, 7, None, 1, bytes(120)]] * count


def answers(count: int, refused: int = 0) -> bytes:
    accepted = [[number, number, False] for number in range(1, count + 1)]
    return served(ANSWERS, accepted, [[number, 3] for number in range(1, refused + 1)])


STREAM = b"".join(
    (
        served(BATCH, 0, 3, entries(3), bytes(8), 300),
        served(HEARTBEAT, bytes(8), 300, 3, 0),
        answers(5),
        answers(200),
        served(BATCH, 3, 300, entries(297), bytes(8), 300),
        served(BATCH, 300, 70_000, entries(600), bytes(8), 70_000),
    )
)
COUNTS = [(BATCH, 70_000), (ANSWERS, 205)]


@pytest.mark.parametrize(("counted", "expected"), COUNTS)
@pytest.mark.parametrize("size", [1, 7, 1_000, len(STREAM)])
def test_however_the_stream_is_cut_the_count_is_the_same(
    counted: int, expected: int, size: int
) -> None:
    device = Device(counted)
    pieces = (STREAM[start : start + size] for start in range(0, len(STREAM), size))
    assert sum(device.take(piece) for piece in pieces) == expected


async def test_a_refusal_is_no_answer() -> None:
    device = Device(ANSWERS)
    device.take(answers(3, refused=1))
    with pytest.raises(LineLost, match="refused"):
        await device.until(4)


def test_prepared_frames_are_what_a_client_may_send() -> None:
    chunks = send_frames(AccountId("a"), [AccountId(f"r{place}") for place in range(700)])
    numbers: list[int] = []
    for data, count in chunks:
        assert data[0] == 0x82
        assert data[1] & 0x80, "masked"
        sent = CODEC.decode_client(data[8:])
        assert isinstance(sent, Send)
        assert len(sent.messages) == count
        numbers += [message.number for message in sent.messages]
    assert numbers == list(range(1, 701))


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_the_head_of_a_frame_says_its_length(size: int) -> None:
    data = frame(bytes(size))
    short = data[1] & 0x7F
    wide = {126: 2, 127: 8}.get(short, 0)
    assert size == (int.from_bytes(data[2 : 2 + wide], "big") if wide else short)
    assert len(data) == 2 + wide + 4 + size
