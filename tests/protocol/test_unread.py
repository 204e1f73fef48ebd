"""Unread counts: a new device, an old one and whoever recomputes from the whole log agree."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.model import AccountId, ConversationId, Identity, Kind, direct
from syncd.notices import DeviceAdded, Merge, write_notice
from syncd.protocol.aliases import merge_of
from syncd.protocol.unread import Unread
from syncd.wire.frames import Entry
from tests.protocol.chronicle import DIRECT, GROUP, GUEST, ME, Chronicle, chronicles, entry

OTHER, SYSTEM = AccountId("bob"), AccountId("")
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


def test_a_recall_is_believed_though_its_author_has_another_name_by_now() -> None:
    recall = entry(2, Kind.RECALL, target=1, account=AccountId("bob-once-a-guest"))
    assert folded(entry(1), recall).count(GROUP) == 0


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


# ---------------------------------------------------------------- merges


def merge(number: int, entries: int, read: int = 0, guest: AccountId = GUEST) -> Entry:
    """The notice that the next entries came from the guest's log, some of them as read."""
    body = write_notice(Merge(guest, ME, entries, {GROUP: read} if read else {}))
    return entry(number, Kind.SYSTEM, account=SYSTEM, conversation=direct(ME, ME), body=body)


def reading(number: int, target: int, account: AccountId = GUEST) -> Entry:
    return entry(number, Kind.READ, target=target, account=account)


def test_what_a_guest_sent_is_ones_own_before_and_after() -> None:
    said = entry(1, account=GUEST)
    assert folded(said).count(GROUP) == 1
    assert folded(said, merge(2, 1), entry(3, account=GUEST)).counts() == {}
    unread = Unread(ME, [GUEST])
    unread.apply(1, said)
    assert unread.counts() == {}


def test_what_was_unread_in_both_is_unread() -> None:
    unread = folded(entry(1), merge(2, 2), entry(3), entry(4))
    assert unread.count(GROUP) == 3
    assert unread.counts() == {GROUP: 3}


def test_a_guests_mark_at_its_own_entries_says_nothing_of_the_accounts() -> None:
    """The account had not read entry 1, which lies before what the guest had read."""
    unread = folded(entry(1), merge(2, 3), entry(3), entry(4), reading(5, 3))
    assert unread.count(GROUP) == 2


def test_a_guests_mark_at_an_entry_of_both_is_as_any_mark() -> None:
    """The guest's own copy of entry 2 was left out."""
    unread = folded(entry(1), entry(2), merge(3, 2), entry(4), reading(5, 2))
    assert unread.count(GROUP) == 1


def test_a_mark_after_the_segment_speaks_of_all_that_lies_before() -> None:
    unread = folded(entry(1), merge(2, 1), entry(3), reading(4, 3, ME))
    assert unread.counts() == {}


def test_while_a_segment_comes_in_it_counts_with_the_rest() -> None:
    unread = folded(entry(1), merge(2, 5), entry(3), entry(4, Kind.RECALL, target=1))
    assert unread.count(GROUP) == 1
    assert unread.counts() == {GROUP: 1}
    unread.trim(2)
    assert unread.count(GROUP) == 1


def test_the_notice_itself_may_say_what_was_read() -> None:
    parts = (entry(1), merge(2, 4, read=2), entry(3), entry(4), entry(5))
    unread = folded(*parts, entry(6, conversation=DIRECT))
    assert unread.counts() == {GROUP: 2, DIRECT: 1}
    recalled = folded(*parts, entry(6, Kind.RECALL, target=3))
    recalled.trim(2)
    assert recalled.count(GROUP) == 2, "the notice is gone, and what it said; but not the recall"


def test_a_notice_counts_as_long_as_the_log_holds_it() -> None:
    """A new device does not know it; the account's own messages stay its own."""
    unread = folded(merge(1, 3, read=3), entry(2), entry(3, account=GUEST), entry(4))
    assert unread.counts() == {}
    unread.trim(1)
    assert unread.count(GROUP) == 2


def test_merges_may_lie_in_one_another() -> None:
    """A guest had been merged into the guest: two entries, of which it had read the first."""
    inner = merge(4, 3, guest=AccountId("guest-of-guest"))
    parts = (entry(1), merge(2, 6), entry(3), inner, entry(5), entry(6), reading(7, 5))
    assert folded(*parts).count(GROUP) == 3
    assert folded(*parts, reading(8, 6)).count(GROUP) == 1, "the guest's mark, after its merge"
    assert folded(*parts, reading(8, 6), reading(9, 6, ME)).count(GROUP) == 0


def test_what_comes_again_with_a_merge_counts_once() -> None:
    """Retention had dropped it from the account's log, and this fold was not told yet."""
    unread = folded(entry(1), entry(2), merge(3, 1))
    unread.apply(4, entry(1))
    assert (unread.count(GROUP), unread.held) == (2, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"account": OTHER},
        {"kind": Kind.MESSAGE},
        {"conversation": GROUP},
        {"conversation": DIRECT},
        {"body": None},
        {"body": b"{}"},
        {"body": write_notice(DeviceAdded(entry(1).device, "PC1", "pc"))},
    ],
)
def test_nothing_else_is_taken_for_a_merge(changes: dict[str, object]) -> None:
    unread = folded(entry(1, account=GUEST), msgspec.structs.replace(merge(2, 0), **changes))
    assert unread.count(GROUP) >= 1


# ---------------------------------------------------------------- the model


def naive(retained: list[tuple[int, Entry]], guests: set[AccountId]) -> dict[ConversationId, int]:
    """The contract's sentences, from the whole retained log; a target comes before what is about
    it."""
    places = {each.identity: (seq, each) for seq, each in retained}
    notices = [(seq, told) for seq, each in retained if (told := merge_of(each))]
    read: set[Identity] = set()

    def piece(seq: int, now: int) -> int:
        """Which piece of the log an entry lies in, as a mark at `now` sees it: the notice of the
        innermost segment that has not come to its end, 0 outside all."""
        return max((at for at, told in notices if at < seq and now <= at + told.entries), default=0)

    for place, each in retained:
        seq, target = places.get(each.target or UNKNOWN, (place, None))
        if seq >= place or target is None or target.conversation != each.conversation:
            continue
        if each.kind == Kind.READ:
            read |= {
                other.identity
                for there, other in retained
                if there <= seq
                and other.conversation == each.conversation
                and piece(there, place) == piece(seq, place)
            }
        elif each.kind in (Kind.DELETE, Kind.RECALL):
            read.add(target.identity)
    unread = [
        each.conversation
        for seq, each in retained
        if each.kind == Kind.MESSAGE
        and each.account not in {ME, *guests}
        and each.identity not in read
        and not any(
            at < seq <= at + min(told.entries, told.read.get(each.conversation, 0))
            for at, told in notices
        )
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
    new = Unread(ME, chronicle.guests())
    for seq, each in retained:
        new.apply(seq, each)
    old.trim(chronicle.floor)
    assert old.counts() == new.counts() == naive(retained, chronicle.guests())
    assert {name: old.count(name) for name in old.counts()} == old.counts()
    assert new.held <= old.held <= len(retained)
