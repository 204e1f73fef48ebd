"""Bytes to frame and back, strictly: the only place that knows MessagePack and its JSON twin.

A codec is chosen by the WebSocket subprotocol and then does three things: `decode` what a peer
sent, `encode` a frame, and build a `batch` around entries that were encoded when they were
appended. The server never decodes an entry on its way from storage to a MessagePack socket.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol

import msgspec

from syncd.chain import hash_of
from syncd.errors import MALFORMED_FRAME, Refusal
from syncd.model import AccountId, Chain, DeviceId, Record, Seq
from syncd.wire import json_twin
from syncd.wire.frames import Batch, ClientFrame, Entry, Frame, Message, ServerFrame

MSGPACK_SUBPROTOCOL = "syncd.v1.msgpack"
JSON_SUBPROTOCOL = "syncd.v1.json"
SUBPROTOCOLS = (MSGPACK_SUBPROTOCOL, JSON_SUBPROTOCOL)
"""In the server's order of preference."""


class Malformed(Exception):
    """The peer's bytes are no frame. `refusal` is what it gets; the text is for logs only."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.refusal: Refusal = MALFORMED_FRAME


class Codec(Protocol):
    """One encoding of the protocol. Stateless: one instance serves all sockets."""

    subprotocol: str
    binary: bool
    """Whether frames travel as binary WebSocket messages (else as text)."""

    def encode(self, frame: Frame) -> bytes:
        """The bytes of one WebSocket message. For Batch on the server's side use `batch`."""

    def batch(self, prev: Seq, to: Seq, entries: bytes, chain: Chain, head: Seq) -> bytes:
        """The bytes of a Batch frame around the encoded entries prev+1 .. to."""

    def decode_client(self, data: bytes) -> ClientFrame:
        """What a client sent. Raises Malformed for everything that is not exactly a frame."""

    def decode_server(self, data: bytes) -> ServerFrame:
        """What a server sent. Raises Malformed."""


# ---------------------------------------------------------------- entries, made once

_pack = msgspec.msgpack.Encoder().encode

_UNBEGUN = blake2b(digest_size=16)
"""Of a content, to be copied (as in chain.py)."""


def pack_entry(message: Message, account: AccountId, device: DeviceId, time_ms: int) -> Record:
    """The entry that `message` becomes: its two byte strings and its body's hash.

    `header` + `body` is the MessagePack array of an Entry: the header ends before the last field.
    The same record goes into every member's log.
    """
    # A tuple is packed to the same bytes as an Entry, and is made more quickly.
    entry = _pack(
        (
            message.kind,
            message.conversation,
            account,
            device,
            message.number,
            message.target,
            time_ms,
            message.body,
        )
    )
    body = _pack(message.body)
    return Record(entry[: -len(body)], body, hash_of(body))


def content_of(message: Message, record: Record) -> bytes:
    """16 bytes over all that the sender decided but the number: what a retry must repeat.

    `record` is the message's; its body was hashed already.
    """
    hashing = _UNBEGUN.copy()
    hashing.update(_pack((message.kind, message.conversation, message.target)) + record.body_hash)
    return hashing.digest()


# ---------------------------------------------------------------- MessagePack

_BATCH_START = b"\x96\x13"
"""An array of six whose first is the tag of Batch: 19."""


_NOT_A_FRAME = (msgspec.DecodeError, ValueError, RecursionError)
"""What decoders raise for a peer's bytes. Text that is not UTF-8 is a ValueError of its own, and
containers nested too deep run into the recursion limit."""


def _array_start(length: int) -> bytes:
    if length < 16:
        return bytes((0x90 | length,))
    if length < 1 << 16:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")


class MsgpackCodec:
    """Frames as MessagePack arrays in binary messages."""

    subprotocol = MSGPACK_SUBPROTOCOL
    binary = True

    def __init__(self) -> None:
        self._client: msgspec.msgpack.Decoder[ClientFrame] = msgspec.msgpack.Decoder(ClientFrame)
        self._server: msgspec.msgpack.Decoder[ServerFrame] = msgspec.msgpack.Decoder(ServerFrame)

    def encode(self, frame: Frame) -> bytes:
        return _pack(frame)

    def batch(self, prev: Seq, to: Seq, entries: bytes, chain: Chain, head: Seq) -> bytes:
        return b"".join(
            (
                _BATCH_START,
                _pack(prev),
                _pack(to),
                _array_start(to - prev),
                entries,
                _pack(chain),
                _pack(head),
            )
        )

    def decode_client(self, data: bytes) -> ClientFrame:
        try:
            return self._client.decode(data)
        except _NOT_A_FRAME as error:
            raise Malformed(str(error)) from error

    def decode_server(self, data: bytes) -> ServerFrame:
        try:
            return self._server.decode(data)
        except _NOT_A_FRAME as error:
            raise Malformed(str(error)) from error


_entries: msgspec.msgpack.Decoder[tuple[Entry, ...]] = msgspec.msgpack.Decoder(tuple[Entry, ...])


def unpack_entries(count: int, entries: bytes) -> tuple[Entry, ...]:
    """The `count` entries that lie back to back in `entries`. For JSON sockets and exports."""
    return _entries.decode(_array_start(count) + entries)


# ---------------------------------------------------------------- JSON


class JsonCodec:
    """The same frames as JSON objects in text messages: for browsers' consoles and for people."""

    subprotocol = JSON_SUBPROTOCOL
    binary = False

    def __init__(self) -> None:
        self._client = json_twin.Reader[ClientFrame](ClientFrame)
        self._server = json_twin.Reader[ServerFrame](ServerFrame)

    def encode(self, frame: Frame) -> bytes:
        return json_twin.encode(frame)

    def batch(self, prev: Seq, to: Seq, entries: bytes, chain: Chain, head: Seq) -> bytes:
        return self.encode(Batch(prev, to, unpack_entries(to - prev, entries), chain, head))

    def decode_client(self, data: bytes) -> ClientFrame:
        try:
            return self._client.decode(data)
        except _NOT_A_FRAME as error:
            raise Malformed(str(error)) from error

    def decode_server(self, data: bytes) -> ServerFrame:
        try:
            return self._server.decode(data)
        except _NOT_A_FRAME as error:
            raise Malformed(str(error)) from error


# ---------------------------------------------------------------- choosing

_CODECS: dict[str, Codec] = {codec.subprotocol: codec for codec in (MsgpackCodec(), JsonCodec())}


def codec_for(subprotocol: str) -> Codec:
    """The codec that both sides agreed on; one instance serves all sockets.

    `subprotocol` is one of SUBPROTOCOLS; choosing one from a peer's offer is the shell's part.
    """
    return _CODECS[subprotocol]
