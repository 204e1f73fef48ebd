"""API keys: by which a program publishes over HTTP and makes devices for its own users."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from syncd import errors
from syncd.identity import words
from syncd.identity.devices import hash_of_secret, secret
from syncd.identity.words import Declined
from syncd.storage import Storage

_KEY = re.compile(r"sk_[A-Za-z0-9_-]{43}")


class Keys:
    """All API keys of a store. Like tokens they are shown once and kept as a hash only."""

    def __init__(self, storage: Storage, *, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._storage = storage
        self._draw = draw

    async def create(self, name: str) -> str:
        """Make a key under a name of its own. Raises Declined when the name is taken."""
        shown = words.key_name(name)
        key = secret("sk_", self._draw)
        try:
            await self._storage.add_key(shown, hash_of_secret(key))
        except KeyError:
            raise Declined(errors.BAD_REQUEST, "A key of this name exists.") from None
        return key

    async def name_of(self, key: str) -> str | None:
        """The name of this key; None for everything that is no key of this store."""
        if _KEY.fullmatch(key) is None:
            return None
        return await self._storage.key_name(hash_of_secret(key))
