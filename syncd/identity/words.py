"""The words that people and programs may use for accounts, devices and keys, and how we decline."""

from __future__ import annotations

import unicodedata

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.model import AccountId, DeviceId, is_account, is_device

_UNSAFE_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, lone surrogates, line and paragraph separators: what would break a line of a
log, a header, a terminal or UTF-8 itself."""

_TURNS = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
"""Marks that turn the direction of writing: with them a name can disguise the text around it."""


class Declined(Exception):
    """What was asked for is not done, certainly. `refusal` is for machines, the text for people.

    The text never repeats what may be a secret. retry_after_s: where it is known when it is worth
    another try.
    """

    def __init__(
        self, refusal: Refusal, text: str | None = None, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(text or refusal.text)
        self.refusal = refusal
        self.retry_after_s = retry_after_s


def account_id(text: str) -> AccountId:
    """`text` as an account id. Raises Declined."""
    if not is_account(text):
        raise Declined(
            errors.BAD_REQUEST,
            f"An account id is 1 to {limits.ACCOUNT_CHARACTERS_MAX} ASCII letters, digits and"
            " . _ @ : + = - and nothing else.",
        )
    return AccountId(text)


def device_id(text: str) -> DeviceId:
    """`text` as a device id. Raises Declined: what is no id names no device."""
    if not is_device(text):
        raise Declined(errors.NOT_FOUND, "There is no such device.")
    return DeviceId(text)


def device_name(text: str) -> str:
    """`text` as the name of a device, verbatim. Raises Declined."""
    return _plain("A device's name", text, limits.NAME_CHARACTERS_MAX)


def platform(text: str) -> str:
    """`text` as a platform: pc, phone, bot ... Raises Declined."""
    return _plain("A platform", text, limits.PLATFORM_CHARACTERS_MAX)


def key_name(text: str) -> str:
    """`text` as the name of an API key. Raises Declined."""
    return _plain("A key's name", text, limits.NAME_CHARACTERS_MAX)


def _plain(what: str, text: str, characters_max: int) -> str:
    if not 1 <= len(text) <= characters_max or text != text.strip():
        raise Declined(
            errors.BAD_REQUEST,
            f"{what} is 1 to {characters_max} characters, none of them a space at either end.",
        )
    if any(unicodedata.category(each) in _UNSAFE_CATEGORIES or each in _TURNS for each in text):
        raise Declined(errors.BAD_REQUEST, f"{what} holds no control characters.")
    return text
