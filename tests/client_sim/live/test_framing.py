"""Frames are counted where they begin, however their bytes are cut into pieces."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from client_sim.live.framing import Frames

HANDSHAKE = b"GET /v1/sync HTTP/1.1\r\nHost: here\r\n\r\n"


def wire(payloads: list[bytes], mask: bool) -> tuple[bytes, list[int]]:
    data, starts = HANDSHAKE, []
    for payload in payloads:
        starts.append(len(data))
        data += Frame(Opcode.BINARY, payload).serialize(mask=mask)
    return data, starts


@given(
    payloads=st.lists(st.sampled_from([b"", b"x", b"y" * 125, b"z" * 126, b"\r\n\r\n" * 20000])),
    mask=st.booleans(),
    data=st.data(),
)
def test_the_starts_are_where_the_library_put_them(
    payloads: list[bytes], mask: bool, data: st.DataObject
) -> None:
    stream, expected = wire(payloads, mask)
    cuts = data.draw(st.lists(st.integers(0, min(len(stream), 400))))
    edges = [0, *sorted(cuts), len(stream)]
    frames, found = Frames(), []
    for start, end in pairwise(edges):
        found += [start + each for each in frames.starts(stream[start:end])]
    assert found == expected
    assert frames.count == len(payloads)
