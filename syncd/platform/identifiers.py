"""How people are called: openids and unionids, made once and then stored.

The sector is what decides who can compare: an app for openids, an Open Platform account for
unionids (OpenID Connect Core 8.1, pairwise subjects). identity.md 1.0, 2.1.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

_PREFIX_LETTERS = 5
"""After the `o`: the letters that all openids of one app share."""
_LENGTH = 28


def identifier(key: bytes, sector: str, person: str, epoch: int) -> str:
    """28 letters of the base64url alphabet, `o` first, the next five the sector's own.

    epoch: counts how often the person ended and came back; nobody comes back as who he was.
    """
    head = _letters(key, f"sector\0{sector}")[:_PREFIX_LETTERS]
    tail = _letters(key, f"person\0{sector}\0{person}\0{epoch}")
    return f"o{head}{tail}"[:_LENGTH]


def _letters(key: bytes, text: str) -> str:
    return urlsafe_b64encode(hmac.digest(key, text.encode(), "sha256")).decode().rstrip("=")
