"""The HTTP door to conversations: for programs with an API key, and for devices by their own token.

A device's token acts in the name of its account, whose role in the group decides; an API key is an
operator's. Every change is a `system` entry in the logs of those whom it concerns.
"""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from syncd import errors
from syncd.identity import words
from syncd.identity.words import Declined
from syncd.membership import Action, Change, Role
from syncd.model import AccountId
from syncd.server.http import as_json
from syncd.server.intake import bearer, idempotency_key, read_json
from syncd.server.service import Caller, Service


class NewGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of PUT /v1/conversations/{conversation}."""

    members: tuple[AccountId, ...] = ()
    owners: tuple[AccountId, ...] = ()


class NewRole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of PUT /v1/conversations/{conversation}/members/{account}."""

    role: Role


class GroupDoor:
    """The answers to all requests about conversations."""

    def __init__(self, service: Service) -> None:
        self._service: Final = service

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to an application."""
        group = "/v1/conversations/{conversation}"
        return [
            web.put(group, self.create),
            web.get(group, self.members, allow_head=False),
            web.post(group + "/changes", self.change),
            web.put(group + "/members/{account}", self.give_role),
            web.delete(group + "/members/{account}", self.remove),
            web.get("/v1/accounts/{account}/unread", self.unread, allow_head=False),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """201 for a new group, 200 where it is there just so."""
        caller = await self._caller(request)
        wanted = await read_json(request, NewGroup)
        change = Change(Action.CREATE, wanted.members, wanted.owners)
        made = await self._change(request, caller, change)
        return as_json({"changed": made}, 201 if made else 200)

    async def members(self, request: web.Request) -> web.Response:
        caller = await self._caller(request)
        conversation = request.match_info["conversation"]
        found = await self._service.members(conversation, actor=caller.account)
        listed = [{"account": each, "role": role.value} for each, role in sorted(found.items())]
        return as_json({"conversation": conversation, "members": listed})

    async def change(self, request: web.Request) -> web.Response:
        """Any change, as a device would send it."""
        caller = await self._caller(request)
        change = await read_json(request, Change)
        return as_json({"changed": await self._change(request, caller, change)})

    async def give_role(self, request: web.Request) -> web.Response:
        """Take an account in, or give a member another role."""
        caller = await self._caller(request)
        wanted = await read_json(request, NewRole)
        named = (words.account_id(request.match_info["account"]),)
        owner = wanted.role is Role.OWNER
        change = Change(Action.ADD, () if owner else named, named if owner else ())
        return as_json({"changed": await self._change(request, caller, change)})

    async def remove(self, request: web.Request) -> web.Response:
        """Take a member out; who names the own account leaves."""
        caller = await self._caller(request)
        account = words.account_id(request.match_info["account"])
        if account == caller.account:
            change = Change(Action.LEAVE)
        else:
            change = Change(Action.REMOVE, (account,))
        return as_json({"changed": await self._change(request, caller, change)})

    async def unread(self, request: web.Request) -> web.Response:
        """For an operator, and for the account itself."""
        caller = await self._caller(request)
        account = words.account_id(request.match_info["account"])
        if caller.account not in ("", account):
            raise Declined(errors.NOT_ALLOWED, "A device's token counts for its own account alone.")
        counts = await self._service.unread(account)
        return as_json({"account": account, "total": sum(counts.values()), "unread": counts})

    async def _change(self, request: web.Request, caller: Caller, change: Change) -> bool:
        return await self._service.change_group(
            request.match_info["conversation"],
            change,
            actor=caller.account,
            key=idempotency_key(request),
            publisher=caller.publisher,
        )

    async def _caller(self, request: web.Request) -> Caller:
        """Raises Declined for whoever shows neither an API key nor a device's token."""
        credential = bearer(request)
        caller = None if credential is None else await self._service.caller(credential)
        if caller is None:
            raise Declined(errors.UNAUTHORIZED)
        return caller
