"""What a server says in the frames of RFC 6455: batches, and answers that wait for their echo."""

from __future__ import annotations

import asyncio
from typing import Protocol

from aiohttp import WSMsgType

from syncd.model import Page, Seq
from syncd.wire.codec import Codec

_FINAL = 0x80
_SHORT_MAX = 125
_TWO_BYTES, _EIGHT_BYTES = 126, 127


def framed(data: bytes, opcode: WSMsgType) -> bytes:
    """One whole message as one frame: unmasked, as servers write, and not compressed."""
    length = len(data)
    if length <= _SHORT_MAX:
        return bytes((_FINAL | opcode, length)) + data
    if length < 1 << 16:
        return bytes((_FINAL | opcode, _TWO_BYTES)) + length.to_bytes(2, "big") + data
    return bytes((_FINAL | opcode, _EIGHT_BYTES)) + length.to_bytes(8, "big") + data


class Batches:
    """Makes the frames of batches. The devices of an account, which are told one after the other,
    ask for the same page and get the same bytes."""

    def __init__(self) -> None:
        self._made: tuple[Codec, Seq, Page] | None = None
        self._frame = b""

    def frame(self, codec: Codec, prev: Seq, page: Page) -> bytes:
        """The frame of the batch that follows `prev` and holds the page's entries, at least one."""
        made = self._made
        if made is None or made[2] is not page or made[0] is not codec or made[1] != prev:
            batch = codec.batch(prev, page.to, page.entries, page.chain, page.head)
            self._frame = framed(batch, WSMsgType.BINARY if codec.binary else WSMsgType.TEXT)
            self._made = codec, prev, page
        return self._frame


class Line(Protocol):
    """Whoever holds something back."""

    def flush(self) -> None:
        """Write it, if it was not written meanwhile. Must not raise and must not wait."""


class Flushing:
    """Lines that hold something back, for two turns of the loop at most."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def add(self, line: Line) -> None:
        """Flush the line soon."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._lines.append(line)

    def _next_turn(self) -> None:
        # In this turn the reader asks for the echo. Where storage has it in memory, it leaves in
        # this turn, too, and takes the answer along: one packet costs half of two.
        lines, self._lines = self._lines, []
        asyncio.get_running_loop().call_soon(_flush, lines)


def _flush(lines: list[Line]) -> None:
    for line in lines:
        line.flush()
