"""The HTTP door: health, publishing, and devices for programs that hold an API key.

Every answer is JSON and is never cached; every refusal is a row of the table of errors.
"""

from __future__ import annotations

import logging
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from syncd import errors
from syncd.identity.devices import facts
from syncd.identity.words import Declined
from syncd.model import is_group
from syncd.server.intake import bearer, idempotency_key, read_json, refuse_secrets_in_url
from syncd.server.logs import redacted
from syncd.server.refusals import refused
from syncd.server.service import Service

log = logging.getLogger(__name__)

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]

_RETRY_AFTER_S = 1
"""When a refusal that time heals is worth another try."""


class Publishing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/messages: exactly one of `body` (base64) and `text`.

    Without `to` the conversation is a group, and all its members get the message.
    """

    to: str | None = None
    body: str | None = None
    text: str | None = None
    sender: str = msgspec.field(name="from", default="")
    conversation: str | None = None


class NewDevice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/devices."""

    account: str
    name: str
    platform: str


class Door:
    """The answers to all HTTP requests but the sync upgrade."""

    def __init__(self, service: Service) -> None:
        self._service: Final = service

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to an application."""
        return [
            web.get("/healthz", self.health, allow_head=False),
            web.get("/readyz", self.readiness, allow_head=False),
            web.post("/v1/messages", self.publish),
            web.post("/v1/devices", self.create_device),
            web.get("/v1/accounts/{account}/devices", self.devices, allow_head=False),
            web.delete("/v1/devices/{device}", self.revoke),
        ]

    async def health(self, request: web.Request) -> web.Response:
        """The process runs."""
        return as_json({"status": "ok"})

    async def readiness(self, request: web.Request) -> web.Response:
        """Whether the service takes work: not while it starts, drains, or has lost its store."""
        ready = self._service.ready
        return as_json({"status": self._service.phase.value}, 200 if ready else 503)

    async def publish(self, request: web.Request) -> web.Response:
        publisher = await self._key_holder(request)
        key = idempotency_key(request)
        wanted = await read_json(request, Publishing)
        body = _body(wanted)
        if wanted.to is not None:
            if wanted.conversation is not None and is_group(wanted.conversation):
                raise Declined(
                    errors.BAD_REQUEST, "The conversation is a group: give to or it, not both."
                )
            published = await self._service.publish(
                wanted.to,
                body,
                sender=wanted.sender,
                conversation=wanted.conversation,
                key=key,
                publisher=publisher,
            )
        elif wanted.conversation is not None:
            published = await self._service.publish_to_group(
                wanted.conversation, body, sender=wanted.sender, key=key, publisher=publisher
            )
        else:
            raise Declined(errors.BAD_REQUEST, "Give to, or a group as conversation.")
        return as_json({"seq": published.seq, "duplicate": published.duplicate})

    async def create_device(self, request: web.Request) -> web.Response:
        await self._key_holder(request)
        wanted = await read_json(request, NewDevice)
        credential = await self._service.create_device(
            wanted.account, name=wanted.name, platform=wanted.platform
        )
        return as_json({"device": credential.device, "token": credential.token}, 201)

    async def devices(self, request: web.Request) -> web.Response:
        await self._key_holder(request)
        account = request.match_info["account"]
        found = await self._service.devices(account)
        return as_json({"account": account, "devices": [facts(each) for each in found]})

    async def revoke(self, request: web.Request) -> web.Response:
        await self._key_holder(request)
        revoked = await self._service.revoke(request.match_info["device"])
        return as_json({"device": revoked.device, "revoked": True})

    async def _key_holder(self, request: web.Request) -> str:
        """The publisher that the request's API key stands for. Raises Declined."""
        credential = bearer(request)
        caller = None if credential is None else await self._service.caller(credential)
        if caller is None:
            raise Declined(errors.UNAUTHORIZED, "The API key is missing or not valid.")
        if caller.account:
            raise Declined(
                errors.UNAUTHORIZED,
                "This request needs an API key; a device's token sends by the socket.",
            )
        return caller.publisher


def _body(wanted: Publishing) -> bytes:
    if (wanted.body is None) == (wanted.text is None):
        raise Declined(errors.BAD_REQUEST, "Give exactly one of body and text.")
    try:
        if wanted.text is not None:
            return wanted.text.encode("utf-8")
        assert wanted.body is not None
        decoded = b64decode(wanted.body, validate=True)
    except ValueError:  # a lone surrogate, or no base64
        decoded = None
    if decoded is None or b64encode(decoded).decode("ascii") != wanted.body:
        raise Declined(
            errors.BAD_REQUEST, "body is base64 with padding (RFC 4648, section 4); text is UTF-8."
        )
    return decoded


def guard() -> Middleware:
    """The middleware around every request: what goes wrong inside leaves as JSON of the table."""

    @web.middleware
    async def guarded(request: web.Request, handler: Answering) -> web.StreamResponse:
        response = await _answered(request, handler)
        if not response.prepared:
            response.headers[hdrs.CACHE_CONTROL] = "no-store"
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers[hdrs.SERVER] = "syncd"
        resource = request.match_info.route.resource
        level = logging.DEBUG if response.status < 400 else logging.INFO
        # The route, not the path: what was asked for may hold anything.
        place = "no route" if resource is None else resource.canonical
        log.log(level, "> %s %s %d", request.method, place, response.status)
        return response

    return guarded


async def _answered(request: web.Request, answer: Answering) -> web.StreamResponse:
    try:
        refuse_secrets_in_url(request)
        return await answer(request)
    except Declined as declined:
        return declined_response(declined)
    except web.HTTPMethodNotAllowed as error:
        response = refused(errors.METHOD_NOT_ALLOWED)
        response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response
    except web.HTTPNotFound:
        return refused(errors.NOT_FOUND)
    except web.HTTPException as error:
        if error.status >= 500:
            raise
        # aiohttp's own refusals: of an upgrade, say. Their texts are not ours to vouch for.
        return refused(errors.BAD_REQUEST)
    except Exception:
        log.exception("! a request failed: %s", request.method)
        return internal_error()


def internal_error() -> web.Response:
    """Our fault: it says nothing but that."""
    return as_json({"error": errors.INTERNAL.name, "text": errors.INTERNAL.text}, 500)


def declined_response(declined: Declined) -> web.Response:
    """A refusal with the text that explains this one."""
    refusal = declined.refusal
    wait_s = declined.retry_after_s or (_RETRY_AFTER_S if refusal.reconnect else None)
    response = refused(refusal, retry_after_s=wait_s)
    response.body = _encoded({"error": refusal.name, "text": redacted(str(declined))})
    if refusal is errors.UNAUTHORIZED:
        response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    if refusal is errors.PAYLOAD_TOO_LARGE:
        response.force_close()  # the rest of the body is not worth reading
    return response


def _encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def as_json(value: object, status: int = 200) -> web.Response:
    """An answer whose body is `value` as JSON."""
    return web.Response(
        body=_encoded(value), status=status, content_type="application/json", charset="utf-8"
    )
