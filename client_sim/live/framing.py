"""Where the frames of a WebSocket begin (RFC 6455, section 5.2), seen from bytes that pass by."""

from __future__ import annotations

_HANDSHAKE_END = b"\r\n\r\n"
_MASKED, _LENGTH = 0x80, 0x7F
_LONGER = {126: 2, 127: 8}
"""What stands in the seven bits of the length, to the bytes in which the length stands instead."""


class Frames:
    """One direction of one connection: `count` frames have begun so far."""

    def __init__(self) -> None:
        self.count = 0
        self._handshake: bytes | None = b""
        self._header = bytearray()
        self._payload_left = 0

    def starts(self, data: bytes) -> list[int]:
        """The places in `data`, the next bytes of the direction, at which frames begin."""
        found: list[int] = []
        at = self._pass_handshake(data)
        while at < len(data):
            if self._payload_left:
                step = min(self._payload_left, len(data) - at)
                self._payload_left -= step
                at += step
                continue
            if not self._header:
                found.append(at)
                self.count += 1
            self._header.append(data[at])
            at += 1
            if (payload := _payload_of(self._header)) is not None:
                self._header.clear()
                self._payload_left = payload
        return found

    def _pass_handshake(self, data: bytes) -> int:
        """Where the first frame's bytes may stand; the HTTP request or answer ends before it."""
        if self._handshake is None:
            return 0
        seen = self._handshake + data
        end = seen.find(_HANDSHAKE_END)
        if end < 0:
            self._handshake = seen[-len(_HANDSHAKE_END) + 1 :]
            return len(data)
        at = end + len(_HANDSHAKE_END) - len(self._handshake)
        self._handshake = None
        return at


def _payload_of(header: bytearray) -> int | None:
    """How long the payload is, once the header is whole."""
    if len(header) < 2:
        return None
    length = header[1] & _LENGTH
    extended = _LONGER.get(length, 0)
    if len(header) < 2 + extended + (4 if header[1] & _MASKED else 0):
        return None
    return int.from_bytes(header[2 : 2 + extended], "big") if extended else length
