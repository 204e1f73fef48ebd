"""The page /pair: a QR code to log in with, and then a running inbox, in any browser.

Nothing but these files runs there: the policy allows no other script, no markup that is made of
text (Trusted Types), no frame around it and no connection to anywhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web

_FOLDER: Final = Path(__file__).parent / "pages"

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src data:",  # the QR code
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_FILES = {
    "/pair": ("pair.html", "text/html"),
    "/pair.css": ("pair.css", "text/css"),
    "/pair.js": ("pair.js", "text/javascript"),
    "/inbox.js": ("inbox.js", "text/javascript"),
    "/line.js": ("line.js", "text/javascript"),
}


def routes() -> list[web.RouteDef]:
    """What is to be added to an application. The files are read once, here."""
    return [_route(path, *file) for path, file in _FILES.items()]


def _route(path: str, name: str, content_type: str) -> web.RouteDef:
    body = (_FOLDER / name).read_bytes()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_HEADERS)

    return web.get(path, answer, allow_head=False)
