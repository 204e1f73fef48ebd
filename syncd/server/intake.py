"""What comes in over HTTP, before anybody believes it: credentials, capped bodies, strict JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from aiohttp import hdrs, web

from syncd import errors
from syncd.identity.words import Declined
from syncd.limits import BODY_BYTES_MAX, KEY_CHARACTERS_MAX, REQUEST_HEAD_TIMEOUT_S
from syncd.server.logs import SECRET

T = TypeVar("T")

REQUEST_BYTES_MAX = 6 * BODY_BYTES_MAX + 4096
"""One request's body: the largest text, every character of it written as a JSON escape."""

_SECRET_PARAMETERS = {
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "jwt",
    "key",
    "password",
    "secret",
    "token",
}


def refuse_secrets_in_url(request: web.Request) -> None:
    """Raise Declined for a URL that carries a credential: proxies and histories keep URLs."""
    names = {name.lower() for name in request.query}
    written = request.raw_path
    if names & _SECRET_PARAMETERS or SECRET.search(written) or SECRET.search(unquote(written)):
        raise Declined(errors.TOKEN_IN_URL)


def bearer(request: web.Request) -> str | None:
    """The one bearer credential of the request, or None."""
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    if len(given) != 1:
        return None
    scheme, _, credential = given[0].partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else None


def idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key of the request, or None. Raises Declined for one that is no key."""
    given = request.headers.getall("Idempotency-Key", [])
    if not given:
        return None
    key = given[0]
    if len(given) > 1 or not 1 <= len(key) <= KEY_CHARACTERS_MAX or not _is_visible(key):
        raise Declined(
            errors.BAD_REQUEST,
            f"An Idempotency-Key is 1 to {KEY_CHARACTERS_MAX} visible ASCII characters.",
        )
    return key


def _is_visible(text: str) -> bool:
    return all("!" <= each <= "~" for each in text)


def same_origin(request: web.Request) -> bool:
    """Whether a page of this very service asks: the Origin names the host that was asked.

    The scheme may differ, because a proxy may speak TLS for us.
    """
    scheme, _, host = request.headers.get(hdrs.ORIGIN, "").partition("://")
    return scheme in ("http", "https") and host == request.host


async def read_json(request: web.Request, shape: type[T]) -> T:
    """The request's body as `shape`, a msgspec Struct. Raises Declined.

    Strict: duplicate and unknown fields, NaN, and values of another type are refused; a compressed
    body is refused unread, so there is no bomb to defuse.
    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Declined(errors.UNSUPPORTED_MEDIA, "Compressed requests are not accepted.")
    if request.content_type != "application/json" or not _is_utf8(request.charset):
        raise Declined(errors.UNSUPPORTED_MEDIA)
    if len(request.headers.getall(hdrs.CONTENT_TYPE)) > 1:
        raise Declined(errors.UNSUPPORTED_MEDIA)
    try:
        text = (await _read_capped(request)).decode("utf-8")
        parsed = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        return msgspec.convert(parsed, shape)
    except msgspec.ValidationError as error:
        raise Declined(errors.BAD_REQUEST, f"{error}.") from None
    except (ValueError, RecursionError):
        raise Declined(errors.BAD_REQUEST, "The body is no strict JSON in UTF-8.") from None


def _is_utf8(charset: str | None) -> bool:
    return charset is None or charset.lower() in ("utf-8", "utf8")


async def _read_capped(request: web.Request) -> bytes:
    if (request.content_length or 0) > REQUEST_BYTES_MAX:
        raise Declined(errors.PAYLOAD_TOO_LARGE)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(REQUEST_HEAD_TIMEOUT_S):
            async for piece in request.content.iter_any():
                size += len(piece)
                if size > REQUEST_BYTES_MAX:
                    raise Declined(errors.PAYLOAD_TOO_LARGE)
                pieces.append(piece)
    except TimeoutError:
        raise Declined(errors.BAD_REQUEST, "The body did not come in time.") from None
    except web.RequestPayloadError:
        raise Declined(errors.BAD_REQUEST, "The body is broken.") from None
    return b"".join(pieces)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers of one text must not see two values: the first one here, the last one there.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate field")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
