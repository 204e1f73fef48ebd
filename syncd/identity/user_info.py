"""Opens what wx.getUserInfo gives a client, so that a union may arrive later, by consent.

The client hands on an encrypted text; only the platform and we know its key. CBC can be bent by
whoever may try often enough, so nothing tells which of the checks failed: all of them are done on
every text, over as much of it, and there is one answer. The wire is what the platform documents:
AES-128-CBC, PKCS #7, key and iv of 16 bytes in base64, a `watermark` inside.
"""

from __future__ import annotations

import binascii
import hmac
import json
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from syncd.limits import USER_INFO_AGE_S_MAX

_BLOCK = 16


@dataclass(frozen=True, slots=True)
class UserInfo:
    """As the client got it. raw_data, signature: both, or neither."""

    encrypted_data: str
    iv: str
    raw_data: str | None = None
    signature: str | None = None

    def __repr__(self) -> str:
        return "UserInfo()"


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be inside: the app's appid, the openid of the session, and the time, in Unix
    seconds."""

    appid: str
    openid: str
    now: float


def unionid_in(info: UserInfo, session_key: str, expected: Expected) -> str | None:
    """The unionid of a genuine user info; None where the app is bound to no platform account.

    Raises ValueError for everything that is not genuine, and does not say why.
    """
    key, iv, encrypted = _decoded(session_key), _decoded(info.iv), _decoded(info.encrypted_data)
    well_formed = len(key) == len(iv) == _BLOCK and len(encrypted) % _BLOCK == 0 < len(encrypted)
    if not well_formed:
        key, iv, encrypted = bytes(_BLOCK), bytes(_BLOCK), bytes(_BLOCK)
    cipher = Cipher(AES(key), CBC(iv)).decryptor()
    padded = cipher.update(encrypted) + cipher.finalize()
    text, unpadded = _unpadded(padded)
    inside = _parsed(text)
    genuine = [
        well_formed,
        unpadded,
        _is_signed(info, session_key),
        _equal(_at(inside, "openId"), expected.openid),
        _equal(_at(inside, "watermark", "appid"), expected.appid),
        _is_fresh(_at(inside, "watermark", "timestamp"), expected.now),
    ]
    unionid = _at(inside, "unionId")
    if not all(genuine) or not isinstance(unionid, str | None):
        raise ValueError("not genuine")
    return unionid


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _unpadded(padded: bytes) -> tuple[bytes, bool]:
    """The text without its padding; where that is none the whole, to be parsed all the same."""
    count = padded[-1]
    in_bounds = 1 <= count <= _BLOCK
    padding = bytes([count if in_bounds else 1]) * (count if in_bounds else 1)
    sound = hmac.compare_digest(padded[-len(padding) :], padding) and in_bounds
    return (padded[:-count] if sound else padded), sound


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        inside = json.loads(text.decode("utf-8", "replace"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return {}
    return inside if isinstance(inside, dict) else {}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A name that comes twice would be one value for us and another one for somebody else.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _at(inside: dict[str, Any], *names: str) -> object:
    found: object = inside
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _is_signed(info: UserInfo, session_key: str) -> bool:
    if info.raw_data is None and info.signature is None:
        return True
    signed = sha1(((info.raw_data or "") + session_key).encode("utf-8", "surrogatepass"))
    # Not that SHA-1 were good: it is what the platform signs with.
    both = info.raw_data is not None and info.signature is not None
    return _equal(info.signature, signed.hexdigest()) and both


def _equal(one: object, other: str) -> bool:
    shown = one if isinstance(one, str) else ""
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), other.encode())


def _is_fresh(timestamp: object, now: float) -> bool:
    if not isinstance(timestamp, int | float) or isinstance(timestamp, bool):
        return False
    return abs(now - timestamp) <= USER_INFO_AGE_S_MAX
