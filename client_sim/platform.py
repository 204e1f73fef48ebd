"""The platform of a play: the embedded one, with the apps of evidence.APPS and whoever logs in.

The pretended house asks its core, the live one puts it on a socket. It outlives every run of the
service.
"""

from __future__ import annotations

import asyncio
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from functools import cached_property
from random import Random

from aiohttp import web

from client_sim.evidence import APPS, OPEN, FreshCode
from syncd.identity.upstream import App, AppKind, Failure, Redeemed
from syncd.platform import registry
from syncd.platform.app import application
from syncd.platform.errcodes import CODE_BEEN_USED, INVALID_CODE, Failed
from syncd.platform.links import Asked
from syncd.platform.silence import UnionidPolicy
from syncd.platform.world import World

_OWNER = "the owner of all apps"
_LATENCY_MAX_S = 0.1
_LOOPBACK = "127.0.0.1"
_FAILURES = {INVALID_CODE: Failure.INVALID, CODE_BEEN_USED: Failure.USED}


class Platform:
    """See identity.upstream.Upstream. random: all its chance. now: its clock, in Unix seconds.

    Its world is made when somebody needs it, and let go of with it.
    """

    def __init__(self, random: Random, now: Callable[[], float]) -> None:
        self._random = random
        self._now = now

    @cached_property
    def _world(self) -> World:
        # Let go of by whichever thread collects it.
        database = sqlite3.connect(":memory:", check_same_thread=False)
        weakref.finalize(self, database.close)
        return World(database, self._random.randbytes)

    @cached_property
    def apps(self) -> dict[str, App]:
        """As the service knows them, by name."""
        with self._world.db:
            self._world.registry.add_account(OPEN, UnionidPolicy.BOUND)
            return {name: self._made(name) for name in APPS}

    def _made(self, name: str) -> App:
        played = APPS[name]
        kind, account = registry.AppKind(played.kind.value), played.platform or None
        made = self._world.registry.add_app(
            registry.NewApp(name=name, kind=kind, owner=_OWNER, account=account)
        )
        return App(name, made.appid, made.secret, played.kind, played.platform)

    def code(self, fresh: FreshCode) -> str:
        """What the platform gives a person who has just opened the app."""
        world, appid, now = self._world, self.apps[fresh.app].appid, self._now()
        if world.registry.person(fresh.person) is None:
            with world.db:
                world.registry.add_person(fresh.person, fresh.person)
        if APPS[fresh.app].kind is AppKind.MINI_PROGRAM:
            return world.login_code(appid, fresh.person, now)
        return world.oauth.code(Asked(appid, "", _scope(fresh), None), fresh.person, False, now)

    async def redeem(self, app: App, code: str) -> Redeemed | Failure:
        """See Upstream. Some time passes before and after."""
        await asyncio.sleep(self._random.random() * _LATENCY_MAX_S)
        try:
            answer = self._redeemed(app, code)
        except Failed as failed:
            return _FAILURES.get(failed.errcode, Failure.UNAVAILABLE)
        await asyncio.sleep(self._random.random() * _LATENCY_MAX_S)
        return answer

    def _redeemed(self, app: App, code: str) -> Redeemed:
        if app.kind is AppKind.MINI_PROGRAM:
            session = self._world.session(app.appid, app.secret, code, self._now())
            return Redeemed(session.openid, session.unionid, session.session_key)
        given = {"appid": app.appid, "secret": app.secret, "code": code}
        asked = {**given, "grant_type": "authorization_code"}
        answer = self._world.oauth.access_token(asked, "", self._now())
        unionid = answer.get("unionid")
        return Redeemed(str(answer["openid"]), None if unionid is None else str(unionid))

    # ------------------------------------------------------------ over HTTP

    async def listen(self) -> web.AppRunner:
        """Serve it on a loopback port of this process; the runner is its owner's to clean up."""
        runner = web.AppRunner(application(self._world, self._now))
        await runner.setup()
        await web.TCPSite(runner, _LOOPBACK, 0).start()
        return runner

    def settings(self, runner: web.AppRunner) -> str:
        """The service's file of apps."""
        return "\n".join(self._lines(int(runner.addresses[0][1]))) + "\n"

    def _lines(self, port: int) -> Iterator[str]:
        yield f'upstream = "http://{_LOOPBACK}:{port}"'
        for app in self.apps.values():
            yield f"[apps.{app.name}]"
            yield f'appid = "{app.appid}"'
            yield f'secret = "{app.secret}"'
            yield f'kind = "{app.kind.value}"'
            yield f'platform = "{app.platform}"'


def _scope(fresh: FreshCode) -> str:
    if APPS[fresh.app].kind is AppKind.WEBSITE:
        return "snsapi_login"
    return "snsapi_userinfo" if fresh.consent else "snsapi_base"
