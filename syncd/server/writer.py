"""Writes the entries that no device sent, from HTTP or an embedder, and checks their words."""

from __future__ import annotations

import secrets
import time
from hashlib import blake2b
from itertools import count

from syncd import errors, limits
from syncd.identity import words
from syncd.identity.words import Declined
from syncd.membership import Change, read_change, write_change
from syncd.model import (
    AccountId,
    ConversationId,
    DeviceId,
    Identity,
    Intent,
    Publication,
    direct,
    is_group,
    members_of_direct,
)
from syncd.wire.codec import content_of, pack_entry
from syncd.wire.frames import Message


class PseudoDevice:
    """Gives each entry an identity of this start alone, so that no restored store ever issues an
    identity twice: a device that does not exist, and numbers from 1. For any thread."""

    def __init__(self) -> None:
        self._device = DeviceId(secrets.token_hex(limits.DEVICE_ID_CHARACTERS // 2))
        self._numbers = count(1)

    def next(self) -> Identity:
        """An identity that nothing has."""
        return Identity(self._device, next(self._numbers))


class Writer:
    """Writes publications, for a device that does not exist."""

    def __init__(self) -> None:
        self._pseudo_device = PseudoDevice()

    def publication(
        self,
        intent: Intent,
        body: bytes,
        sender: AccountId,
        idempotency: tuple[str, str | None],
        account: AccountId | None = None,
    ) -> Publication:
        """An entry, with the hash by which a repeat is known. Raises Declined.

        sender: the account shown as its sender, or "" for none. account: the one log that gets it;
        None for all members of a group. idempotency: the publisher and its key, if there is one.
        """
        if len(body) > limits.BODY_BYTES_MAX:
            raise Declined(errors.PAYLOAD_TOO_LARGE)
        publisher, key = idempotency
        chosen = secrets.token_hex(16) if key is None else _key(key)
        identity = self._pseudo_device.next()
        message = Message(
            identity.number, int(intent.kind), intent.conversation, intent.target, body
        )
        wall_ms = time.time_ns() // 1_000_000
        record = pack_entry(message, sender, identity.device, wall_ms)
        decided = content_of(message, record) + sender.encode()
        return Publication(
            publisher=publisher,
            key=chosen,
            content=blake2b(decided, digest_size=16).digest(),
            device=identity.device,
            number=identity.number,
            intent=intent,
            record=record,
            account=account,
            actor=sender or None,
        )


def author(account: str) -> AccountId:
    """An account id, or "" for nobody. Raises Declined."""
    return words.account_id(account) if account else AccountId("")


def group(conversation: str) -> ConversationId:
    """The id of a group. Raises Declined."""
    if not is_group(conversation):
        raise Declined(errors.BAD_REQUEST, "The id of a group has the form of an account id.")
    return ConversationId(conversation)


def direct_or_own(to: AccountId, sender: AccountId, wanted: str | None) -> ConversationId:
    """The direct conversation of `to` that is meant; without one that is named the one with the
    sender, or with itself. Raises Declined."""
    if wanted is None:
        return direct(to, sender or to)
    members = members_of_direct(wanted)
    if members is None or to not in members:
        raise Declined(
            errors.BAD_REQUEST, "The conversation is no direct conversation of the account."
        )
    return ConversationId(wanted)


def body_of(change: Change) -> bytes:
    """The body of the entry of a change. Raises Declined for what no device could send either."""
    for each in change.members + change.owners:
        words.account_id(each)
    body = write_change(change)
    try:
        read_change(body)
    except ValueError as error:
        raise Declined(errors.BAD_REQUEST, f"No possible change: {error}.") from None
    return body


def _key(text: str) -> str:
    if not 1 <= len(text) <= limits.KEY_CHARACTERS_MAX or not text.isprintable():
        raise Declined(
            errors.BAD_REQUEST,
            f"An idempotency key is 1 to {limits.KEY_CHARACTERS_MAX} printable characters.",
        )
    return text
