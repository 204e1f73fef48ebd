"""One platform as an application: its API host and its browser host, at one address."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from syncd.platform.answers import PLAIN, refuse
from syncd.platform.api import Api
from syncd.platform.bell import Bell
from syncd.platform.connect import Connect, Refusal
from syncd.platform.errcodes import INVALID_URL, SYSTEM_ERROR
from syncd.platform.sns import Sns
from syncd.platform.world import World


def application(
    world: World,
    now: Callable[[], float],
    bell: Bell | None = None,
    refusal: Refusal = Refusal.STATE_ONLY,
) -> web.Application:
    """Serve this world. Every request is one short transaction, on the event loop's own thread.

    now: Unix seconds. bell: rung by whoever changes the world or the clock beside the application.
    """

    @web.middleware
    async def front(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        # Pages and provisioning answer as other servers do.
        api = not request.path.startswith(("/connect", "/provision"))
        if api and world.busy_answers:
            world.busy_answers -= 1
            return refuse(SYSTEM_ERROR, PLAIN, now())
        unknown = request.match_info.http_exception is not None
        if unknown and api:
            return refuse(INVALID_URL, PLAIN, now())
        return await handler(request)

    app = web.Application(middlewares=[front])
    Api(world, now).join(app)
    Sns(world.oauth, now).join(app)
    Connect(world.oauth, bell or Bell(), now, refusal).join(app)
    return app
