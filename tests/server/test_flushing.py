"""Frames are RFC 6455's, and what is held back leaves in the second turn of the loop."""

import asyncio

import pytest
from aiohttp import WSMsgType
from websockets.frames import Frame, Opcode

from syncd.server.flushing import Flushing, framed


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536, 1 << 20])
@pytest.mark.parametrize("opcode", [WSMsgType.TEXT, WSMsgType.BINARY])
def test_a_message_is_one_frame_as_another_library_writes_it(
    length: int, opcode: WSMsgType
) -> None:
    data = bytes(length)
    assert framed(data, opcode) == Frame(Opcode(opcode.value), data).serialize(mask=False)


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
