"""Making people, apps and facts over HTTP, for tests only: whoever reaches it is everybody.

POST /provision/NAME with a JSON object; the answer is a JSON object. /provision/openapi.json
describes every NAME; both come from one table, operations.OPERATIONS. Errors are
{"error": NAME, "text": ...}: 400 bad_request, 404 not_found, 409 refused (what the platform itself
would not do, with its errcode), 415 for anything but JSON, which no page of another site can send.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from syncd.platform.bell import Bell
from syncd.platform.clock import Clock
from syncd.platform.errcodes import Failed
from syncd.platform.links import Asked
from syncd.platform.operations import (
    OPERATIONS,
    AccountGiven,
    AppGiven,
    AppMade,
    AppStateGiven,
    BindingGiven,
    BusyGiven,
    ClockGiven,
    Code,
    DecisionGiven,
    FollowGiven,
    ForPerson,
    Given,
    GrantGiven,
    HostGiven,
    Link,
    Nothing,
    PersonGiven,
    PersonStateGiven,
    ScanGiven,
    ScanShown,
    SecretStateGiven,
    Time,
    Told,
    UserInfoShown,
    WithAppGiven,
)
from syncd.platform.qrconnect import NotYours
from syncd.platform.registry import NewApp, Unknown
from syncd.platform.world import World


class Provision:
    """The API over one world. Its clock is the one that the world's application goes by."""

    def __init__(self, world: World, clock: Clock, bell: Bell) -> None:
        self._world = world
        self._clock = clock
        self._bell = bell
        self._performers: dict[str, Callable[[Any], Told]] = {
            "person": self._person,
            "person-state": self._person_state,
            "account": self._account,
            "app": self._app,
            "binding": self._bind,
            "host": self._register,
            "app-state": self._app_state,
            "secret-state": self._secret_state,
            "follow": self._follow,
            "login-code": self._login_code,
            "oauth-code": self._oauth_code,
            "user-info": self._user_info,
            "browser": self._browser,
            "qr-scan": self._scan,
            "qr-decision": self._decide,
            "busy": self._be_busy,
            "clock": self._move,
        }

    def join(self, app: web.Application) -> None:
        """Serve the API as part of this application."""
        for name, operation in OPERATIONS.items():
            respond = self._responding(operation.takes, self._performers[name])
            app.router.add_post(f"/provision/{name}", respond)

        async def described(request: web.Request) -> web.Response:
            return _json(openapi())

        app.router.add_get("/provision/openapi.json", described)

    def _responding(
        self, takes: type[Given], perform: Callable[[Any], Told]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def respond(request: web.Request) -> web.Response:
            if request.content_type != "application/json":
                return _error(415, "unsupported_media_type", "the body must be JSON")
            try:
                given = msgspec.json.decode(await request.read(), type=takes)
                answer = perform(given)
            except msgspec.MsgspecError as error:
                return _error(400, "bad_request", str(error))
            except Unknown as unknown:
                return _error(404, "not_found", f"there is no {unknown}")
            except Failed as failed:
                return _error(409, "refused", str(failed), failed.errcode.number)
            except NotYours:
                return _error(409, "refused", "the QR code is not this person's to decide")
            self._bell.ring()
            return _json(answer)

        return respond

    # --- What each does -----------------------------------------------------------------------

    def _person(self, given: PersonGiven) -> Nothing:
        nickname = given.nickname or given.person
        with self._world.db:
            self._world.registry.add_person(given.person, nickname, given.headimgurl)
        return Nothing()

    def _person_state(self, given: PersonStateGiven) -> Nothing:
        with self._world.db:
            self._world.set_person_state(given.person, given.state)
        return Nothing()

    def _account(self, given: AccountGiven) -> Nothing:
        with self._world.db:
            self._world.registry.add_account(given.account, given.policy)
        return Nothing()

    def _app(self, given: AppGiven) -> AppMade:
        with self._world.db:
            made = self._world.registry.add_app(NewApp(**msgspec.structs.asdict(given)))
        return AppMade(made.appid, made.secret)

    def _bind(self, given: BindingGiven) -> Nothing:
        with self._world.db:
            self._world.registry.bind(given.appid, given.account)
        return Nothing()

    def _register(self, given: HostGiven) -> Nothing:
        with self._world.db:
            self._world.registry.register(given.appid, given.registered)
        return Nothing()

    def _app_state(self, given: AppStateGiven) -> Nothing:
        with self._world.db:
            self._world.registry.set_app_state(given.appid, given.state)
        return Nothing()

    def _secret_state(self, given: SecretStateGiven) -> Nothing:
        with self._world.db:
            self._world.registry.freeze_secret(given.appid, given.frozen)
        return Nothing()

    def _follow(self, given: FollowGiven) -> Nothing:
        self._check_person(given.person)
        registry = self._world.registry
        with self._world.db:
            registry.admit(given.appid, None)
            if given.follows:
                registry.follow(given.appid, given.person, self._clock.now())
            else:
                registry.unfollow(given.appid, given.person)
        return Nothing()

    def _login_code(self, given: WithAppGiven) -> Code:
        self._check_person(given.person)
        return Code(self._world.login_code(given.appid, given.person, self._clock.now()))

    def _oauth_code(self, given: GrantGiven) -> Code:
        self._check_person(given.person)
        asked = Asked(given.appid, "", given.scope, None)
        oauth = self._world.oauth
        return Code(oauth.code(asked, given.person, given.snapshot, self._clock.now()))

    def _user_info(self, given: WithAppGiven) -> UserInfoShown:
        self._check_person(given.person)
        return UserInfoShown(*self._world.user_info(given.appid, given.person, self._clock.now()))

    def _browser(self, given: ForPerson) -> Link:
        self._check_person(given.person)
        return Link(f"/connect/browser?ticket={self._world.oauth.invite(given.person)}")

    def _scan(self, given: ScanGiven) -> ScanShown:
        self._check_person(given.person)
        scanned = self._world.oauth.scan_qr(given.uuid, given.person, self._clock.now())
        return ScanShown(*scanned)

    def _decide(self, given: DecisionGiven) -> Nothing:
        oauth = self._world.oauth
        oauth.decide_qr(given.uuid, given.person, given.agreed, self._clock.now())
        return Nothing()

    def _be_busy(self, given: BusyGiven) -> Nothing:
        self._world.busy_answers = given.answers
        return Nothing()

    def _move(self, given: ClockGiven) -> Time:
        self._clock.move(given.forward_s)
        return Time(self._clock.now())

    def _check_person(self, person: str) -> None:
        if self._world.registry.person(person) is None:
            raise Unknown(person)


_ERRORS = {
    400: "bad_request",
    404: "not_found",
    409: "refused, with the errcode where the platform has one",
    415: "unsupported_media_type",
}


def openapi() -> dict[str, Any]:
    """The API as an OpenAPI 3.1 document."""
    used = [each for operation in OPERATIONS.values() for each in operation[1:3]]
    schemas, components = msgspec.json.schema_components(
        used, ref_template="#/components/schemas/{name}"
    )
    bodies = iter(schemas)
    paths = {}
    for name, operation in OPERATIONS.items():
        taken, given = next(bodies), next(bodies)
        paths[f"/provision/{name}"] = {
            "post": {
                "summary": operation.text,
                "requestBody": {"required": True, "content": _content(taken)},
                "responses": {
                    "200": {"description": "done", "content": _content(given)},
                    **{str(status): {"description": text} for status, text in _ERRORS.items()},
                },
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Provisioning of the embedded platform", "version": "1"},
        "paths": paths,
        "components": {"schemas": components},
    }


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), content_type="application/json", status=status
    )


def _error(status: int, name: str, text: str, errcode: int | None = None) -> web.Response:
    number = {} if errcode is None else {"errcode": errcode}
    return _json({"error": name, "text": text, **number}, status)
