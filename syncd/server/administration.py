"""What an operator may do to a store: by the admin socket, or by a command without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from syncd import errors
from syncd.identity import words
from syncd.identity.accounts import Accounts
from syncd.identity.devices import Credential, Devices, facts
from syncd.identity.keys import Keys
from syncd.identity.words import Declined
from syncd.limits import TRIM_UNASKED_ENTRIES, TRIM_UNASKED_PERCENT_MAX
from syncd.model import AccountId, Kind, ReadRequest
from syncd.recording.storage import RecordedFiles
from syncd.retention import Retention
from syncd.server.people_administration import PeopleAdministration
from syncd.server.requests import (
    Answer,
    Devicelist,
    Erase,
    Import,
    Key,
    Request,
    Retain,
    Revoke,
    Sweep,
    Token,
    Trim,
)
from syncd.storage import UNKNOWN_EPOCH, NotErasable, Storage
from syncd.storage.sqlite import SqliteStorage
from syncd.storage.transfer import TransferRefused

_UNERASABLE: dict[int, str] = {
    Kind.RECALL: "a recall",
    Kind.DELETE: "a deletion on the own devices",
    Kind.READ: "a read mark",
    Kind.SYSTEM: "a change of a group's members",
}
"""What an operator is told that an entry is, by its kind."""


class Administration:
    """What an operator may do to a store. Every request is answered by its facts, or Declined."""

    def __init__(
        self,
        storage: Storage,
        devices: Devices,
        keys: Keys,
        wake: Callable[[Iterable[AccountId]], None],
        retention: Retention,
        accounts: Accounts,
    ) -> None:
        self._storage = storage
        self._devices = devices
        self._keys = keys
        self._wake = wake
        self._retention = retention
        self._people = PeopleAdministration(accounts)

    async def perform(self, request: Request) -> Answer:
        """Do it; durable when this returns. Raises Declined and StorageError."""
        match request:
            case Token(account, _, _, device) if device is not None:
                return _shown(await self._devices.rotate(account, device))
            case Token(account, name, platform):
                return _shown(await self._devices.create(account, name=name, platform=platform))
            case Key(name):
                return {"name": name, "key": await self._keys.create(name)}
            case Devicelist(account):
                found = await self._devices.listed(account)
                return {"account": account, "devices": [facts(each) for each in found]}
            case Revoke(device):
                return facts(await self._devices.revoke(device))
            case Trim(account, before, anyway):
                return await self._trim(words.account_id(account), before, anyway)
            case Erase(account, seq, edits):
                return await self._erase(words.account_id(account), seq, edits)
            case Import(account, path):
                return await self._import(words.account_id(account), Path(path))
            case Retain(account):
                return await self._retain(words.account_id(account), request)
            case Sweep(anyway):
                return {**await self._retention.sweep(anyway)}
            case _:
                return await self._people.perform(request)

    async def _trim(self, account: AccountId, before: int, anyway: bool) -> Answer:
        if before < 1:
            raise Declined(errors.BAD_REQUEST, "A log begins with seq 1.")
        # No log holds anything after -1, so this only tells how the log stands.
        [stands] = await self._storage.read([ReadRequest(account, -1, 0)])
        if stands.epoch == UNKNOWN_EPOCH:
            raise Declined(errors.NO_SUCH_ACCOUNT)
        if before > stands.head + 1:
            raise Declined(
                errors.BAD_REQUEST,
                f"The head is {stands.head}; --before is at most {stands.head + 1}.",
            )
        held, dropped = stands.head - stands.floor, before - 1 - stands.floor
        too_much = dropped * 100 > held * TRIM_UNASKED_PERCENT_MAX
        if too_much and held > TRIM_UNASKED_ENTRIES and not anyway:
            raise Declined(
                errors.BAD_REQUEST,
                f"Nothing was dropped: it would have been {dropped} of {held} entries;"
                " --anyway drops them all the same.",
            )
        floor = await self._storage.trim(account, before)
        # Connected devices that stand below the floor are told so in place of a batch.
        self._wake((account,))
        return {"account": account, "floor": floor, "dropped": floor - stands.floor}

    async def _erase(self, account: AccountId, seq: int, with_edits: bool) -> Answer:
        try:
            logs = await self._storage.erase(account, seq)
            edits = await self._storage.edits(account, seq)
            if with_edits:
                for place in edits:
                    await self._storage.erase(account, place)
        except KeyError:
            if account not in await self._storage.heads([account]):
                raise Declined(errors.NO_SUCH_ACCOUNT) from None
            raise Declined(
                errors.BAD_REQUEST, f"The log of {account} holds no entry {seq}."
            ) from None
        except NotErasable as refused:
            what = _UNERASABLE.get(refused.kind, "an entry of another kind")
            raise Declined(
                errors.BAD_REQUEST,
                f"Entry {seq} is {what}, not a message; its body cannot be erased.",
            ) from None
        listed = [
            {"seq": place, "device": each.device, "number": each.number}
            for place, each in edits.items()
        ]
        return {
            "account": account,
            "seq": seq,
            "logs": logs,
            "edits": listed,
            "edits_erased": with_edits,
        }

    async def _import(self, account: AccountId, path: Path) -> Answer:
        if not isinstance(self._storage, SqliteStorage | RecordedFiles):
            raise Declined(errors.BAD_REQUEST, "An account is imported into a store in files.")
        try:
            imported = await self._storage.import_account(account, path)
        except TransferRefused as refused:
            raise Declined(errors.BAD_REQUEST, str(refused)) from None
        except OSError as error:
            raise Declined(
                errors.BAD_REQUEST, f"The file cannot be read: {error.strerror}."
            ) from None
        self._wake((account,))
        return {
            "account": account,
            "entries": imported.entries,
            "devices": imported.devices,
            "floor": imported.floor,
            "head": imported.head,
        }

    async def _retain(self, account: AccountId, asked: Retain) -> Answer:
        try:
            if asked.default:
                return {**await self._retention.keep_default(account)}
            if asked.entries is None and asked.days is None:
                return {**await self._retention.rule(account)}
            return {**await self._retention.keep(account, asked.entries, asked.days)}
        except KeyError:
            raise Declined(errors.NO_SUCH_ACCOUNT) from None
        except ValueError as error:
            raise Declined(errors.BAD_REQUEST, str(error)) from None


def _shown(credential: Credential) -> Answer:
    return {"device": credential.device, "token": credential.token}
