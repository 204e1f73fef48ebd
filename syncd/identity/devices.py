"""Devices of accounts: making them, knowing them by their token, ending their right.

A token is shown once, to whoever made the device; storage keeps its SHA-256 only. It has 256
random bits, so a plain hash cannot be searched, and finding it by its hash tells a clock nothing.
"""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.identity import words
from syncd.identity.words import Declined
from syncd.model import AccountId, Device, DeviceId
from syncd.persons import Standing
from syncd.storage import Storage

SECRET_BYTES = 32
_TOKEN = re.compile(r"sd_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a device needs to log in. The token cannot be had a second time."""

    device: DeviceId
    token: str

    def __repr__(self) -> str:
        # Values end up in logs and in failure messages of tests; tokens must not.
        return f"Credential(device={self.device!r})"


@dataclass(frozen=True, slots=True)
class Admission:
    """Whose token it was.

    credential: the version of the device's token; None where an embedder's own login vouches for
        the device, which must have been made here all the same.
    """

    account: AccountId
    device: DeviceId
    credential: int | None


def secret(prefix: str, draw: Callable[[int], bytes]) -> str:
    """A new secret: its prefix says what it is, to people and to scanners of leaked secrets."""
    return prefix + urlsafe_b64encode(draw(SECRET_BYTES)).rstrip(b"=").decode("ascii")


def hash_of_secret(text: str) -> bytes:
    """What storage keeps of a secret."""
    return sha256(text.encode("ascii")).digest()


def facts(device: Device) -> dict[str, str | int | bool | None]:
    """A device as an operator or an API sees it."""
    return {
        "device": device.device,
        "account": device.account,
        "name": device.name,
        "platform": device.platform,
        "revoked": device.revoked,
        "signed_out": None if device.ended is None else device.ended.name,
        "epoch": device.epoch.hex(),
        "cursor": device.cursor,
        "head": device.head,
        "lag": device.head - device.cursor,
        "sent": device.sent,
        "verdict": device.verdict,
    }


def _nobody_is_connected(device: DeviceId, refusal: Refusal) -> None:
    pass


class Devices:
    """All devices of a store.

    ended: told, after the change is durable, that a device's live sessions have lost their right
        and with which refusal to close them.
    draw: gives random bytes.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        ended: Callable[[DeviceId, Refusal], None] = _nobody_is_connected,
        draw: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._storage = storage
        self._ended = ended
        self._draw = draw

    async def create(self, account: str, *, name: str, platform: str) -> Credential:
        """Make a device, and its account where it does not exist yet. Raises Declined.

        It has no secret: its token alone proves it.
        """
        owner = words.account_id(account)
        shown, kind = words.device_name(name), words.platform(platform)
        device = DeviceId(self._draw(limits.DEVICE_ID_CHARACTERS // 2).hex())
        token = secret("sd_", self._draw)
        await self._insist_on_somebody(owner)
        await self._storage.create_account(owner)
        await self._storage.create_device(owner, device, shown, kind, hash_of_secret(token))
        return Credential(device, token)

    async def authenticate(self, token: str) -> Admission | Refusal:
        """Whose token this is. What opens nothing looks alike, whatever is wrong with it; the token
        of a device that was revoked or signed out is told so."""
        if _TOKEN.fullmatch(token) is None:
            return errors.NOT_AUTHENTICATED
        found = await self._storage.device_by_token(hash_of_secret(token))
        if found is None:
            return errors.NOT_AUTHENTICATED
        if found.revoked:
            return errors.DEVICE_REVOKED
        if found.ended is not None:
            return found.ended
        return Admission(found.account, found.device, found.credential)

    async def rotate(self, account: str, device: str) -> Credential:
        """Give a device of this account a new token; the old one opens nothing from now on.

        Raises Declined when the account has no such device, or when it was revoked.
        """
        wanted = words.device_id(device)
        known = {each.device: each for each in await self.listed(account)}
        if wanted not in known:
            raise Declined(errors.NOT_FOUND, "The account has no such device.")
        if known[wanted].revoked:
            raise Declined(errors.BAD_REQUEST, "The device was revoked, and that is for ever.")
        await self._insist_on_somebody(known[wanted].account)
        token = secret("sd_", self._draw)
        await self._storage.change_credential(wanted, hash_of_secret(token))
        self._ended(wanted, errors.TOKEN_ROTATED)
        return Credential(wanted, token)

    async def _insist_on_somebody(self, account: AccountId) -> None:
        if await self._storage.people.standing(account) is Standing.GONE:
            raise Declined(errors.ACCOUNT_GONE)

    async def revoke(self, device: str) -> Device:
        """End a device's right for ever; doing it twice is no error. Raises Declined."""
        wanted = words.device_id(device)
        try:
            revoked = await self._storage.change_credential(wanted, None)
        except KeyError:
            raise Declined(errors.NOT_FOUND, "There is no such device.") from None
        self._ended(wanted, errors.DEVICE_REVOKED)
        return revoked

    async def listed(self, account: str) -> list[Device]:
        """Every device of the account that this one is, oldest first. Raises Declined for an
        unknown one."""
        owner = await self._storage.people.account_of(words.account_id(account))
        if owner is None:
            raise Declined(errors.NO_SUCH_ACCOUNT)
        return await self._storage.devices(owner)
