"""How much an account, an address and a key may ask for, so that nobody can ask for everybody's.

A person or a busy bot never meets these limits. An account that sends too much is not refused but
read more slowly; who connects or asks too often is told when to come again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from syncd import errors, limits
from syncd.allowance import Allowances
from syncd.identity.words import Declined
from syncd.model import AccountId
from syncd.server.http import Answering
from syncd.server.refusals import refused

_EXEMPT = ("/healthz", "/readyz", "/v1/sync")
"""Cheap, and asked by probes; or limited where it is answered."""

_FRAME_TOKENS = 0.1
"""A frame that carries no message, an ack say, costs about a tenth of one that does."""

_TOKEN_BYTES = 1024
"""A large message costs as much as several small ones: so many bytes of a frame are one."""

_TOKEN_DELIVERED_BYTES = 16 * 1024
"""So many bytes of a backlog cost as much as a message: by default 32 MiB come at once, and 8 MiB a
second after that, because acks are not read meanwhile and the window stays full."""

_TOKEN_ENTRIES = 25
"""So many further entries cost as much as a message: one account may write 20 messages a second
to a group of the largest size, by default, for as long as it likes."""

_NETWORK_PREFIX_BITS = 64
"""One IPv6 customer has all addresses of such a network."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What an operator may set; 0 switches a limit off."""

    account: int = limits.ACCOUNT_MESSAGES_PER_SECOND
    address: int = limits.ADDRESS_REQUESTS_PER_SECOND
    key: int = limits.KEY_REQUESTS_PER_SECOND


class Stranger:
    """One socket of an address, until it has shown a token that opens something, or is gone."""

    __slots__ = ("_address", "_strangers")

    def __init__(self, strangers: Counter[str], address: str) -> None:
        self._strangers: Counter[str] | None = strangers
        self._address = address
        strangers[address] += 1

    def known(self) -> None:
        """It is none any more; saying so twice is no error."""
        strangers, self._strangers = self._strangers, None
        if strangers is not None:
            strangers[self._address] -= 1
            if not strangers[self._address]:
                del strangers[self._address]


class Throttle:
    """All buckets of one service. `clock` gives monotonic seconds."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        account, address, key = rates.account, rates.address, rates.key
        self._counts: Final = account > 0
        self._messages: Allowances[AccountId] = Allowances(
            account, account * limits.ACCOUNT_BURST_S, limits.ACCOUNT_DEBT_S_MAX
        )
        hellos = limits.ACCOUNT_HELLOS_PER_SECOND if account else 0
        self._hellos: Allowances[AccountId] = Allowances(hellos, limits.ACCOUNT_HELLOS_BURST)
        self._addresses: Allowances[str] = Allowances(address, address * limits.ADDRESS_BURST_S)
        self._keys: Allowances[bytes] = Allowances(key, key * limits.KEY_BURST_S)
        self._strangers_max = limits.STRANGERS_PER_ADDRESS_MAX if address else 0
        self._strangers: Counter[str] = Counter()
        self._held: Counter[AccountId] = Counter()

    # ------------------------------------------------------------ sockets

    def upgrade(self, request: web.Request) -> Stranger | web.Response:
        """Let a socket in, or refuse the upgrade. The caller owes: `known` at its end at last."""
        address = network_of(request.remote)
        if self._strangers_max and self._strangers[address] >= self._strangers_max:
            return _refused(limits.HELLO_TIMEOUT_S)
        wait_s = self._addresses.take(address, 1, self._clock())
        return _refused(wait_s) if wait_s else Stranger(self._strangers, address)

    def hello(self, account: AccountId) -> int:
        """Milliseconds until a device of the account may say hello; 0 when this one may."""
        return ceil(self._hellos.take(account, 1, self._clock()) * 1000)

    async def hold(self, account: AccountId) -> None:
        """Keep a socket waiting whose account says hello too often. Where it is one of many, it
        waits for nothing: what is held costs memory."""
        if self._held[account] >= limits.HELD_SOCKETS_PER_ACCOUNT_MAX:
            return
        self._held[account] += 1
        try:
            await asyncio.sleep(limits.HELLO_HELD_S)
        finally:
            self._held[account] -= 1
            if not self._held[account]:
                del self._held[account]

    def received(self, account: AccountId, size: int) -> None:
        """A frame of so many bytes came from a device of the account."""
        if self._counts:
            self._messages.charge(account, _FRAME_TOKENS + size / _TOKEN_BYTES, self._clock())

    def submitted(self, account: AccountId, messages: int) -> None:
        """It held so many messages."""
        if self._counts:
            self._messages.charge(account, messages, self._clock())

    def delivered(self, account: AccountId, size: int) -> None:
        """So many bytes of its log are on their way to one of its devices."""
        if self._counts:
            self._messages.charge(account, size / _TOKEN_DELIVERED_BYTES, self._clock())

    def fanned_out(self, account: AccountId, entries: int) -> None:
        """So many entries were written beside the two of any direct message."""
        if self._counts:
            self._messages.charge(account, entries / _TOKEN_ENTRIES, self._clock())

    def exhausted(self, account: AccountId) -> bool:
        """Whether the account's sockets should not be read from."""
        return self._counts and self._messages.exhausted(account, self._clock())

    # ------------------------------------------------------------ requests

    def address_of(self, request: web.Request) -> str:
        """Whom the limits of an address are for; "" where there are none, because all come from one
        (a proxy)."""
        return network_of(request.remote) if self._strangers_max else ""

    def middleware(self) -> Middleware:
        """What stands before every HTTP request but the upgrade and the probes.

        A credential that opened something has a bucket of its own; until then, and without one, a
        request counts for its address: so nobody tries keys faster than that.
        """

        @web.middleware
        async def throttled(request: web.Request, handler: Answering) -> web.StreamResponse:
            resource = request.match_info.route.resource
            if resource is not None and resource.canonical.endswith(_EXEMPT):
                return await handler(request)
            shown = request.headers.get(hdrs.AUTHORIZATION, "")
            key = blake2b(shown.encode("utf-8", "surrogateescape"), digest_size=16).digest()
            if key in self._keys:
                wait_s = self._keys.take(key, 1, self._clock())
            else:
                wait_s = self._addresses.take(network_of(request.remote), 1, self._clock())
            if wait_s:
                return _refused(wait_s)
            try:
                response = await handler(request)
            except Declined as declined:
                if shown and declined.refusal is not errors.UNAUTHORIZED:
                    self._keys.meet(key, self._clock())
                raise
            if shown:
                self._keys.meet(key, self._clock())
            return response

        return throttled


@lru_cache(maxsize=1024)
def network_of(remote: str | None) -> str:
    """Whom the limits of an address are for: an IPv4 address, or the network of an IPv6 one."""
    try:
        address = ip_address(remote or "")
    except ValueError:
        return remote or ""  # a socket without addresses
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _NETWORK_PREFIX_BITS << _NETWORK_PREFIX_BITS))


def _refused(wait_s: float) -> web.Response:
    return refused(errors.TOO_MANY_REQUESTS, retry_after_s=max(1, ceil(wait_s)))
