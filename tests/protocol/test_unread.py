"""Unread counts: a new device, an old one and whoever recomputes from the whole log agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model import AccountId, ConversationId, Identity, Kind
from syncd.protocol.unread import Unread
from syncd.wire.frames import Entry
from tests.protocol.chronicle import GROUP, ME, Chronicle, chronicles, entry

OTHER = AccountId("bob")
UNKNOWN = Identity(entry(1).device, 99)
KINDS = [Kind.EDIT, Kind.RECALL, Kind.DELETE, Kind.READ]


def folded(*entries: Entry) -> Unread:
    unread = Unread(ME)
    for seq, each in enumerate(entries, 1):
        unread.apply(seq, each)
    return unread


def test_messages_of_others_count() -> None:
    unread = folded(entry(1), entry(2, account=ME), entry(3, account=AccountId("")))
    assert unread.count(GROUP) == 2
    assert unread.counts() == {GROUP: 2}


def test_an_unknown_conversation_has_none() -> None:
    assert folded(entry(1)).count(ConversationId("elsewhere")) == 0


def test_an_erased_body_counts_all_the_same() -> None:
    assert folded(entry(1, body=None)).count(GROUP) == 1


@pytest.mark.parametrize("kind", [Kind.SYSTEM, 77])
def test_what_is_no_message_does_not_count(kind: int) -> None:
    assert folded(entry(1, kind)).counts() == {}


def test_conversations_are_counted_apart() -> None:
    elsewhere = ConversationId("alice~bob")
    unread = folded(entry(1), entry(2, conversation=elsewhere), entry(3, conversation=elsewhere))
    assert unread.counts() == {GROUP: 1, elsewhere: 2}


def test_an_edit_changes_no_count() -> None:
    assert folded(entry(1), entry(2, Kind.EDIT, target=1)).count(GROUP) == 1


def test_a_recall_counts_out_once() -> None:
    recalls = [entry(number, Kind.RECALL, target=1) for number in (3, 4)]
    assert folded(entry(1), entry(2), *recalls).count(GROUP) == 1


def test_a_recall_by_another_than_the_author_means_nothing() -> None:
    recall = entry(2, Kind.RECALL, target=1, account=AccountId("mallory"))
    assert folded(entry(1), recall).count(GROUP) == 1


def test_what_i_deleted_is_not_unread() -> None:
    delete = entry(3, Kind.DELETE, target=1, account=ME)
    assert folded(entry(1), entry(2), delete).count(GROUP) == 1


def test_reading_counts_by_the_place_of_its_target() -> None:
    read = entry(4, Kind.READ, target=2, account=ME)
    assert folded(entry(1), entry(2), entry(3), read).count(GROUP) == 1


def test_a_mark_may_stand_at_an_entry_that_does_not_count() -> None:
    own = entry(2, account=ME)
    read = entry(4, Kind.READ, target=2, account=ME)
    assert folded(entry(1), own, entry(3), read).count(GROUP) == 1
    recall = entry(5, Kind.RECALL, target=2)
    read = entry(6, Kind.READ, target=2, account=ME)
    assert folded(entry(1), entry(2), recall, read).count(GROUP) == 0


def test_a_mark_never_goes_back() -> None:
    far = entry(4, Kind.READ, target=3, account=ME)
    back = entry(5, Kind.READ, target=1, account=ME)
    assert folded(entry(1), entry(2), entry(3), far, back).counts() == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_target_that_the_log_does_not_hold_means_nothing(kind: Kind) -> None:
    unread = folded(entry(1), entry(2, kind, target=99))
    assert unread.count(GROUP) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_nor_does_one_of_another_conversation(kind: Kind) -> None:
    elsewhere = entry(2, kind, target=1, conversation=ConversationId("elsewhere"))
    assert folded(entry(1), elsewhere).count(GROUP) == 1


def test_what_is_below_the_floor_counts_no_more() -> None:
    unread = folded(entry(1), entry(2), entry(3))
    unread.trim(2)
    assert unread.count(GROUP) == 1
    unread.trim(1)
    assert unread.count(GROUP) == 1
    unread.trim(3)
    assert unread.counts() == {}


def test_a_floor_that_is_ahead_of_the_fold_is_believed() -> None:
    unread = folded(entry(1))
    unread.trim(3)
    for number in (2, 3, 4):
        unread.apply(number, entry(number))
    assert unread.count(GROUP) == 1


def test_a_hole_counts_as_trimmed() -> None:
    unread = folded(entry(1))
    unread.apply(3, entry(3))
    assert unread.count(GROUP) == 1


def test_an_entry_that_comes_again_counts_once() -> None:
    unread = folded(entry(1), entry(2))
    unread.apply(2, entry(2))
    assert unread.count(GROUP) == 2
    assert unread.seq == 2


def test_what_was_read_is_not_held() -> None:
    unread = folded(*map(entry, range(1, 1001)))
    assert unread.held == 1000
    unread.apply(1001, entry(1001, Kind.READ, target=1000, account=ME))
    assert unread.held == 1, "the read mark itself may be a target"
    unread.trim(1001)
    assert unread.held == 0


# ---------------------------------------------------------------- the model


def naive(retained: list[tuple[int, Entry]]) -> dict[ConversationId, int]:
    """The contract's sentence, from the whole retained log; a target comes before what is about
    it."""
    places = {each.identity: (seq, each) for seq, each in retained}
    marks: dict[ConversationId, int] = {}
    out: set[Identity] = set()
    for place, each in retained:
        seq, target = places.get(each.target or UNKNOWN, (place, None))
        if seq >= place or target is None or target.conversation != each.conversation:
            continue
        if each.kind == Kind.READ:
            marks[each.conversation] = max(seq, marks.get(each.conversation, 0))
        elif each.kind == Kind.DELETE or (
            each.kind == Kind.RECALL and each.account == target.account
        ):
            out.add(target.identity)
    unread = [
        each.conversation
        for seq, each in retained
        if each.kind == Kind.MESSAGE
        and each.account != ME
        and seq > marks.get(each.conversation, 0)
        and each.identity not in out
    ]
    return {name: unread.count(name) for name in unread}


@given(chronicles(), st.data())
def test_all_devices_and_the_model_agree(chronicle: Chronicle, data: st.DataObject) -> None:
    old = Unread(ME)
    heard = 0
    for seq, floor, each in chronicle.told():
        old.apply(seq, each)
        if data.draw(st.booleans()):
            heard = floor
            old.trim(heard)
    retained = chronicle.retained()
    new = Unread(ME)
    for seq, each in retained:
        new.apply(seq, each)
    old.trim(chronicle.floor)
    assert old.counts() == new.counts() == naive(retained)
    assert {name: old.count(name) for name in old.counts()} == old.counts()
    assert old.held == new.held <= len(retained)
