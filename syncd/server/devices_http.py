"""The HTTP door for a person's own devices: look at them, name them, end them, log out.

By the token of any device of the account; what an operator does stands in http.py.
"""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from syncd import errors
from syncd.identity import words
from syncd.identity.devices import Admission
from syncd.identity.words import Declined
from syncd.model import Device, DeviceId
from syncd.server.http import as_json
from syncd.server.intake import bearer, read_json
from syncd.server.service import Service


class NewName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of PATCH /v1/self/devices/{device}."""

    name: str


class LogOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/self/logout: this device, or all, or all but this one."""

    everywhere: bool = False
    keep_this: bool = False


class DeviceDoor:
    """The answers to all requests about the own devices."""

    def __init__(self, service: Service) -> None:
        self._service: Final = service

    def routes(self) -> list[web.RouteDef]:
        """What is to be added to an application."""
        one = "/v1/self/devices/{device}"
        return [
            web.get("/v1/self/devices", self.listed, allow_head=False),
            web.patch(one, self.rename),
            web.delete(one, self.revoke),
            web.post("/v1/self/logout", self.log_out),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """Every device of the account, oldest first, those that are signed out included."""
        caller = await self._caller(request)
        found = await self._service.devices(caller.account)
        devices = [_seen(each, caller.device) for each in found]
        return as_json({"account": caller.account, "devices": devices})

    async def rename(self, request: web.Request) -> web.Response:
        device = await self._own(request)
        wanted = await read_json(request, NewName)
        with self._service.weathering():
            await self._service.accounts.rename_device(device.account, device.device, wanted.name)
        return as_json({"device": device.device, "name": wanted.name})

    async def revoke(self, request: web.Request) -> web.Response:
        """For ever; doing it twice is no error. Also for the very device that asks."""
        device = await self._own(request)
        await self._service.revoke(device.device)
        return as_json({"device": device.device, "revoked": True})

    async def log_out(self, request: web.Request) -> web.Response:
        """Who was signed in and is not any more. They may log in again, and keep their ids."""
        caller = await self._caller(request)
        wanted = await read_json(request, LogOut)
        if wanted.keep_this and not wanted.everywhere:
            raise Declined(errors.BAD_REQUEST, "keep_this is for everywhere.")
        with self._service.weathering():
            ended = await self._service.accounts.sign_out(
                caller.account,
                keep=caller.device if wanted.keep_this else None,
                only=None if wanted.everywhere else caller.device,
            )
        return as_json({"signed_out": list(ended)})

    async def _caller(self, request: web.Request) -> Admission:
        return await self._service.device(bearer(request))

    async def _own(self, request: web.Request) -> Device:
        """The device that the address names. Another account's looks like none. Raises Declined."""
        caller = await self._caller(request)
        wanted = words.device_id(request.match_info["device"])
        for each in await self._service.devices(caller.account):
            if each.device == wanted:
                return each
        raise Declined(errors.NOT_FOUND, "There is no such device.")


def _seen(device: Device, this: DeviceId) -> dict[str, str | bool | None]:
    """A device as its person sees it. signed_out: why it must log in again, if it must."""
    return {
        "device": device.device,
        "name": device.name,
        "platform": device.platform,
        "this": device.device == this,
        "revoked": device.revoked,
        "signed_out": None if device.ended is None else device.ended.name,
    }
