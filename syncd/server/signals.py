"""Signals on their way: from one device to the connected devices of the conversation's members.

One task empties one queue, in order, a round at a time: what waits in a round is grouped by
conversation, and who is a member is read once for each, right before its signals are delivered,
and again after each rest that the task takes. So a device's signals in a conversation keep their
order, and whoever was removed before a signal came hears nothing of it.

A conversation with an account that was merged into another one goes on with that one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Set
from typing import Protocol

from syncd import limits
from syncd.membership import Members
from syncd.model import AccountId, ConversationId, DeviceId, members_of_direct
from syncd.storage import StorageError
from syncd.wire.frames import Signal, Signalled

log = logging.getLogger(__name__)

_DELIVERIES_PER_TURN = 64
_REST_S = 0.004
"""A turn takes about a millisecond and a rest four: whatever people signal into large groups, it
costs all others a fifth of the process at most."""


class Receiver(Protocol):
    """Whoever is connected."""

    def signalled(self, signal: Signalled) -> None:
        """Another device signalled. Must not raise and must not wait."""


class Audience(Protocol):
    """Who is connected, by account."""

    def of(self, account: AccountId) -> Collection[tuple[DeviceId, Receiver]]:
        """The connected devices of an account."""


class Names(Protocol):
    """Where it is written who somebody is now; storage.people, as far as signals need it."""

    async def account_of(self, account: AccountId) -> AccountId | None:
        """The account itself or what it was merged into; None for an unknown one. Raises
        StorageError."""


class Roster(Protocol):
    """Where it is written who is a member; storage, as far as signals need it."""

    @property
    def people(self) -> Names:
        """Who somebody is."""

    async def members(self, conversation: ConversationId) -> Members | None:
        """Who is in a group; None where there is no such group. Raises StorageError."""


class Signals:
    """Owns no task: `run` is the body of one that the assembler starts and cancels."""

    def __init__(self, roster: Roster, audience: Audience) -> None:
        self._roster = roster
        self._audience = audience
        self._waiting: list[Signalled] = []
        self._wanted = asyncio.Event()
        self._told = 0  # since the last rest

    def send(self, signal: Signal, account: AccountId, device: DeviceId) -> None:
        """Deliver the signal of this device, soon, if its account is a member; or lose it."""
        if len(self._waiting) < limits.SIGNALS_WAITING_MAX:
            self._waiting.append(
                Signalled(signal.conversation, account, device, signal.kind, signal.body)
            )
            self._wanted.set()

    async def run(self) -> None:
        """Serve for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._round()

    async def _round(self) -> None:
        waiting, self._waiting = self._waiting, []
        by_conversation: dict[ConversationId, list[Signalled]] = {}
        for signal in waiting:
            by_conversation.setdefault(signal.conversation, []).append(signal)
        for conversation, signals in by_conversation.items():
            members = await self._members(conversation, {each.account for each in signals})
            for signal in signals:
                members = await self._deliver(signal, members)

    async def _members(
        self, conversation: ConversationId, speakers: Set[AccountId]
    ) -> Collection[AccountId]:
        """Who is a member, under every name by which one speaks or is connected."""
        direct = members_of_direct(conversation)
        try:
            if direct is not None:
                return {*direct, *[await self._connected_as(one) for one in direct]}
            members = await self._roster.members(conversation) or {}
            account_of = self._roster.people.account_of
            # A session that a merge ends still says away, as the guest that it was.
            guests = [one for one in speakers - members.keys() if await account_of(one) in members]
            return dict.fromkeys((*members, *guests))
        except StorageError as error:
            log.error("! signals are lost, the members cannot be read: %s", error)
            return ()

    async def _connected_as(self, account: AccountId) -> AccountId:
        """Who that is now. Whoever is connected was not merged into anybody."""
        if self._audience.of(account):
            return account
        return await self._roster.people.account_of(account) or account

    async def _deliver(
        self, signal: Signalled, members: Collection[AccountId]
    ) -> Collection[AccountId]:
        """Tell everybody; the members as they were when the last one was told."""
        for account in tuple(members) if signal.account in members else ():
            for device, receiver in self._audience.of(account):
                if self._told == _DELIVERIES_PER_TURN:
                    self._told = 0
                    await asyncio.sleep(_REST_S)
                    members = await self._members(signal.conversation, {signal.account})
                if device != signal.device and signal.account in members and account in members:
                    receiver.signalled(signal)
                    self._told += 1
        return members
