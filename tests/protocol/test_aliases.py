"""Which accounts are one person's, from when on, and what retention lets be known of it."""

from __future__ import annotations

from syncd.model import AccountId, Kind, direct
from syncd.notices import Merge, write_notice
from syncd.protocol.aliases import Aliases, merge_of
from tests.protocol.chronicle import BOB, GROUP, GUEST, ME, entry

SYSTEM = AccountId("")


def test_it_knows_the_account_and_what_it_was_told() -> None:
    aliases = Aliases(ME, [GUEST])
    assert aliases.accounts == {ME, GUEST}
    assert [aliases.at(each, 1) for each in (ME, GUEST, BOB, SYSTEM)] == [ME, ME, BOB, SYSTEM]


def test_a_guest_is_the_account_after_its_own_entries() -> None:
    aliases = Aliases(ME)
    aliases.learn(GUEST, 5, 8)
    assert aliases.accounts == {ME, GUEST}
    assert [aliases.at(GUEST, seq) for seq in (4, 6, 8, 9)] == [GUEST, GUEST, GUEST, ME]


def test_where_the_notice_is_gone_only_the_alias_is_known() -> None:
    aliases = Aliases(ME)
    aliases.learn(GUEST, 5, 8)
    aliases.trim(4)
    assert aliases.at(GUEST, 6) == GUEST
    aliases.trim(5)
    assert aliases.at(GUEST, 6) == ME


def test_a_merge_is_told_by_the_system_in_the_own_conversation() -> None:
    told = Merge(GUEST, ME, 3, {GROUP: 2})
    body = write_notice(told)
    notice = entry(1, Kind.SYSTEM, account=SYSTEM, conversation=direct(ME, ME), body=body)
    assert merge_of(notice) == told
    forged = entry(1, Kind.SYSTEM, account=BOB, conversation=direct(ME, ME), body=body)
    assert merge_of(forged) is None
    assert merge_of(entry(1, Kind.SYSTEM, account=SYSTEM, body=body)) is None
