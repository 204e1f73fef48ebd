"""The JSON twin of the frames, derived from their classes: no frame is mentioned here.

A frame becomes an object of its fields by name, with its class name in small letters under
``frame``; so do records, without that key. Bytes travel as base64url without padding; an epoch or
a chain as hex digits, so that a person can compare two at a glance.

Reading is done in two steps. The walk below turns objects by name into arrays by position and
refuses what only JSON can get wrong: keys that are missing, doubled or unknown, text that is no
canonical base64 or hex, lone surrogates. Then msgspec checks the arrays as it checks MessagePack
(a float or a bool is no integer), so every bound stands in one place: frames.py.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, Generic, NewType, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from syncd.limits import INTEGER_MAX
from syncd.model import Chain, Epoch

FRAME_KEY = "frame"

FrameType = TypeVar("FrameType")


class Unreadable(ValueError):
    """The text is JSON that no frame can be, or no JSON."""


@dataclass(frozen=True, slots=True)
class _Twin:
    """One type's two directions."""

    show: Callable[[Any], object]
    """From a value of the type to what the JSON encoder takes."""
    read: Callable[[object], object]
    """From a parsed JSON value to what msgspec.convert takes. Raises ValueError."""


# ---------------------------------------------------------------- plain values


def _itself(value: object) -> object:
    return value


def _read_text(value: object) -> object:
    if type(value) is not str:
        raise Unreadable("expected a string")
    if not value.isascii():
        value.encode()  # refuses lone surrogates, which JSON can escape and UTF-8 cannot hold
    return value


def _show_base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _read_base64(value: object) -> object:
    if type(value) is not str:
        raise Unreadable("expected base64url")
    decoded = urlsafe_b64decode(value + "=" * (-len(value) % 4))
    # The decoder skips what it does not know and forgives stray bits: only the canonical text of
    # the bytes is let through, or one message would have many spellings.
    if _show_base64(decoded) != value:
        raise Unreadable("not canonical base64url without padding")
    return decoded


def _show_hex(value: bytes) -> str:
    return value.hex()


def _read_hex(value: object) -> object:
    if type(value) is not str:
        raise Unreadable("expected hex digits")
    decoded = bytes.fromhex(value)
    if decoded.hex() != value:  # upper case, blanks
        raise Unreadable("expected lowercase hex digits")
    return decoded


_PLAIN: dict[object, _Twin] = {
    int: _Twin(_itself, _itself),
    bool: _Twin(_itself, _itself),
    str: _Twin(_itself, _read_text),
    bytes: _Twin(_show_base64, _read_base64),
    Epoch: _Twin(_show_hex, _read_hex),
    Chain: _Twin(_show_hex, _read_hex),
}

# ---------------------------------------------------------------- composed values


@cache
def _twin(hint: Any) -> _Twin:
    """The twin of a type as get_type_hints gives it: without its bounds."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, NewType):
        return _twin(hint.__supertype__)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _Twin(*_record(hint))
    if NoneType in get_args(hint):
        return _nullable(hint)
    assert get_origin(hint) is tuple, f"frames have no field of type {hint}"
    return _sequence(get_args(hint))


def _nullable(hint: Any) -> _Twin:
    [present] = [choice for choice in get_args(hint) if choice is not NoneType]
    twin = _twin(present)

    def show(value: Any) -> object:
        return None if value is None else twin.show(value)

    def read(value: object) -> object:
        return None if value is None else twin.read(value)

    return _Twin(show, read)


def _sequence(items: tuple[Any, ...]) -> _Twin:
    # Either (X, ...) or a row of one type; msgspec checks how many there are.
    twin = _twin(items[0])
    assert all(item in (items[0], ...) for item in items)

    def show(values: tuple[Any, ...]) -> object:
        return [twin.show(value) for value in values]

    def read(values: object) -> object:
        if type(values) is not list:
            raise Unreadable("expected an array")
        return [twin.read(value) for value in values]

    return _Twin(show, read)


def _record(
    kind: type[msgspec.Struct],
) -> tuple[Callable[[Any], dict[str, object]], Callable[[object], list[object]]]:
    hints = get_type_hints(kind)
    names = kind.__struct_fields__
    twins = [(name, _twin(hints[name])) for name in names]
    tag = kind.__struct_config__.tag
    start = {} if tag is None else {FRAME_KEY: frame_name(kind)}
    tags = [] if tag is None else [tag]
    expected = {*start, *names}
    # What later servers added has a default, and a server that does not know it sends none.
    values = kind.__struct_defaults__
    added = dict(zip(names[len(names) - len(values) :], values, strict=True))
    required = expected - added.keys()
    strict = kind.__struct_config__.forbid_unknown_fields

    def show(value: Any) -> dict[str, object]:
        return start | {name: twin.show(getattr(value, name)) for name, twin in twins}

    def read(value: object) -> list[object]:
        if type(value) is not dict:
            raise Unreadable("expected an object")
        if not required <= value.keys():
            raise Unreadable(f"a key of {kind.__name__} is missing")
        if strict and len(value) > len(expected):
            raise Unreadable(f"{kind.__name__} has no such key")
        return tags + [
            twin.read(value[name]) if name in value else added[name] for name, twin in twins
        ]

    return show, read


# ---------------------------------------------------------------- text


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a key stands twice in one object")
    return found


_DIGITS_MAX = len(str(INTEGER_MAX))


def _integer(text: str) -> int:
    # Converting takes quadratic time in the number of digits; and a minus zero is no integer.
    if len(text) > _DIGITS_MAX or text == "-0":
        raise Unreadable("an integer out of range")
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise Unreadable(f"{text} is no JSON number")


_parse = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_constant=_no_number
).decode


def frame_name(kind: type[msgspec.Struct]) -> str:
    """What stands under ``frame`` for frames of this class."""
    return kind.__name__.lower()


def encode(frame: msgspec.Struct) -> bytes:
    """The UTF-8 text of one WebSocket message."""
    return msgspec.json.encode(_twin(type(frame)).show(frame))


class Reader(Generic[FrameType]):
    """Reads the frames of one union of frame classes."""

    def __init__(self, union: Any) -> None:
        self._union = union
        self._twins = {frame_name(kind): _twin(kind) for kind in get_args(union)}

    def decode(self, data: bytes) -> FrameType:
        """The frame. Where `data` is none: msgspec.DecodeError, ValueError or RecursionError."""
        tree = _parse(data.decode())
        if type(tree) is not dict or type(name := tree.get(FRAME_KEY)) is not str:
            raise Unreadable(f"expected an object with a string under {FRAME_KEY!r}")
        if name not in self._twins:
            raise Unreadable("no frame has this name here")
        frame: FrameType = msgspec.convert(self._twins[name].read(tree), self._union)
        return frame
