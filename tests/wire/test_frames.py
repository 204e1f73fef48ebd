"""The frames as such: golden vectors read by independent decoders, and what all classes share."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import get_args

import msgpack
import pytest

from syncd.wire import frames
from syncd.wire.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, codec_for

# Golden: these bytes are what clients out there speak. A vector may be added, never changed.
VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))
BINARY, TEXT = codec_for(MSGPACK_SUBPROTOCOL), codec_for(JSON_SUBPROTOCOL)
CLASSES = get_args(frames.Frame)

each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
each_class = pytest.mark.parametrize("kind", CLASSES)


def decoded(vector: dict[str, str]) -> frames.Frame:
    data = bytes.fromhex(vector["msgpack"])
    return BINARY.decode_client(data) if vector["from"] == "client" else BINARY.decode_server(data)


def differences(packed: object, spelled: object, place: str = "$") -> list[str]:
    """Where MessagePack by position and JSON by name say different things."""
    match packed, spelled:
        case list(), dict() | list():
            names = list(spelled) if isinstance(spelled, dict) else list(range(len(spelled)))
            if len(packed) != len(names):
                return [f"{place}: {len(packed)} and {len(names)}"]
            return [
                each
                for name, inner in zip(names, packed, strict=True)
                for each in differences(inner, spelled[name], f"{place}.{name}")
            ]
        case bytes(), str() if place.endswith(("epoch", "chain")):
            return [] if packed == bytes.fromhex(spelled) else [place]
        case bytes(), str():
            padded = spelled + "=" * (-len(spelled) % 4)
            return [] if packed == urlsafe_b64decode(padded) else [place]
    return [] if (type(packed), packed) == (type(spelled), spelled) else [place]


@each_vector
def test_independent_decoders_agree_field_by_field(vector: dict[str, str]) -> None:
    tag, *values = msgpack.unpackb(bytes.fromhex(vector["msgpack"]), strict_map_key=True)
    fields = json.loads(vector["json"])
    name = fields.pop("frame")
    kind = next(each for each in CLASSES if each.__name__.lower() == name)
    assert kind.__struct_config__.tag == tag
    assert list(fields) == list(kind.__struct_fields__)
    for field, value in zip(fields, values, strict=True):
        assert differences(value, fields[field], field) == []


def test_a_difference_is_found() -> None:
    assert differences([1, b"\xfb\xff"], {"a": 1, "b": "-_8"}) == []
    assert differences([1, b"\xfb\xff"], {"a": True, "b": "-_8"}) == ["$.a"]
    assert differences([1, b"\xfb\xfe"], {"a": 1, "b": "-_8"}) == ["$.b"]
    assert differences([1], {"a": 1, "b": 2}) == ["$: 1 and 2"]
    assert differences(bytes(8), "00" * 8, "epoch") == []


@each_vector
def test_vectors_are_what_the_codecs_speak(vector: dict[str, str]) -> None:
    frame = decoded(vector)
    text = vector["json"].encode()
    assert BINARY.encode(frame).hex() == vector["msgpack"]
    assert TEXT.encode(frame) == text
    read = TEXT.decode_client if vector["from"] == "client" else TEXT.decode_server
    assert read(text) == frame


def test_every_class_has_a_vector() -> None:
    assert {type(decoded(vector)) for vector in VECTORS} == set(CLASSES)


def test_tags_and_names_are_unique() -> None:
    assert len({kind.__struct_config__.tag for kind in CLASSES}) == len(CLASSES)
    assert len({kind.__name__.lower() for kind in CLASSES}) == len(CLASSES)


@each_class
def test_clients_are_held_to_the_letter_and_servers_may_grow(kind: type) -> None:
    strict = kind in get_args(frames.ClientFrame)
    assert kind.__struct_config__.forbid_unknown_fields is strict
    assert kind.__struct_config__.frozen
    assert kind.__struct_config__.array_like


def test_an_entry_knows_its_identity() -> None:
    entry = frames.Entry(1, "a~b", "a", "d" * 24, 7, None, 0, b"")
    assert (entry.identity.device, entry.identity.number) == ("d" * 24, 7)
