"""The header of an entry: everything but its body, packed once, read again only where it is asked
what an entry is: the target of an edit, a recall or a read mark, a check, an export.

A header is the MessagePack array of an Entry up to, not including, its last field; followed by the
body it is the entry as it crosses the wire (wire/frames.py).
"""

from __future__ import annotations

import msgspec

from syncd.model import AccountId, ConversationId, DeviceId, Identity

_ENTRY_START = b"\x98"
"""MessagePack's marker of an array of eight: the fields of an entry."""
_HEADING_START = b"\x97"

ERASED = b"\xc0"
"""The body of an entry whose body was erased: MessagePack's nil."""


class Heading(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fields of an entry but its body."""

    kind: int
    conversation: ConversationId
    account: AccountId
    device: DeviceId
    number: int
    target: Identity | None
    time: int

    @property
    def identity(self) -> Identity:
        """(device, number): which message this is, in every log."""
        return Identity(self.device, self.number)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Heading).decode


def pack(heading: Heading) -> bytes:
    """The header. Packed as an array of seven, whose first byte then announces the body, too."""
    return _ENTRY_START + _encode(heading)[1:]


def unpack(header: bytes) -> Heading:
    """What a header says. Raises ValueError where it is none: then the store is damaged."""
    if header[:1] != _ENTRY_START:
        raise ValueError("no header of an entry")
    return _decode(_HEADING_START + header[1:])
