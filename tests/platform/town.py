"""A platform over a socket: a few people, an app of each kind, and a clock that a test moves."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import ClientResponse, ClientSession, CookieJar
from aiohttp.test_utils import TestServer
from yarl import URL

from syncd.platform.app import application
from syncd.platform.bell import Bell
from syncd.platform.connect import Refusal
from syncd.platform.links import Asked
from syncd.platform.registry import AppKind, AppState, NewApp, PersonState
from syncd.platform.silence import UnionidPolicy
from syncd.platform.world import World

NOW = 1_800_000_000.0
BACK = "https://rp.example/back"
NICKNAME = "\u5f20\u4e09 \U0001f43c"

ACCOUNT, WEBSITE, MOBILE = "wxaccount", "wxwebsite", "wxmobile"
PROGRAM = "wxprogram"
KINDS = {
    ACCOUNT: AppKind.OFFICIAL_ACCOUNT,
    WEBSITE: AppKind.WEBSITE,
    MOBILE: AppKind.MOBILE,
    PROGRAM: AppKind.MINI_PROGRAM,
}
PEOPLE = {"alice": (NICKNAME, "https://img.example/0"), "bob": ("Bob", "")}


class _Database(sqlite3.Connection):
    """It is closed with its last user: tests make worlds by the dozen."""

    def __del__(self) -> None:
        self.close()


def database(path: str | Path = ":memory:") -> sqlite3.Connection:
    """A database for a world."""
    # Whoever collects garbage last is of any thread.
    return sqlite3.connect(path, factory=_Database, check_same_thread=False)


def secret_of(appid: str) -> str:
    return f"secret of {appid}"


def new_world(db: sqlite3.Connection, seed: int = 5) -> World:
    """A world with alice and bob in it, and four apps of one owner under one account."""
    world = World(db, Random(seed).randbytes)
    with db:
        world.registry.add_account("open", UnionidPolicy.BOUND)
        for appid, kind in KINDS.items():
            app = NewApp(kind, f"App {appid}", "owner", "open", "rp.example")
            world.registry.add_app(replace(app, appid=appid, secret=secret_of(appid)))
        for person, shown in PEOPLE.items():
            world.registry.add_person(person, *shown)
    return world


class Town:
    """One platform that runs, with an app of each kind; the secret of each is "secret of APPID"."""

    def __init__(self, refusal: Refusal = Refusal.STATE_ONLY) -> None:
        self.bell = Bell()
        self.time = NOW
        self.world = new_world(database())
        self.oauth = self.world.oauth
        self.registry = self.world.registry
        self.app = application(self.world, self.now, self.bell, refusal)
        self.url = URL()

    def openid(self, appid: str, person: str) -> str:
        return self.registry.openid(appid, person)

    def unionid(self, person: str) -> str:
        unionid = self.registry.unionid(WEBSITE, person)
        assert unionid
        return unionid

    def freeze(self, appid: str, frozen: bool = True) -> None:
        state = AppState.FROZEN if frozen else AppState.NORMAL
        with self.world.db:
            self.registry.set_app_state(appid, state)

    def end(self, person: str) -> None:
        with self.world.db:
            self.registry.set_person_state(person, PersonState.ENDED)

    def now(self) -> float:
        return self.time

    def code(self, appid: str, person: str, scope: str, snapshot: bool = False) -> str:
        return self.oauth.code(Asked(appid, BACK, scope, None), person, snapshot, self.time)

    async def ask(self, path: str, method: str = "GET", **given: str) -> dict[str, Any]:
        """One request to the API host, its parameters in the query or in a form."""
        async with ClientSession() as client:
            place = {"params": given} if method == "GET" else {"data": given}
            async with client.request(method, self.url.join(URL(path)), **place) as response:
                assert response.status == 200
                assert response.headers["Content-Type"] == "text/plain"
                answer = json.loads(await response.read())
                assert isinstance(answer, dict)
                return answer

    async def granted(self, person: str, appid: str = ACCOUNT, **change: str) -> dict[str, Any]:
        """What the app gets for a code of this person's."""
        scope = change.pop("scope", "snsapi_userinfo")
        code = self.code(appid, person, scope)
        return await self.redeemed(appid, code)

    async def redeemed(self, appid: str, code: str, /, **change: str) -> dict[str, Any]:
        given = {
            "appid": appid,
            "secret": secret_of(appid),
            "code": code,
            "grant_type": "authorization_code",
        }
        return await self.ask("/sns/oauth2/access_token", **given | change)


class Browser:
    """Keeps cookies, follows nothing by itself."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._client = ClientSession(cookie_jar=CookieJar(unsafe=True))

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def of(self, person: str) -> "Browser":
        """Becomes this person's, by a ticket."""
        await self.open("/connect/browser", ticket=self.town.oauth.invite(person))
        return self

    async def open(self, path: str, **query: str) -> ClientResponse:
        return await self._request("GET", path, params=query)

    async def send(self, path: str, **form: str) -> ClientResponse:
        return await self._request("POST", path, data=form)

    async def _request(self, method: str, path: str, **given: Any) -> ClientResponse:
        url = self.town.url.join(URL(path, encoded=True))
        response = await self._client.request(method, url, allow_redirects=False, **given)
        await response.read()
        return response


@asynccontextmanager
async def running(town: Town) -> AsyncIterator[Town]:
    """The town's platform on a socket."""
    async with TestServer(town.app) as server:
        town.url = server.make_url("/")
        yield town


async def until(condition: Callable[[], bool]) -> None:
    """Lets everybody else run until it is so."""
    async with asyncio.timeout(10):
        while True:
            if condition():
                return
            await asyncio.sleep(0)
