"""The conversation view: what a person sees, the same on every device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.membership import Action, Change, Role, write_change
from syncd.model import AccountId, ConversationId, Epoch, Identity, Kind, direct
from syncd.notices import Merge, write_notice
from syncd.protocol.view import Shown, View
from syncd.wire.frames import Entry
from tests.protocol.chronicle import (
    BOB,
    DEVICE,
    DIRECT,
    GROUP,
    GUEST,
    ME,
    Chronicle,
    chronicles,
    entry,
)

EPOCH, NEW_EPOCH = Epoch(b"epoch-01"), Epoch(b"epoch-02")
CAROL, SYSTEM = AccountId("carol"), AccountId("")


def view(*entries: Entry) -> View:
    made = View(ME)
    for seq, each in enumerate(entries, 1):
        made.apply(seq, EPOCH, each)
    return made


def shown(number: int, body: bytes | None = b"hello", account: AccountId = BOB) -> Shown:
    return Shown(number, Identity(DEVICE, number), account, body)


def change(
    number: int,
    action: Action,
    members: tuple[AccountId, ...] = (),
    owners: tuple[AccountId, ...] = (),
    account: AccountId = BOB,
) -> Entry:
    body = write_change(Change(action, members, owners))
    return entry(number, Kind.SYSTEM, account=account, body=body)


# ---------------------------------------------------------------- messages


def test_messages_stand_in_order_in_their_conversations() -> None:
    seen = view(entry(1), entry(2, conversation=DIRECT), entry(3, account=ME, body=b"hi"))
    assert seen.messages(GROUP) == [shown(1), shown(3, b"hi", ME)]
    assert seen.messages(DIRECT) == [shown(2)]
    assert seen.messages("elsewhere") == []
    assert seen.conversations() == [GROUP, DIRECT]


def test_an_erased_message_is_shown_without_a_body() -> None:
    assert view(entry(1, body=None)).messages(GROUP) == [shown(1, None)]


def test_the_last_edit_counts() -> None:
    edits = [entry(number, Kind.EDIT, target=1, body=b"%d" % number) for number in (2, 3)]
    [seen] = view(entry(1), *edits).messages(GROUP)
    assert (seen.body, seen.edited) == (b"3", True)


def test_the_author_may_have_another_name_by_now() -> None:
    edit = entry(2, Kind.EDIT, target=1, account=AccountId("bob-no-guest-any-more"), body=b"hi")
    [seen] = view(entry(1), edit).messages(GROUP)
    assert (seen.account, seen.body) == (BOB, b"hi")


def test_a_recalled_message_has_no_body() -> None:
    edit, recall = entry(2, Kind.EDIT, target=1), entry(3, Kind.RECALL, target=1)
    [seen] = view(entry(1), edit, recall).messages(GROUP)
    assert seen == Shown(1, Identity(DEVICE, 1), BOB, None, recalled=True)


def test_an_edit_after_the_recall_changes_nothing() -> None:
    recall, edit = entry(2, Kind.RECALL, target=1), entry(3, Kind.EDIT, target=1)
    assert view(entry(1), recall, edit) == view(entry(1), recall)


def test_what_i_deleted_is_gone() -> None:
    delete = entry(3, Kind.DELETE, target=1, account=ME)
    assert view(entry(1), entry(2), delete).messages(GROUP) == [shown(2)]
    assert view(entry(1), entry(3, Kind.DELETE, target=1)).conversations() == []


@pytest.mark.parametrize("kind", [Kind.EDIT, Kind.RECALL, Kind.DELETE])
def test_a_target_elsewhere_or_nowhere_means_nothing(kind: Kind) -> None:
    for aimed in (
        entry(2, kind, target=9),
        entry(2, kind),
        entry(2, kind, target=1, conversation=DIRECT),
    ):
        assert view(entry(1), aimed).messages(GROUP) == [shown(1)]


def test_it_counts_what_is_unread() -> None:
    seen = view(entry(1), entry(2), entry(3, Kind.READ, target=1, account=ME))
    assert seen.unread(GROUP) == 1
    assert seen.unread_counts() == {GROUP: 1}


# ---------------------------------------------------------------- members


def test_members_follow_from_the_changes() -> None:
    create = change(1, Action.CREATE, (ME, CAROL))
    assert view(create).members(GROUP) == {
        BOB: Role.OWNER,
        ME: Role.MEMBER,
        CAROL: Role.MEMBER,
    }
    removed = change(2, Action.REMOVE, (CAROL,))
    assert CAROL not in view(create, removed).members(GROUP)
    raised = change(2, Action.ADD, (), (CAROL,))
    assert view(create, raised).members(GROUP)[CAROL] is Role.OWNER
    left = change(2, Action.LEAVE, account=CAROL)
    assert view(create, left).members(GROUP) == {BOB: Role.OWNER, ME: Role.MEMBER}


def test_who_came_later_knows_who_let_them_in() -> None:
    assert view(change(1, Action.ADD, (ME,))).members(GROUP) == {
        BOB: Role.OWNER,
        ME: Role.MEMBER,
    }


def test_an_operator_is_no_member() -> None:
    create = change(1, Action.CREATE, (ME,), account=SYSTEM)
    assert view(create).members(GROUP) == {ME: Role.MEMBER}


@pytest.mark.parametrize("body", [None, b"", b"{}", b'{"action":"rename"}'])
def test_a_change_that_cannot_be_read_tells_nothing(body: bytes | None) -> None:
    assert view(entry(1, Kind.SYSTEM, body=body)).members(GROUP) == {}


def test_a_group_without_messages_is_shown() -> None:
    seen = view(entry(1, conversation=DIRECT), change(2, Action.CREATE, (ME,)))
    assert seen.conversations() == [GROUP, DIRECT]
    assert seen.members(DIRECT) == {}


# ---------------------------------------------------------------- merges


def merge(number: int, entries: int) -> Entry:
    body, notes = write_notice(Merge(GUEST, ME, entries)), direct(ME, ME)
    return entry(number, Kind.SYSTEM, account=SYSTEM, conversation=notes, body=body)


def test_what_a_guest_sent_is_shown_as_ones_own() -> None:
    said = entry(1, account=GUEST)
    assert view(said).messages(GROUP) == [shown(1, account=GUEST)]
    assert view(said, merge(2, 0)).messages(GROUP) == [shown(1, account=ME)]
    edit = entry(3, Kind.EDIT, target=1, account=ME, body=b"hi")
    [seen] = view(said, merge(2, 0), edit).messages(GROUP)
    assert (seen.account, seen.body) == (ME, b"hi")
    told = View(ME, [GUEST])
    told.apply(1, EPOCH, said)
    assert told.messages(GROUP) == [shown(1, account=ME)]
    assert told.unread_counts() == {}
    told.apply(1, NEW_EPOCH, said)
    assert told.messages(GROUP) == [shown(1, account=ME)]


def test_notices_are_no_messages() -> None:
    assert view(merge(1, 0)).conversations() == []


def test_one_is_in_a_group_once_and_an_owner_if_one_was_by_any_name() -> None:
    create = change(1, Action.CREATE, (ME,), (GUEST,))
    assert view(create).members(GROUP)[GUEST] is Role.OWNER
    united = {BOB: Role.OWNER, ME: Role.OWNER}
    assert view(create, merge(2, 0)).members(GROUP) == united
    lowered = change(3, Action.ADD, (ME,))
    assert view(create, merge(2, 0), lowered).members(GROUP)[ME] is Role.MEMBER
    for name in (ME, GUEST):
        removed = change(3, Action.REMOVE, (name,))
        assert view(create, merge(2, 0), removed).members(GROUP) == {BOB: Role.OWNER}


def test_before_the_merge_each_was_in_for_itself() -> None:
    create, left = change(1, Action.CREATE, (ME, GUEST)), change(3, Action.LEAVE, account=ME)
    assert ME in view(create, change(2, Action.REMOVE, (ME,)), merge(3, 0)).members(GROUP)
    assert ME in view(create, merge(2, 1), left).members(GROUP), "an entry of the segment"
    assert ME not in view(create, merge(2, 0), left).members(GROUP)


# ---------------------------------------------------------------- the log's own life


def test_what_is_below_the_floor_is_gone() -> None:
    seen = view(change(1, Action.CREATE, (ME,)), entry(2), entry(3), entry(4, conversation=DIRECT))
    seen.trim(2)
    assert seen.messages(GROUP) == [shown(3)]
    assert seen.members(GROUP) == {}
    seen.trim(1)
    seen.trim(3)
    assert seen.conversations() == [DIRECT]
    assert seen.unread_counts() == {DIRECT: 1}


def test_a_hole_counts_as_trimmed() -> None:
    seen = view(entry(1))
    seen.apply(3, EPOCH, entry(3))
    assert seen.messages(GROUP) == [shown(3)]


def test_an_entry_that_comes_again_changes_nothing() -> None:
    seen = view(entry(1), entry(2))
    seen.apply(1, EPOCH, entry(1))
    assert seen == view(entry(1), entry(2))


@pytest.mark.parametrize(("epoch", "era"), [(NEW_EPOCH, 0), (EPOCH, 1)])
def test_another_past_begins_anew(epoch: Epoch, era: int) -> None:
    seen = view(entry(1), entry(2), entry(3))
    seen.apply(1, epoch, entry(7), era)
    assert seen.messages(GROUP) == [Shown(1, Identity(DEVICE, 7), BOB, b"hello")]
    assert seen.unread_counts() == {GROUP: 1}


# ---------------------------------------------------------------- equal on all devices


def test_views_that_show_something_else_differ() -> None:
    read = entry(2, Kind.READ, target=1, account=ME)
    assert view(entry(1)) != view(entry(1), read)
    assert view(entry(1)) != view(entry(1, body=b"other"))
    assert view(change(1, Action.CREATE, (ME,))) != view(change(1, Action.CREATE, (CAROL,)))
    assert view() != View(BOB)
    assert view() != object()


def test_it_can_be_read() -> None:
    seen = view(
        change(1, Action.CREATE, (ME,)),
        entry(2),
        entry(3, Kind.EDIT, target=2, body=b"hello!"),
        entry(4),
        entry(5, Kind.RECALL, target=4),
        entry(6, account=SYSTEM, body=None),
        entry(7, body=b"\x1b[2J"),
        entry(8, conversation=ConversationId("alice~bob"), body=b"psst"),
    )
    assert seen.show().splitlines() == [
        "alice~bob: 1 unread",
        "  bob: psst",
        "friends (alice, bob): 3 unread",
        "  bob: hello! (edited)",
        "  bob: [recalled]",
        "  [system]: [erased]",
        "  bob: '\\x1b[2J'",
    ]
    assert repr(seen) == "<View of alice at 8>"


@given(chronicles(), st.data())
def test_an_old_device_and_a_new_one_show_the_same(
    chronicle: Chronicle, data: st.DataObject
) -> None:
    old = View(ME)
    for seq, floor, each in chronicle.told():
        old.apply(seq, EPOCH, each)
        if data.draw(st.booleans()):
            old.trim(floor)
    old.trim(chronicle.floor)
    new = View(ME, chronicle.guests())
    for seq, each in chronicle.retained():
        new.apply(seq, NEW_EPOCH, each, era=3)
    assert old == new
    assert old.show() == new.show()
