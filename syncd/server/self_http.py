"""The HTTP door to oneself: by what a person is known, for whoever holds a token of a device."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aiohttp import web

from syncd.persons import Subject, SubjectFacts
from syncd.server.http import as_json
from syncd.server.intake import bearer, read_json
from syncd.server.login_http import EvidenceGiven, LoginLimits, evidence_in
from syncd.server.service import Service


class NewSubject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/self/subjects: fresh proof of both."""

    mine: EvidenceGiven
    new: EvidenceGiven


class OldSubject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/self/subjects/remove."""

    mine: EvidenceGiven
    issuer: str
    name: str


class SelfDoor:
    """The answers to requests about the own account."""

    def __init__(self, service: Service, limits: LoginLimits) -> None:
        self._service: Final = service
        self._limits: Final = limits

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to an application."""
        return [
            web.get("/v1/self", self.myself, allow_head=False),
            web.post("/v1/self/subjects", self.link),
            web.post("/v1/self/subjects/remove", self.unlink),
        ]

    async def myself(self, request: web.Request) -> web.Response:
        caller = await self._service.device(bearer(request))
        with self._service.weathering():
            account, known = await self._service.accounts.subjects(caller.account)
        listed = [subject_facts(each) for each in known]
        return as_json({"account": account, "device": caller.device, "subjects": listed})

    async def link(self, request: web.Request) -> web.Response:
        """Add a subject; doing it twice is no error."""
        caller = await self._service.device(bearer(request))
        wanted = await read_json(request, NewSubject)
        mine, added = evidence_in(wanted.mine), evidence_in(wanted.new)
        async with self._limits.attempt(request):
            with self._service.weathering():
                await self._service.login.link(caller, mine, added)
        return await self.myself(request)

    async def unlink(self, request: web.Request) -> web.Response:
        """Take a subject off; another one remains."""
        caller = await self._service.device(bearer(request))
        wanted = await read_json(request, OldSubject)
        mine, removed = evidence_in(wanted.mine), Subject(wanted.issuer, wanted.name)
        async with self._limits.attempt(request):
            with self._service.weathering():
                await self._service.login.unlink(caller, mine, removed)
        return await self.myself(request)


def subject_facts(known: SubjectFacts) -> dict[str, Any]:
    """A subject as its person and an operator see it."""
    return {
        "issuer": known.subject.issuer,
        "name": known.subject.name,
        "union": None if known.union is None else known.union._asdict(),
        "pending": None if known.pending is None else known.pending._asdict(),
    }
