"""Does typed decoding cost the server's hot path less than unpacking and checking by hand?

The hot path decodes Send frames and encodes nothing. Three ways to the same records, over a Send
of 400 messages of 120 bytes and over a Send of one:

    typed    what the service does: msgspec decodes into the frame classes and checks every bound
    walk     msgpack.unpackb, then a walk that checks as much and builds the same records
    json     the JSON twin, for those who wonder what the text subprotocol costs

Each figure is the best of several rounds: others only ever make a round slower.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import msgpack

from bench.results import Results
from syncd import limits
from syncd.model import ConversationId, DeviceId, Identity
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for
from syncd.wire.frames import Message, Send

BODY_BYTES = 120
MESSAGES_MANY = 400
ROUNDS = 15
ROUND_MESSAGES = 8_000

_SEND_TAG = 3
_MESSAGE_FIELDS = 5
_KIND_MAX = 255


def sample(messages: int) -> Send:
    """A Send frame as a busy client makes it."""
    body = bytes(range(BODY_BYTES))
    conversation = ConversationId("alice~bob")
    return Send(
        tuple(Message(number, 1, conversation, None, body) for number in range(1, messages + 1))
    )


def walk(data: bytes) -> Send:
    """A Send by the other way: unpack to plain values, check each, build the records."""
    tree = msgpack.unpackb(data, raw=False, strict_map_key=True, object_pairs_hook=_no_object)
    if type(tree) is not list or len(tree) != 2 or type(tree[0]) is not int:
        raise ValueError("no frame")
    tag, messages = tree
    if tag != _SEND_TAG or type(messages) is not list:
        raise ValueError("no send frame")
    if not 1 <= len(messages) <= limits.MESSAGES_PER_FRAME_MAX:
        raise ValueError("too few or too many messages")
    return Send(tuple([_message(fields) for fields in messages]))


def _no_object(pairs: object) -> object:
    raise ValueError("frames hold no maps")


def _integer(value: object, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError("no integer in range")
    return value


def _message(fields: Any) -> Message:
    if type(fields) is not list or len(fields) != _MESSAGE_FIELDS:
        raise ValueError("no message")
    number, kind, conversation, target, body = fields
    if (
        type(conversation) is not str
        or not 1 <= len(conversation) <= limits.CONVERSATION_CHARACTERS_MAX
    ):
        raise ValueError("no conversation")
    if type(body) is not bytes:
        raise ValueError("no body")
    return Message(
        _integer(number, 1, limits.INTEGER_MAX),
        _integer(kind, 0, _KIND_MAX),
        ConversationId(conversation),
        None if target is None else _identity(target),
        body,
    )


def _identity(fields: Any) -> Identity:
    if type(fields) is not list or len(fields) != 2:
        raise ValueError("no identity")
    device, number = fields
    if type(device) is not str or len(device) != limits.DEVICE_ID_CHARACTERS:
        raise ValueError("no device")
    return Identity(DeviceId(device), _integer(number, 1, limits.INTEGER_MAX))


def microseconds(decode: Callable[[bytes], object], data: bytes, messages: int) -> float:
    """How long one `decode(data)` takes at best; `data` holds so many messages."""
    turns = max(1, ROUND_MESSAGES // messages)
    best = float("inf")
    for _ in range(ROUNDS):
        start = perf_counter()
        for _ in range(turns):
            decode(data)
        best = min(best, perf_counter() - start)
    return best / turns * 1e6


def main(arguments: Sequence[str]) -> int:
    """Microseconds per frame for each way and size, and how many times longer the walk takes."""
    argparse.ArgumentParser("python -m bench codec", description=__doc__).parse_args(arguments)
    results = Results("codec", {"body_bytes": BODY_BYTES, "rounds": ROUNDS})
    for messages in (MESSAGES_MANY, 1):
        binary, text = codec_for(MSGPACK_SUBPROTOCOL), codec_for(JSON_SUBPROTOCOL)
        frame = sample(messages)
        packed, spelled = binary.encode(frame), text.encode(frame)
        assert binary.decode_client(packed) == walk(packed) == text.decode_client(spelled) == frame
        typed = microseconds(binary.decode_client, packed, messages)
        by_hand = microseconds(walk, packed, messages)
        results.note(f"send_of_{messages}_typed_us", typed)
        results.note(f"send_of_{messages}_walk_us", by_hand)
        spelled_us = microseconds(text.decode_client, spelled, messages)
        results.note(f"send_of_{messages}_json_us", spelled_us)
        results.note(f"send_of_{messages}_walk_to_typed_ratio", by_hand / typed)
    results.finish()
    return 0
