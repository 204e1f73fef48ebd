"""The server's HTTP door, as an embedder's backend uses it: make devices, publish, look."""

from __future__ import annotations

import base64
import errno
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import aiohttp

REQUEST_TIMEOUT_S = 10.0


class DoorShut(Exception):
    """The server refused a request or did not answer; the text says which and why."""


class Unreached(DoorShut):
    """No connection came to be."""


class Unauthorized(DoorShut):
    """The server does not know the API key."""


def cannot_reach(url: str, reason: object) -> str:
    """In words, that there is no connection to `url`."""
    said = str(reason) or type(reason).__name__
    # Where a name has several addresses, the reason quotes one error for each.
    refused = f"Errno {errno.ECONNREFUSED}]" in said
    return f"cannot reach {url}: {'connection refused' if refused else said}"


@dataclass(frozen=True, slots=True)
class Credential:
    """A device that the server made, and the secret that proves it."""

    device: str
    token: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the server has stored about a device: its cursor, and the head of its log."""

    cursor: int
    head: int


class Door:
    """The HTTP interface of one server, with an API key."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session, self._url = session, url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def create_device(self, account: str, name: str, platform: str) -> Credential:
        """A new device of the account; the account is made when it is missing."""
        asked = {"account": account, "name": name, "platform": platform}
        answer = await self._ask("POST", "/v1/devices", asked)
        return Credential(answer["device"], answer["token"])

    async def publish(self, account: str, body: bytes, key: str = "") -> int:
        """A message from no device into the account's log; gives its seq there. However often it
        is asked for with the same `key`, it has one effect."""
        asked = {"to": account, "body": base64.b64encode(body).decode()}
        once = {"Idempotency-Key": key} if key else {}
        return int((await self._ask("POST", "/v1/messages", asked, once))["seq"])

    async def standings(self, account: str) -> dict[str, Standing]:
        """Where every device of the account stands, by device id."""
        answer = await self._ask("GET", f"/v1/accounts/{account}/devices", None)
        rows = answer["devices"] if isinstance(answer, dict) else answer
        return {row["device"]: Standing(int(row["cursor"]), int(row["head"])) for row in rows}

    async def knock(self) -> None:
        """Raise Unreached where nobody answers; any answer will do."""
        try:
            await self._ask("GET", "/healthz", None)
        except Unreached:
            raise
        except DoorShut:
            return

    async def _ask(
        self,
        method: str,
        path: str,
        asked: dict[str, str] | None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Any:
        try:
            async with self._session.request(
                method, self._url + path, json=asked, headers={**self._headers, **headers}
            ) as response:
                if response.status >= 400:
                    refused = Unauthorized if response.status == 401 else DoorShut
                    raise refused(
                        f"{method} {self._url}{path}: {response.status} "
                        f"{(await response.text())[:200]}"
                    )
                return await response.json()
        except aiohttp.ClientConnectorError as error:
            sentence = cannot_reach(self._url, error.os_error)
            raise Unreached(f"{sentence}; is syncd serve running?") from None
        except TimeoutError:
            sentence = cannot_reach(self._url, f"no answer within {REQUEST_TIMEOUT_S:.0f} s")
            raise Unreached(sentence) from None
        except aiohttp.ClientError as error:
            raise DoorShut(f"{method} {self._url}{path}: {error!r}") from None


@asynccontextmanager
async def opened(url: str, key: str) -> AsyncIterator[Door]:
    """The door of the server at `url`, closed with the block."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Door(session, url, key)
