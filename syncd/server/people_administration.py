"""What an operator may do to the people of a store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from syncd import errors
from syncd.identity.accounts import Accounts
from syncd.identity.remap_file import read_changes
from syncd.identity.words import Declined
from syncd.persons import PendingUnion
from syncd.server.requests import (
    Answer,
    Logout,
    Merge,
    Pending,
    PersonRequest,
    Remap,
    Stand,
    Subjects,
)
from syncd.server.self_http import subject_facts


class PeopleAdministration:
    """Every request is answered by its facts, or Declined."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def perform(self, request: PersonRequest) -> Answer:
        """Do it; durable when this returns. Raises Declined and StorageError."""
        match request:
            case Subjects(account):
                return await self._subjects(account)
            case Merge(guest, account):
                merged = await self._accounts.merge(guest, account)
                return {
                    "guest": merged.guest,
                    "account": merged.account,
                    "entries": merged.entries,
                    "signed_out": list(merged.signed_out),
                }
            case Stand(account, standing):
                signed_out = await self._accounts.stand(account, standing)
                return {
                    "account": account,
                    "standing": standing.value,
                    "signed_out": list(signed_out),
                }
            case Pending():
                waiting = await self._accounts.pending()
                return {"pending": [_pending_facts(each) for each in waiting]}
            case Remap(platform, path):
                return await self._remap(platform, Path(path))
            case Logout(account, keep):
                ended = await self._accounts.sign_out(account, keep=keep)
                return {"account": account, "signed_out": list(ended)}

    async def _subjects(self, account: str) -> Answer:
        found, known = await self._accounts.subjects(account)
        standing = await self._accounts.standing(found)
        return {
            "account": found,
            "standing": standing.value,
            "subjects": [subject_facts(each) for each in known],
        }

    async def _remap(self, platform: str, path: Path) -> Answer:
        try:
            changes = await asyncio.to_thread(read_changes, path)
        except OSError as error:
            raise Declined(
                errors.BAD_REQUEST, f"The file cannot be read: {error.strerror}."
            ) from None
        remapped = await self._accounts.remap(platform, changes)
        return {
            "platform": platform,
            "done": remapped.done,
            "unknown": list(remapped.unknown),
            "taken": list(remapped.taken),
        }


def _pending_facts(waiting: PendingUnion) -> dict[str, Any]:
    return {
        "account": waiting.account,
        "issuer": waiting.subject.issuer,
        "name": waiting.subject.name,
        "platform": waiting.given.platform,
        "linked": None if waiting.linked is None else waiting.linked.unionid,
        "given": waiting.given.unionid,
    }
