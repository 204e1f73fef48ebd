"""Tests of the cursor's key."""

import pytest

from syncd.model import AccountId, CursorScope
from syncd.storage.cursors import cursor_key

from .works import ALICE, BOB, PHONE, TABLET


def test_only_device_scope_gives_every_device_its_own_key() -> None:
    def same(scope: CursorScope, platforms: tuple[str, str]) -> bool:
        one, other = platforms
        return cursor_key(scope, PHONE, ALICE, one) == cursor_key(scope, TABLET, ALICE, other)

    for platforms in (("pc", "pc"), ("pc", "phone")):
        assert not same(CursorScope.DEVICE, platforms)
        assert same(CursorScope.ACCOUNT, platforms)
    assert same(CursorScope.PLATFORM, ("pc", "pc"))
    assert not same(CursorScope.PLATFORM, ("pc", "phone"))


@pytest.mark.parametrize("scope", CursorScope)
def test_two_accounts_never_share_a_key(scope: CursorScope) -> None:
    assert cursor_key(scope, PHONE, ALICE, "pc") != cursor_key(scope, TABLET, BOB, "pc")
    # A platform may hold any character, an account no slash.
    assert cursor_key(CursorScope.PLATFORM, PHONE, AccountId("a"), "b/c").startswith("a/")
