"""Answers of the API host: content types and texts of errors, which are part of the wire."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from aiohttp import hdrs, web

from syncd.platform.errcodes import Errcode

PLAIN = "text/plain"
"""Of /sns, without a charset. Widely used clients undo a decoding as Latin-1 that this makes theirs
do; with anything else a Chinese nickname would not survive them (identity.md 0)."""
JSON = "application/json; encoding=utf-8"
"""Of /cgi-bin and /wxa."""

Body = Mapping[str, object]


def answer(body: Body, content_type: str) -> web.Response:
    """Raw UTF-8, never an escape."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return web.Response(body=text.encode(), headers={hdrs.CONTENT_TYPE: content_type})


def refuse(errcode: Errcode, content_type: str, now: float) -> web.Response:
    """An error, with the id of the request: status 200, as everything here."""
    separator = ", " if content_type == PLAIN else " "
    rid = f"{int(now):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
    text = f"{errcode.text}{separator}rid: {rid}"
    return answer({"errcode": errcode.number, "errmsg": text}, content_type)
