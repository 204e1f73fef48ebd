"""A refusal as an HTTP answer: the table's status and name, as JSON, never cached."""

from __future__ import annotations

from aiohttp import hdrs, web

from syncd.errors import Refusal, Scope


def refused(refusal: Refusal, *, retry_after_s: int | None = None) -> web.Response:
    """The response of one row of the HTTP table: `{"error": name, "text": text}`."""
    assert refusal.scope is Scope.HTTP
    headers = {hdrs.CACHE_CONTROL: "no-store"}
    if retry_after_s is not None:
        headers[hdrs.RETRY_AFTER] = str(retry_after_s)
    body = {"error": refusal.name, "text": refusal.text}
    return web.json_response(body, status=refusal.code, headers=headers)
