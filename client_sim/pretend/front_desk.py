"""Where devices of a pretended house log in: what they would ask for over HTTP, whatever becomes of
the server meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol, TypeVar

from client_sim.evidence import Evidence, FreshCode, LoginRefused, Scanned, UsedCode
from client_sim.house import Enrolled
from client_sim.platform import Platform
from client_sim.pretend.node import Node
from syncd.errors import Refusal
from syncd.identity.codes import Code
from syncd.identity.login import Installation, LoggedIn, installation
from syncd.identity.words import Declined
from syncd.persons import Vouch
from syncd.storage import StorageError

Answer = TypeVar("Answer")

_LOOK_AGAIN_S = 0.05


class Insist(Protocol):
    """What the server answers; the next one is asked again where it dies before that."""

    def __call__(
        self, ask: Callable[[Node], Coroutine[object, object, Answer]]
    ) -> Coroutine[object, object, Answer]: ...


class FrontDesk:
    """Of one house, for as long as that stands."""

    def __init__(self, platform: Platform, insist: Insist) -> None:
        self._platform = platform
        self._insist = insist
        self._codes: dict[str, Code] = {}

    async def log_in(
        self, name: str, platform: str, kept: Enrolled | None, evidence: Evidence
    ) -> Enrolled:
        """See House."""
        shown = (None, None) if kept is None else (kept.device, kept.secret)
        where = installation(name, platform, *shown)
        got = await self._asked(lambda node: self._logged_in(node, name, where, evidence))
        return Enrolled(got.device, got.token, got.account, got.secret or "")

    async def sign_out(self, account: str) -> None:
        """See House."""
        await self._asked(lambda node: node.sound(node.reception.accounts.sign_out(account)))

    async def merge(self, guest: str, account: str) -> None:
        """See House."""
        await self._asked(lambda node: node.sound(node.reception.accounts.merge(guest, account)))

    async def _asked(self, ask: Callable[[Node], Coroutine[object, object, Answer]]) -> Answer:
        """As whoever hears that the service is unavailable asks again."""
        while True:
            try:
                return await self._insist(ask)
            except StorageError:
                await asyncio.sleep(_LOOK_AGAIN_S)
            except Declined as declined:
                raise LoginRefused(declined.refusal.name) from None

    async def _logged_in(
        self, node: Node, name: str, where: Installation, evidence: Evidence
    ) -> LoggedIn:
        login = node.reception.login
        match evidence:
            case FreshCode(app=app):
                self._codes[name] = Code(app, self._platform.code(evidence))
                asked = login.log_in(self._codes[name], where)
            case UsedCode(device):
                asked = login.log_in(self._codes[device], where)
            case Scanned(token=token):
                asked = login.vouched(await _vouch(node, token), where)
        return await node.sound(asked)


async def _vouch(node: Node, token: str) -> Vouch:
    caller = await node.authenticate(token)
    if isinstance(caller, Refusal):
        raise Declined(caller)
    assert caller.credential is not None, "it showed a token"
    return Vouch(caller.account, caller.device, caller.credential)
