"""What a message is taken to cost, before the transaction knows."""

import pytest

from syncd.fan_outs import FanOuts
from syncd.limits import MEMBERS_MAX
from syncd.model import ConversationId, Identity, Intent, Kind, direct
from tests.drafts import ALICE, BOB, PHONE

TEAM, CLUB = ConversationId("team"), ConversationId("club")


def test_a_direct_message_takes_two_entries() -> None:
    assert FanOuts().of(Intent(Kind.MESSAGE, direct(ALICE, BOB))) == 2


@pytest.mark.parametrize("kind", [Kind.READ, Kind.DELETE])
def test_what_is_for_the_own_devices_takes_one(kind: Kind) -> None:
    assert FanOuts().of(Intent(kind, TEAM, Identity(PHONE, 1))) == 1


def test_an_unknown_group_is_taken_for_a_largest_one() -> None:
    assert FanOuts().of(Intent(Kind.SYSTEM, TEAM)) == MEMBERS_MAX


def test_what_was_written_last_is_expected_next() -> None:
    fan_outs = FanOuts()
    fan_outs.learn([TEAM, CLUB], {TEAM: 7})
    assert fan_outs.of(Intent(Kind.MESSAGE, TEAM)) == 7
    assert fan_outs.of(Intent(Kind.MESSAGE, CLUB)) == 2  # small ones are not told
    fan_outs.learn([TEAM], {TEAM: 8})
    assert fan_outs.of(Intent(Kind.EDIT, TEAM)) == 8


def test_the_oldest_knowledge_is_given_up_first() -> None:
    fan_outs = FanOuts(remembered_max=2)
    for name in ("one", "two", "one", "three"):
        fan_outs.learn([ConversationId(name)], {ConversationId(name): 3})
    known = {
        name: fan_outs.of(Intent(Kind.MESSAGE, ConversationId(name)))
        for name in ("one", "two", "three")
    }
    assert known == {"one": 3, "two": MEMBERS_MAX, "three": 3}
