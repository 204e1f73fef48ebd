"""What a person does in a conversation, each as the one message that says it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from syncd.membership import Action, Change, write_change
from syncd.model import Accepted, AccountId, Identity, Kind


class Verbs(ABC):
    """All of these are messages, and `send` says what that means: in the outbox first, waited for
    until they are durable, sent again until they are answered, of one effect.

    Each raises SendRefused where the server says no: it judges who may, and it alone.
    """

    @abstractmethod
    async def send(
        self,
        conversation: str,
        body: bytes,
        *,
        kind: int = Kind.MESSAGE,
        target: Identity | None = None,
    ) -> Accepted:
        """Send a message and wait until it is durable on the server."""

    # -------------------------------------------------------- messages

    async def edit(self, conversation: str, target: Identity, body: bytes) -> Accepted:
        """Give an own message another body, for everybody."""
        return await self.send(conversation, body, kind=Kind.EDIT, target=target)

    async def recall(self, conversation: str, target: Identity) -> Accepted:
        """Take an own message back, for everybody."""
        return await self.send(conversation, b"", kind=Kind.RECALL, target=target)

    async def delete(self, conversation: str, target: Identity) -> Accepted:
        """Have a message shown no more on the own account's devices; others keep it."""
        return await self.send(conversation, b"", kind=Kind.DELETE, target=target)

    async def read(self, conversation: str, target: Identity) -> Accepted:
        """The conversation was read up to this entry, says the account to all its devices.

        Refused as `mark_backwards` where it was read as far before.
        """
        return await self.send(conversation, b"", kind=Kind.READ, target=target)

    # -------------------------------------------------------- groups

    async def create_group(
        self, group: str, members: Iterable[str], *, owners: Iterable[str] = ()
    ) -> Accepted:
        """Make a group under an id that nobody has used; the own account becomes an owner.

        group: 1 to 64 of ``A-Z a-z 0-9 . _ @ : + = -``.
        """
        return await self._change(group, Action.CREATE, members, owners)

    async def add(
        self, group: str, members: Iterable[str], *, owners: Iterable[str] = ()
    ) -> Accepted:
        """Take accounts into a group, or change their role; by an owner. Their logs begin to hold
        the group here."""
        return await self._change(group, Action.ADD, members, owners)

    async def remove(self, group: str, members: Iterable[str]) -> Accepted:
        """Take accounts out of a group; by an owner. They see this last."""
        return await self._change(group, Action.REMOVE, members, ())

    async def leave(self, group: str) -> Accepted:
        """Go out of a group."""
        return await self._change(group, Action.LEAVE, (), ())

    async def _change(
        self, group: str, action: Action, members: Iterable[str], owners: Iterable[str]
    ) -> Accepted:
        if isinstance(members, str) or isinstance(owners, str):
            raise TypeError("members and owners are several accounts: a list, not one str")
        change = Change(action, tuple(map(AccountId, members)), tuple(map(AccountId, owners)))
        return await self.send(group, write_change(change), kind=Kind.SYSTEM)
