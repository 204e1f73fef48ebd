"""API keys: shown once, kept as a hash, found by nothing but themselves."""

import re

import pytest

from syncd import errors
from syncd.identity.devices import Devices
from syncd.identity.keys import Keys
from syncd.identity.words import Declined
from syncd.storage import Storage


async def test_a_key_is_known_by_its_name(storage: Storage) -> None:
    keys = Keys(storage)
    one, other = await keys.create("billing"), await keys.create("shop")
    assert re.fullmatch(r"sk_[A-Za-z0-9_-]{43}", one)
    assert [await keys.name_of(one), await keys.name_of(other)] == ["billing", "shop"]


async def test_a_name_is_taken_once(storage: Storage) -> None:
    keys = Keys(storage)
    await keys.create("billing")
    with pytest.raises(Declined) as declined:
        await keys.create("billing")
    assert declined.value.refusal is errors.BAD_REQUEST


async def test_nothing_else_is_a_key(storage: Storage) -> None:
    keys = Keys(storage)
    token = (await Devices(storage).create("alice", name="PC1", platform="pc")).token
    for text in ("", "sk_", "sk_" + "A" * 43, token, "sk_" + token[3:], "billing"):
        assert await keys.name_of(text) is None
