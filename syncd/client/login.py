"""Logging in: what a store then holds is a device of the person's account, for `connect`.

A login proves who somebody is, by a code of a platform, a token of an issuer, or a device that is
signed in already and says yes. The store proves which device it is. So the same store stays the
same device, and a new one is a new device that fetches the whole log.

What comes back is stored before anybody can use it. Where the answer is lost, logging in once more
with a new code is all that is to be done.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from syncd.client.address import http_address, sync_address
from syncd.client.device import Device
from syncd.client.exceptions import LoginRefused, StoreMismatch, StoreUnusable
from syncd.client.http import Http, http
from syncd.client.sqlite_store import SqliteStore
from syncd.client.store import ClientStore, Credentials
from syncd.model import AccountId, DeviceId

Store: TypeAlias = ClientStore | Device | str | os.PathLike[str]
"""A store that is not open, the path of a durable one, or a running device, whose store it is."""

_SLOWER_S = 5
"""How much longer to wait after a slow_down (RFC 8628, section 3.5)."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Who logged in, and where.

    case: returned, created, upgraded, merged, linked, pending, added or vouched (PROTOCOL.md).
    new_device: the server made the device by this login.
    merged: the account that this store was of, where it turned out to be `account`: the next
        verdict is reset{merged}, and the store is `account`'s from then on.
    """

    account: AccountId
    device: DeviceId
    case: str
    new_device: bool
    merged: AccountId | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a new device shows to its person, who scans or types the code on another device.

    matching_code: shown there, too; the person compares. qr: a picture of
    verification_uri_complete, as SVG. expires_in: seconds.
    """

    verification_uri_complete: str
    user_code: str
    matching_code: str
    qr: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Newcomer:
    """The device that wants to be let in, in its own words, which need not be true.

    place: where it asked from, as the server saw it. matching_code: must be the one that it shows.
    """

    name: str
    platform: str
    place: str
    matching_code: str


class _Answer(msgspec.Struct, frozen=True):
    account: AccountId
    device: DeviceId
    token: str
    secret: str | None
    new_device: bool
    case: str

    def __repr__(self) -> str:  # credentials have no business in a log
        return f"_Answer({self.account}/{self.device})"


class _Begun(msgspec.Struct, frozen=True):
    device_code: str
    user_code: str
    matching_code: str
    verification_uri_complete: str
    expires_in: int
    interval: float
    qr: str = ""

    def __repr__(self) -> str:
        return f"_Begun({self.user_code})"


