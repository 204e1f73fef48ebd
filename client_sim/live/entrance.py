"""Logging in over HTTP, as an installation of a client does before it has a token."""

from __future__ import annotations

from typing import Any

import aiohttp

from client_sim.door import REQUEST_TIMEOUT_S, DoorShut
from client_sim.evidence import LoginRefused
from client_sim.house import Enrolled

_LATER = (429, 503)


class Entrance:
    """Of one server. name, platform: of the installation; kept: what it has from its last login.

    Every method raises LoginRefused, and DoorShut where it may be asked again.
    """

    def __init__(self, url: str, name: str, platform: str, kept: Enrolled | None) -> None:
        self._url = url
        self._about: dict[str, Any] = {"name": name, "platform": platform}
        if kept is not None:
            self._about["device"] = {"id": kept.device, "secret": kept.secret}

    async def by_code(self, app: str, code: str) -> Enrolled:
        """With a code of the platform."""
        return _enrolled(await self._ask("/v1/login", {**self._about, "app": app, "code": code}))

    async def by_qr(self, token: str) -> Enrolled:
        """By a device that is signed in, which scans the QR code and confirms."""
        begun = await self._ask("/v1/pairing", self._about)
        shown = {"user_code": begun["user_code"]}
        scanned = await self._ask("/v1/pairing/scan", shown, token)
        if scanned["matching_code"] != begun["matching_code"]:
            raise LoginRefused("another_matching_code")
        await self._ask("/v1/pairing/confirm", shown, token)
        return _enrolled(
            await self._ask("/v1/pairing/token", {"device_code": begun["device_code"]})
        )

    async def _ask(self, path: str, asked: dict[str, Any], token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self._url + path, json=asked, headers=headers) as response,
            ):
                answer = await response.json()
                if response.status >= 400:
                    # Neither what was asked nor the answer: they hold secrets.
                    refused = DoorShut if response.status in _LATER else LoginRefused
                    raise refused(answer["error"])
                return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DoorShut(f"POST {path}: {type(error).__name__}") from None


def _enrolled(answer: dict[str, Any]) -> Enrolled:
    return Enrolled(answer["device"], answer["token"], answer["account"], answer["secret"] or "")
