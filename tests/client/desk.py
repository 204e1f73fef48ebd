"""A scripted login desk: a real HTTP server on loopback that answers what a test wants it to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.client.peer import serving

DEVICE, OTHER_DEVICE = "d" * 24, "e" * 24


def answer(**changes: Any) -> dict[str, Any]:
    """What a login gives: alice's new device."""
    facts = {
        "account": "alice",
        "device": DEVICE,
        "token": "sd_token",
        "secret": "ss_secret",
        "new_device": True,
        "case": "created",
    }
    return facts | changes


def refusal(status: int, name: str, **headers: str) -> web.Response:
    body = {"error": name, "text": "So it is."}
    return web.json_response(body, status=status, headers=headers)


@dataclass
class Desk:
    """Where it is, what it will answer, and what it was asked: (path, body, who)."""

    url: str = ""
    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[str, Any, str | None]] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        who = request.headers.get("Authorization")
        self.asked.append((request.path, await request.json(), who))
        said = self.answers.pop(0)
        return said if isinstance(said, web.StreamResponse) else web.json_response(said)


@asynccontextmanager
async def desk(*answers: Any) -> AsyncIterator[Desk]:
    """A desk that gives these answers, in this order; all of them must be asked for."""
    made = Desk(answers=list(answers))
    app = web.Application()
    app.router.add_post("/{path:.*}", made.serve)
    async with serving(app) as made.url:
        yield made
    assert not made.answers, f"{len(made.answers)} answers were not asked for"
