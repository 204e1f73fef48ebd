"""Frames are RFC 6455's, and what is held back leaves in the second turn of the loop."""

import asyncio

import pytest
from aiohttp import WSMsgType
from websockets.frames import Frame, Opcode

from syncd.model import Chain, Epoch, Page
from syncd.server.flushing import Batches, Flushing, framed
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for, pack_entry
from syncd.wire.frames import Message
from tests.drafts import ALICE, PHONE


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 1 << 20])
@pytest.mark.parametrize("opcode", [WSMsgType.TEXT, WSMsgType.BINARY])
def test_a_message_is_one_frame_as_another_library_writes_it(
    length: int, opcode: WSMsgType
) -> None:
    data = bytes(length)
    assert framed(data, opcode) == Frame(Opcode(opcode.value), data).serialize(mask=False)


def page_to(to: int) -> Page:
    return Page(Epoch(b"epoch  1"), 0, Chain(bytes(8)), to, to, Chain(bytes(8)), b"\x91\x01" * to)


def test_devices_of_one_account_get_the_same_bytes() -> None:
    batches, codec, page = Batches(), codec_for(MSGPACK_SUBPROTOCOL), page_to(2)
    made = batches.frame(codec, 0, page)
    payload = codec.batch(0, 2, page.entries, page.chain, page.head)
    assert made == Frame(Opcode.BINARY, payload).serialize(mask=False)
    assert batches.frame(codec, 0, page) is made


def test_another_page_place_or_encoding_gets_bytes_of_its_own() -> None:
    entry = pack_entry(Message(1, 1, "alice~bob", None, b"hello"), ALICE, PHONE, 0)
    one, other = (
        Page(Epoch(b"epoch  1"), 0, Chain(bytes(8)), 3, 3, Chain(chain), entry.header + entry.body)
        for chain in (bytes(8), b"another.")
    )
    binary, text = codec_for(MSGPACK_SUBPROTOCOL), codec_for(JSON_SUBPROTOCOL)
    asked = [(binary, 2, one), (text, 2, one), (binary, 2, one), (binary, 2, other)]
    batches = Batches()
    for codec, prev, page in asked:
        payload = codec.batch(prev, page.to, page.entries, page.chain, page.head)
        opcode = Opcode.BINARY if codec.binary else Opcode.TEXT
        made = batches.frame(codec, prev, page)
        assert made == Frame(opcode, payload).serialize(mask=False)
    double = Page(one.epoch, 0, one.chain, 3, 3, one.chain, 2 * one.entries)
    assert batches.frame(binary, 1, double) != batches.frame(binary, 2, double)


class Line:
    """Notes in which turn it was flushed."""

    def __init__(self, flushed: list[int]) -> None:
        self.turn = 0
        self.flushed = flushed

    def flush(self) -> None:
        self.flushed.append(self.turn)


async def test_every_line_is_held_for_one_whole_turn() -> None:
    flushing, flushed = Flushing(), list[int]()
    one, two, later = (Line(flushed) for _ in range(3))
    flushing.add(one)
    flushing.add(two)
    await asyncio.sleep(0)
    later.turn = 1
    flushing.add(later)
    assert flushed == []
    await asyncio.sleep(0)
    assert flushed == [0, 0]
    await asyncio.sleep(0)
    assert flushed == [0, 0, 1]
    flushing.add(one)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert flushed == [0, 0, 1, 0]
