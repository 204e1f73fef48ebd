"""HTTP from a device to its server: one request, one answer in JSON, within bounds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp
import msgspec

from syncd import errors
from syncd.client.exceptions import LoginRefused
from syncd.errors import Scope

Answer = TypeVar("Answer")

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
_ANSWER_BYTES_MAX = 256 * 1024
_BY_NAME = {row.name: row for row in errors.TABLE if row.scope is Scope.HTTP}


class _Error(msgspec.Struct, frozen=True):
    error: str
    text: str = ""


class Http:
    """Asks one server. Credentials travel in bodies and in a header, and follow no redirect."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def ask(
        self, path: str, body: object, kind: type[Answer], token: str | None = None
    ) -> Answer:
        """Post `body`; the answer. Raises LoginRefused for everything else."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            # Another connection attempt might redeem a code twice, so nothing is tried again here.
            async with self._session.post(
                self._address + path, json=body, headers=headers, allow_redirects=False
            ) as response:
                data = await _bounded(response.content)
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            raise _unreachable(f"no answer: {type(error).__name__}") from error
        if response.status != 200:
            raise _refused(response.status, response.headers, data)
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError as error:
            raise _unreachable("an answer that cannot be read") from error


@asynccontextmanager
async def http(address: str) -> AsyncIterator[Http]:
    """A way to ask the server at this address, until the end of the block."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        yield Http(session, address)


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    data = bytearray()
    async for piece in content.iter_any():
        data += piece
        if len(data) > _ANSWER_BYTES_MAX:
            raise _unreachable("an answer that is too large")
    return bytes(data)


def _refused(status: int, headers: Mapping[str, str], data: bytes) -> LoginRefused:
    try:
        said = msgspec.json.decode(data, type=_Error)
    except msgspec.DecodeError:
        return _unreachable(f"status {status}, and no reason that can be read")
    known = _BY_NAME.get(said.error)
    retryable = status >= 500 or status == 429 if known is None else known.reconnect
    after = headers.get("Retry-After", "")
    return LoginRefused(said.error, said.text, retryable, float(after) if after.isdigit() else None)


def _unreachable(text: str) -> LoginRefused:
    return LoginRefused("unreachable", text, retryable=True)