class _Done(msgspec.Struct, frozen=True):
    """An answer that says no more than that it went well."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """A store and its server, at one request or a few."""

    server: str
    store: ClientStore
    door: Http
    own: Credentials

    def installation(self, name: str, platform: str) -> dict[str, object]:
        """What a login says of this device."""
        words: dict[str, object] = {"name": name, "platform": platform}
        if self.own.device is None:
            return words
        if self.own.secret is None:
            raise StoreUnusable(
                f"the store is of {self.own.whose()}, which was made without a login, so nothing "
                "proves it: log in with a new store"
            )
        return words | {"device": {"id": self.own.device, "secret": self.own.secret}}

    def token(self) -> str:
        if self.own.token is None:
            raise ValueError("the store holds no token: log in first")
        return self.own.token

    async def log_in(self, path: str, body: object, token: str | None = None) -> LoggedIn:
        answer = await self.door.ask(path, body, _Answer, token)
        given = Credentials(self.server, answer.account, answer.device, answer.token, answer.secret)
        await self.store.call(lambda shelf: shelf.log_in(given))
        before = self.own.account
        merged = None if before == answer.account else before
        return LoggedIn(answer.account, answer.device, answer.case, answer.new_device, merged)


@asynccontextmanager
async def _visit(url: str, store: Store) -> AsyncIterator[_Visit]:
    server = sync_address(url)
    async with _opened(store) as opened, http(http_address(server)) as door:
        own = await opened.call(lambda shelf: shelf.credentials())
        if own.server not in ("", server):
            raise StoreMismatch(own.server, server)
        yield _Visit(server, opened, door, own)


@asynccontextmanager
async def _opened(store: Store) -> AsyncIterator[ClientStore]:
    if isinstance(store, Device):
        yield store.store
        return
    opened = SqliteStore(store) if isinstance(store, str | os.PathLike) else store
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()


# ---------------------------------------------------------------- by proof


async def log_in(
    url: str,
    *,
    store: Store,
    name: str,
    platform: str,
    app: str | None = None,
    code: str | None = None,
    jwt: str | None = None,
) -> LoggedIn:
    """Log in by a code that the platform gave to `app`, or by a token of an issuer.

    url: as in `connect`.
    store: keeps what it gives; one that logged in before stays the same device. Every login ends
        the device's token: a running device of this store stops with token_rotated, and connecting
        anew takes the new one.
    name, platform: what the person's other devices call this one.

    Raises LoginRefused; OtherAccount where it was somebody else's login than the store's (each
    account needs a store of its own); StoreError; ValueError for arguments that make no sense.
    """
    async with _visit(url, store) as visit:
        body = visit.installation(name, platform) | _proof(app, code, jwt)
        return await visit.log_in("/v1/login", body)


def _proof(app: str | None, code: str | None, jwt: str | None) -> dict[str, object]:
    match app, code, jwt:
        case str(), str(), None:
            return {"app": app, "code": code}
        case None, None, str():
            return {"jwt": jwt}
    raise ValueError("a login is by app and code, or by jwt")


async def bring_union(
    url: str,
    store: Store,
    *,
    encrypted_data: str,
    iv: str,
    raw_data: str | None = None,
    signature: str | None = None,
) -> LoggedIn:
    """Tell the union of whoever is logged in, as the platform gave it to the client by consent.

    It is another login: of a guest it may be a merge, and the token is a new one. Raises as
    `log_in` does.
    """
    given = {
        "encrypted_data": encrypted_data,
        "iv": iv,
        "raw_data": raw_data,
        "signature": signature,
    }
    async with _visit(url, store) as visit:
        return await visit.log_in("/v1/login/unionid", given, visit.token())


# ---------------------------------------------------------------- by another device


async def log_in_by_qr(
    url: str, *, store: Store, name: str, platform: str, show: Callable[[Prompt], None]
) -> LoggedIn:
    """Log in on this device because another one of the person's says yes: RFC 8628 underneath.

    show: is given what the person is to see, once, before the wait begins; must not block.

    Waits until the person has decided or the code is over. Raises as `log_in` does; LoginRefused
    is named access_denied or expired_token then, and calling once more begins anew.
    """
    async with _visit(url, store) as visit:
        begun = await visit.door.ask("/v1/pairing", visit.installation(name, platform), _Begun)
        address, codes = begun.verification_uri_complete, (begun.user_code, begun.matching_code)
        show(Prompt(address, *codes, begun.qr, begun.expires_in))
        return await _decided(visit, begun)


async def _decided(visit: _Visit, begun: _Begun) -> LoggedIn:
    clock = asyncio.get_running_loop().time
    until, interval_s = clock() + begun.expires_in, begun.interval
    while True:
        await asyncio.sleep(interval_s)
        try:
            return await visit.log_in("/v1/pairing/token", {"device_code": begun.device_code})
        except LoginRefused as refused:
            if refused.name == "slow_down":
                interval_s += _SLOWER_S
            elif not (refused.retryable or refused.name == "authorization_pending"):
                raise
            if clock() >= until:
                raise


async def scan(url: str, store: Store, user_code: str) -> Newcomer:
    """Tell the server that this device has seen the code of another one. Nothing else follows from
    it: the person compares and decides, and then calls `approve` or `decline`.

    store: of a device that is logged in. Raises LoginRefused, StoreError.
    """
    async with _visit(url, store) as visit:
        asked = {"user_code": user_code}
        return await visit.door.ask("/v1/pairing/scan", asked, Newcomer, visit.token())


async def approve(url: str, store: Store, user_code: str) -> None:
    """Let in the device of the code that was scanned: it becomes a device of this account.

    Raises LoginRefused, StoreError.
    """
    await _decide(url, store, user_code, "/v1/pairing/confirm")


async def decline(url: str, store: Store, user_code: str) -> None:
    """Keep out the device of the code. Raises LoginRefused, StoreError."""
    await _decide(url, store, user_code, "/v1/pairing/decline")


async def _decide(url: str, store: Store, user_code: str, path: str) -> None:
    async with _visit(url, store) as visit:
        await visit.door.ask(path, {"user_code": user_code}, _Done, visit.token())
