"""What the logs say to what is new: groups, targets, marks, on every backend."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.model import (
    Accepted,
    AccountId,
    ConversationId,
    Draft,
    Identity,
    Intent,
    Kind,
    Refused,
    Submission,
    Work,
    direct,
)
from syncd.storage import Storage

from .talk import (
    CAROL,
    DAVE,
    DIRECT,
    GROUP,
    OTHER_GROUP,
    TARGETED,
    Talk,
    change,
    identity,
    words,
)
from .works import ALICE, BOB, LOST, NOBODY, PHONE


@pytest.fixture
async def talk(storage: Storage) -> Talk:
    made = Talk(storage)
    await made.populate()
    return made


@pytest.fixture
async def group(talk: Talk) -> Talk:
    """Alice owns the group, Bob and Carol are in, Dave is not."""
    assert await talk.answer(talk.change(ALICE, "create", [BOB, CAROL])) == 1
    return talk


def alone(draft: Draft) -> Submission:
    return Submission(draft.device, 0, (draft,))


ALL_IN = {ALICE: 1, BOB: 1, CAROL: 1, DAVE: 0}


# ---------------------------------------------------------------- who gets what


async def test_a_created_group_is_announced_to_everybody_in_it(group: Talk) -> None:
    assert await group.logs() == ALL_IN
    logs = [await group.log(each) for each in (ALICE, BOB, CAROL)]
    assert logs[0] == logs[1] == logs[2]
    [[entry], _, _] = logs
    assert (entry.kind, entry.conversation, entry.account) == (Kind.SYSTEM, GROUP, ALICE)


async def test_a_message_goes_to_all_members_and_wakes_them(group: Talk) -> None:
    draft = group.draft(CAROL, b"who climbs?")
    done = await group.storage.commit(Work(submissions=(alone(draft),)))
    assert done.submissions == ((Accepted(1, 2, False),),)
    assert done.grown == {ALICE, BOB, CAROL}
    for account in (ALICE, BOB, CAROL):
        assert words((await group.log(account))[-1]) == (Kind.MESSAGE, b"who climbs?")
    assert (await group.logs())[DAVE] == 0


async def test_the_seq_answered_is_the_one_of_the_senders_own_log(group: Talk) -> None:
    await group.send(*(group.draft(BOB, in_=DIRECT) for _ in range(3)))
    assert await group.answer(group.draft(CAROL)) == 2
    assert await group.answer(group.draft(BOB)) == 6


async def test_the_log_of_who_joins_begins_at_the_join(group: Talk) -> None:
    await group.answer(group.draft(BOB, b"before"))
    assert await group.answer(group.change(ALICE, "add", [DAVE])) == 3
    await group.answer(group.draft(BOB, b"after"))
    joined, after = await group.log(DAVE)
    assert (joined.kind, after.body) == (Kind.SYSTEM, b"after")
    assert await group.logs() == {ALICE: 4, BOB: 4, CAROL: 4, DAVE: 2}


async def test_who_is_removed_sees_the_removal_last(group: Talk) -> None:
    await group.answer(group.change(ALICE, "remove", [BOB]))
    await group.answer(group.draft(CAROL))
    assert await group.logs() == {ALICE: 3, BOB: 2, CAROL: 3, DAVE: 0}
    assert (await group.log(BOB))[-1].kind is not Kind.MESSAGE


async def test_who_leaves_sees_it_last(group: Talk) -> None:
    assert await group.answer(group.change(BOB, "leave")) == 2
    assert await group.answer(group.draft(BOB)) is errors.NOT_A_MEMBER
    assert await group.answer(group.change(BOB, "leave")) is errors.NOT_A_MEMBER
    assert await group.logs() == {ALICE: 2, BOB: 2, CAROL: 2, DAVE: 0}


async def test_an_owner_may_remove_himself(group: Talk) -> None:
    assert await group.answer(group.change(ALICE, "remove", [ALICE])) == 2
    assert await group.answer(group.draft(ALICE)) is errors.NOT_A_MEMBER


async def test_a_group_that_all_left_is_nobodys_and_its_id_is_taken(group: Talk) -> None:
    for who in (ALICE, BOB, CAROL):
        await group.answer(group.change(who, "leave"))
    assert await group.answer(group.draft(ALICE)) is errors.NOT_A_MEMBER
    again = group.change(DAVE, "create", [BOB])
    assert await group.answer(again) is errors.CONVERSATION_EXISTS
    assert await group.logs() == {ALICE: 2, BOB: 3, CAROL: 4, DAVE: 0}


async def test_a_group_of_one(talk: Talk) -> None:
    assert await talk.answer(talk.change(ALICE, "create")) == 1
    assert await talk.answer(talk.draft(ALICE)) == 2
    assert (await talk.logs())[BOB] == 0


async def test_a_work_sees_the_changes_that_it_makes(talk: Talk) -> None:
    made, early = talk.change(ALICE, "create", [BOB]), talk.draft(CAROL, b"early")
    added, late = talk.change(ALICE, "add", [CAROL]), talk.draft(CAROL, b"late")
    removed, gone = talk.change(ALICE, "remove", [CAROL]), talk.draft(CAROL, b"gone")
    assert await talk.send(made, early, added, late, removed, gone) == [
        Accepted(1, 1, False),
        Refused(1, errors.NOT_A_MEMBER),
        Accepted(2, 2, False),
        Accepted(2, 2, False),
        Accepted(3, 4, False),
        Refused(3, errors.NOT_A_MEMBER),
    ]
    assert await talk.logs() == {ALICE: 4, BOB: 4, CAROL: 3, DAVE: 0}


# ---------------------------------------------------------------- who may what


async def test_a_stranger_cannot_tell_a_group_from_none(group: Talk) -> None:
    for group_id in (GROUP, OTHER_GROUP):
        for draft in (
            group.draft(DAVE, in_=group_id),
            group.change(DAVE, "add", [DAVE], in_=group_id),
            group.change(DAVE, "remove", [ALICE], in_=group_id),
            group.change(DAVE, "leave", in_=group_id),
            group.about(DAVE, Kind.EDIT, Identity(PHONE, 1), in_=group_id),
        ):
            assert await group.answer(draft) is errors.NOT_A_MEMBER
    assert await group.logs() == ALL_IN


@pytest.mark.parametrize("action", ["add", "remove"])
async def test_only_owners_change_who_is_in(group: Talk, action: str) -> None:
    assert await group.answer(group.change(BOB, action, [CAROL])) is errors.FORBIDDEN
    assert await group.logs() == ALL_IN


async def test_a_role_is_given_and_taken(group: Talk) -> None:
    assert await group.answer(group.change(ALICE, "add", owners=[BOB])) == 2
    assert await group.answer(group.change(BOB, "add", [ALICE, DAVE])) == 3
    assert await group.answer(group.change(ALICE, "remove", [BOB])) is errors.FORBIDDEN
    assert await group.answer(group.change(BOB, "remove", [CAROL])) == 4


@pytest.mark.parametrize("together", [True, False], ids=["one work", "a work each"])
@pytest.mark.parametrize("order", [(ALICE, BOB), (BOB, ALICE)], ids=["alice first", "bob first"])
async def test_of_two_owners_who_remove_each_other_the_first_wins(
    talk: Talk, order: tuple[AccountId, AccountId], together: bool
) -> None:
    await talk.answer(talk.change(ALICE, "create", [CAROL], [BOB]))
    first, second = order
    drafts = [talk.change(first, "remove", [second]), talk.change(second, "remove", [first])]
    works = [drafts] if together else [[draft] for draft in drafts]
    outcomes = [outcome for work in works for outcome in await talk.send(*work)]
    assert outcomes == [
        Accepted(drafts[0].number, 2, False),
        Refused(drafts[1].number, errors.NOT_A_MEMBER),
    ]
    assert await talk.answer(talk.draft(first)) == 3
    assert await talk.logs() == {first: 3, second: 2, CAROL: 3, DAVE: 0}


@pytest.mark.parametrize("removed_in_between", [True, False])
async def test_a_retry_keeps_its_seq_though_its_sender_was_removed(
    group: Talk, removed_in_between: bool
) -> None:
    draft, removal = group.draft(BOB), group.change(ALICE, "remove", [BOB])
    if removed_in_between:
        await group.send(draft)
        await group.send(removal)
        [again] = await group.send(draft)
    else:
        _, _, again = await group.send(draft, removal, draft)
    assert again == Accepted(1, 2, True)
    assert await group.logs() == {ALICE: 3, BOB: 3, CAROL: 3, DAVE: 0}


async def test_a_change_takes_effect_once(group: Talk) -> None:
    added, removed = group.change(ALICE, "add", [DAVE]), group.change(ALICE, "remove", [DAVE])
    await group.send(added, removed)
    assert await group.send(added, removed) == [Accepted(2, 2, True), Accepted(3, 3, True)]
    assert await group.answer(group.draft(DAVE)) is errors.NOT_A_MEMBER


# ---------------------------------------------------------------- changes that are refused


async def test_changes_that_are_none(group: Talk) -> None:
    for draft in (
        group.change(ALICE, "add", [BOB, CAROL]),
        group.change(ALICE, "add", owners=[ALICE]),
        group.change(ALICE, "remove", [DAVE]),
    ):
        assert await group.answer(draft) is errors.NOTHING_TO_CHANGE
    assert await group.logs() == ALL_IN


async def test_an_id_is_taken_once(group: Talk) -> None:
    for who in (ALICE, DAVE):
        again = group.change(who, "create", [BOB])
        assert await group.answer(again) is errors.CONVERSATION_EXISTS
    assert await group.answer(group.change(DAVE, "create", [BOB], in_=OTHER_GROUP)) == 1


@pytest.mark.parametrize("as_owner", [True, False])
async def test_an_account_that_does_not_exist_cannot_be_taken_in(
    group: Talk, as_owner: bool
) -> None:
    named = {"owners" if as_owner else "members": [DAVE, NOBODY]}
    added = group.change(ALICE, "add", **named)
    created = group.change(ALICE, "create", **named, in_=OTHER_GROUP)
    assert await group.answer(added) is errors.UNKNOWN_ACCOUNT
    assert await group.answer(created) is errors.UNKNOWN_ACCOUNT
    assert await group.answer(group.draft(ALICE, in_=OTHER_GROUP)) is errors.NOT_A_MEMBER
    assert await group.logs() == ALL_IN


async def crowd(talk: Talk, count: int) -> Sequence[AccountId]:
    accounts = [AccountId(f"member{each}") for each in range(count)]
    for account in accounts:
        await talk.storage.create_account(account)
    return accounts


async def test_a_group_has_at_most_500_members(talk: Talk) -> None:
    others = await crowd(talk, limits.MEMBERS_MAX)
    assert limits.MEMBERS_MAX == 500
    too_many = talk.change(ALICE, "create", others)
    assert await talk.answer(too_many) is errors.TOO_MANY_MEMBERS
    assert set((await talk.storage.heads(others)).values()) == {0}
    assert await talk.answer(talk.change(ALICE, "create", others[:-1])) == 1
    assert await talk.answer(talk.change(ALICE, "add", others[-1:])) is errors.TOO_MANY_MEMBERS
    assert await talk.answer(talk.draft(ALICE)) == 2
    heads = await talk.storage.heads(others)
    assert [heads[each] for each in others] == [2] * 499 + [0]
    # Whoever makes room and takes it in one Work is not refused.
    changes = talk.change(ALICE, "remove", others[:1]), talk.change(ALICE, "add", others[-1:])
    assert await talk.send(*changes) == [Accepted(5, 3, False), Accepted(6, 4, False)]


# ---------------------------------------------------------------- edits and recalls


@pytest.mark.parametrize("kind", [Kind.EDIT, Kind.RECALL])
@pytest.mark.parametrize("in_", [DIRECT, GROUP])
async def test_an_author_changes_his_message_for_everybody(
    group: Talk, kind: Kind, in_: ConversationId
) -> None:
    draft = group.draft(ALICE, in_=in_)
    await group.answer(draft)
    assert await group.answer(group.about(ALICE, kind, identity(draft), in_)) == 3
    for account in (ALICE, BOB):
        entry = (await group.log(account))[-1]
        assert (entry.kind, entry.target) == (kind, identity(draft))


@pytest.mark.parametrize("kind", [Kind.EDIT, Kind.RECALL])
async def test_only_the_author_changes_a_message(group: Talk, kind: Kind) -> None:
    draft = group.draft(BOB)
    await group.answer(draft)
    # Carol did not write it; that Alice owns the group makes her no author either.
    for who in (ALICE, CAROL):
        assert await group.answer(group.about(who, kind, identity(draft))) is errors.FORBIDDEN
    assert (await group.logs())[BOB] == 2


async def test_another_device_of_the_author_may_change_it(talk: Talk) -> None:
    await talk.storage.create_device(BOB, LOST, "second", "pc", b"second")
    draft = talk.draft(BOB, in_=DIRECT)
    await talk.answer(draft)
    edit = talk.about(BOB, Kind.EDIT, identity(draft), DIRECT)
    assert await talk.answer(msgspec.structs.replace(edit, device=LOST, number=1)) == 2


@pytest.mark.parametrize("kind", TARGETED)
async def test_a_target_that_the_own_log_does_not_hold(group: Talk, kind: Kind) -> None:
    early, kept = group.draft(ALICE), group.draft(ALICE)
    await group.send(early, kept)
    await group.storage.trim(ALICE, 3)
    unseen = group.draft(DAVE, in_=direct(CAROL, DAVE))
    await group.answer(unseen)
    for target in (
        identity(early),
        identity(unseen),
        Identity(PHONE, 999),
        Identity(LOST, 1),
        Identity("no device id at all, but", 1),  # type: ignore[arg-type]
    ):
        assert await group.answer(group.about(ALICE, kind, target)) is errors.TARGET_GONE
    assert isinstance(await group.answer(group.about(ALICE, kind, identity(kept))), int)


@pytest.mark.parametrize("kind", TARGETED)
async def test_a_target_of_another_conversation(group: Talk, kind: Kind) -> None:
    draft = group.draft(ALICE, in_=DIRECT)
    await group.answer(draft)
    wrong = group.about(ALICE, kind, identity(draft), GROUP)
    assert await group.answer(wrong) is errors.WRONG_TARGET


@pytest.mark.parametrize("target", [*TARGETED, Kind.SYSTEM])
@pytest.mark.parametrize("kind", TARGETED)
async def test_which_kinds_may_be_a_target(group: Talk, kind: Kind, target: Kind) -> None:
    message = group.draft(ALICE)
    about = (
        group.change(ALICE, "add", [DAVE])
        if target is Kind.SYSTEM
        else group.about(ALICE, target, identity(message))
    )
    assert all(isinstance(each, Accepted) for each in await group.send(message, about))
    answer = await group.answer(group.about(ALICE, kind, identity(about)))
    fits = kind is Kind.READ or (kind is Kind.DELETE and target is Kind.SYSTEM)
    assert answer == (4 if fits else errors.WRONG_TARGET)


async def test_a_target_of_the_same_work(group: Talk) -> None:
    draft = group.draft(BOB)
    outcomes = await group.send(
        draft,
        group.about(BOB, Kind.EDIT, identity(draft)),
        group.about(BOB, Kind.DELETE, identity(draft)),
        group.about(CAROL, Kind.READ, identity(draft)),
        group.about(CAROL, Kind.RECALL, identity(draft)),
    )
    assert outcomes == [
        Accepted(1, 2, False),
        Accepted(2, 3, False),
        Accepted(3, 4, False),
        Accepted(1, 4, False),
        Refused(2, errors.FORBIDDEN),
    ]


@pytest.mark.parametrize(
    ("since_ms", "answer"), [(0, 2), (5000, 2), (5001, errors.RECALL_TOO_LATE)]
)
async def test_a_recall_has_a_limit(talk: Talk, since_ms: int, answer: object) -> None:
    draft = talk.draft(ALICE, in_=DIRECT, time=5000)
    await talk.answer(draft)
    recall = talk.about(ALICE, Kind.RECALL, identity(draft), DIRECT, since_ms)
    assert await talk.answer(recall) == answer


async def test_who_was_removed_changes_nothing_for_the_others(group: Talk) -> None:
    draft = group.draft(BOB)
    await group.send(draft, group.change(ALICE, "remove", [BOB]))
    for kind in (Kind.EDIT, Kind.RECALL):
        about = group.about(BOB, kind, identity(draft))
        assert await group.answer(about) is errors.NOT_A_MEMBER
    # What his own log holds is still his to read and delete.
    assert await group.answer(group.about(BOB, Kind.READ, identity(draft))) == 4
    assert await group.answer(group.about(BOB, Kind.DELETE, identity(draft))) == 5


# ---------------------------------------------------------------- reading and deleting


@pytest.mark.parametrize("kind", [Kind.READ, Kind.DELETE])
async def test_what_concerns_the_own_devices_stays_in_the_own_log(group: Talk, kind: Kind) -> None:
    draft = group.draft(ALICE)
    await group.send(draft)
    about = group.about(BOB, kind, identity(draft))
    done = await group.storage.commit(Work(submissions=(alone(about),)))
    assert done.grown == {BOB}
    assert await group.logs() == {ALICE: 2, BOB: 3, CAROL: 2, DAVE: 0}


async def test_a_mark_moves_forward_only(group: Talk) -> None:
    first, second = group.draft(ALICE), group.draft(ALICE)
    await group.send(first, second)
    assert await group.answer(group.about(BOB, Kind.READ, identity(first))) == 4
    backwards = errors.MARK_BACKWARDS
    assert await group.answer(group.about(BOB, Kind.READ, identity(first))) is backwards
    assert await group.answer(group.about(BOB, Kind.READ, identity(second))) == 5
    assert await group.answer(group.about(BOB, Kind.READ, identity(first))) is backwards
    # Every account has its own marks.
    assert await group.answer(group.about(CAROL, Kind.READ, identity(first))) == 4


async def test_a_mark_of_one_work_counts_in_it(group: Talk) -> None:
    drafts = [group.draft(ALICE), group.draft(ALICE)]
    marks = [group.about(BOB, Kind.READ, identity(each)) for each in reversed(drafts)]
    assert await group.send(*drafts, *marks) == [
        Accepted(2, 2, False),
        Accepted(3, 3, False),
        Accepted(1, 4, False),
        Refused(2, errors.MARK_BACKWARDS),
    ]


async def test_conversations_have_marks_of_their_own(group: Talk) -> None:
    there, here = group.draft(ALICE, in_=DIRECT), group.draft(ALICE)
    await group.send(there, here)
    assert await group.answer(group.about(BOB, Kind.READ, identity(here))) == 4
    assert await group.answer(group.about(BOB, Kind.READ, identity(there), DIRECT)) == 5


async def test_a_mark_goes_by_places_of_the_own_log(group: Talk) -> None:
    # In Bob's log the message of the direct conversation lies between, in Carol's it does not.
    early, between, late = group.draft(ALICE), group.draft(ALICE, in_=DIRECT), group.draft(ALICE)
    await group.send(early, between, late)
    for who, seq in ((BOB, 5), (CAROL, 4)):
        assert await group.answer(group.about(who, Kind.READ, identity(late))) == seq
        early_again = group.about(who, Kind.READ, identity(early))
        assert await group.answer(early_again) is errors.MARK_BACKWARDS


async def test_a_mark_survives_what_it_marked(group: Talk) -> None:
    drafts = [group.draft(ALICE) for _ in range(3)]
    await group.send(*drafts, group.about(BOB, Kind.READ, identity(drafts[1])))
    await group.storage.trim(BOB, 3)  # what was marked is the first that stays
    again = group.about(BOB, Kind.READ, identity(drafts[1]))
    assert await group.answer(again) is errors.MARK_BACKWARDS
    await group.storage.trim(BOB, 4)
    again = group.about(BOB, Kind.READ, identity(drafts[1]))
    assert await group.answer(again) is errors.TARGET_GONE
    assert await group.answer(group.about(BOB, Kind.READ, identity(drafts[2]))) == 6


# ---------------------------------------------------------------- what was said before the logs


@pytest.mark.parametrize("refusal", [errors.FORBIDDEN, errors.POLICY_UNAVAILABLE])
async def test_a_draft_that_was_refused_before_is_not_appended(
    group: Talk, refusal: Refusal
) -> None:
    draft = msgspec.structs.replace(group.draft(BOB), refusal=refusal)
    assert await group.send(draft) == [Refused(1, refusal)]
    assert await group.logs() == ALL_IN


@pytest.mark.parametrize("refusal", [errors.FORBIDDEN, errors.POLICY_UNAVAILABLE])
async def test_what_was_accepted_keeps_its_seq_whatever_is_said_today(
    group: Talk, refusal: Refusal
) -> None:
    draft = group.draft(BOB)
    await group.send(draft)
    again = msgspec.structs.replace(draft, refusal=refusal)
    other = msgspec.structs.replace(again, content=bytes(16))
    assert await group.send(again, other) == [Accepted(1, 2, True), Refused(1, errors.CONFLICT)]


async def test_a_definite_refusal_is_of_that_draftalone(group: Talk) -> None:
    refused = msgspec.structs.replace(group.draft(BOB), refusal=errors.FORBIDDEN)
    assert await group.send(refused, group.draft(BOB)) == [
        Refused(1, errors.FORBIDDEN),
        Accepted(2, 2, False),
    ]


async def test_a_retryable_refusal_sticks_to_the_devicealone(group: Talk) -> None:
    unavailable = errors.POLICY_UNAVAILABLE
    known, refused, later = group.draft(BOB), group.draft(BOB), group.draft(BOB)
    await group.send(known)
    refused = msgspec.structs.replace(refused, refusal=unavailable)
    await group.storage.create_device(BOB, LOST, "second", "pc", b"second")
    elsewhere = msgspec.structs.replace(group.draft(BOB), device=LOST, number=1)
    assert await group.send(known, refused, later, known, elsewhere, group.draft(CAROL)) == [
        Accepted(1, 2, True),
        Refused(2, unavailable),
        Refused(3, unavailable),
        Refused(1, unavailable),
        Accepted(1, 3, False),
        Accepted(1, 4, False),
    ]
    # In the next Work nothing sticks: whether it must is the committer's to know.
    assert await group.send(later) == [Accepted(3, 5, False)]


# ---------------------------------------------------------------- from outside any device


async def test_news_of_one_log_and_of_a_group(group: Talk) -> None:
    alone = group.publication(Intent(Kind.MESSAGE, direct(BOB, BOB)), account=BOB)
    to_all = group.publication(Intent(Kind.MESSAGE, GROUP))
    done = await group.storage.commit(Work(publications=(alone, to_all)))
    assert done.publications == (Accepted(0, 2, False), Accepted(0, None, False))
    assert done.grown == {ALICE, BOB, CAROL}
    assert await group.logs() == {ALICE: 2, BOB: 3, CAROL: 2, DAVE: 0}
    done = await group.storage.commit(Work(publications=(to_all, alone)))
    assert done.publications == (Accepted(0, None, True), Accepted(0, 2, True))
    assert done.grown == frozenset()


async def test_a_publication_to_a_group_and_to_a_log_are_not_the_same(group: Talk) -> None:
    to_all = group.publication(Intent(Kind.MESSAGE, GROUP))
    alone = group.publication(Intent(Kind.MESSAGE, GROUP), account=BOB)
    same_key = replace(alone, key=to_all.key, content=to_all.content)
    done = await group.storage.commit(Work(publications=(to_all, same_key)))
    assert done.publications == (Accepted(0, None, False), errors.KEY_CONFLICT)


@pytest.mark.parametrize(
    ("actor", "wanted", "answer"),
    [
        (None, change("add", [DAVE]), Accepted(0, None, False)),
        (ALICE, change("add", [DAVE]), Accepted(0, None, False)),
        (BOB, change("add", [DAVE]), errors.FORBIDDEN),
        (BOB, change("leave"), Accepted(0, None, False)),
        (DAVE, change("add", [DAVE]), errors.NOT_A_MEMBER),
        (None, change("leave"), errors.BAD_CHANGE),
        (None, change("create", [DAVE]), errors.CONVERSATION_EXISTS),
        (None, change("remove", [DAVE]), errors.NOTHING_TO_CHANGE),
        (None, change("remove", [ALICE, BOB, CAROL]), Accepted(0, None, False)),
    ],
)
async def test_who_changes_a_group_from_outside(
    group: Talk, actor: AccountId | None, wanted: object, answer: object
) -> None:
    made = group.publication(Intent(Kind.SYSTEM, GROUP, None, wanted), actor=actor)  # type: ignore[arg-type]
    done = await group.storage.commit(Work(publications=(made,)))
    assert done.publications == (answer,)
    [again] = (await group.storage.commit(Work(publications=(made,)))).publications
    assert again == (Accepted(0, None, True) if isinstance(answer, Accepted) else answer)


async def test_an_operator_makes_a_group_that_somebody_else_owns(talk: Talk) -> None:
    empty = talk.publication(Intent(Kind.SYSTEM, GROUP, None, change("create")))
    wanted = talk.publication(Intent(Kind.SYSTEM, GROUP, None, change("create", [BOB], [CAROL])))
    unknown = talk.publication(Intent(Kind.MESSAGE, OTHER_GROUP))
    done = await talk.storage.commit(Work(publications=(empty, wanted, unknown)))
    assert done.publications == (errors.BAD_CHANGE, Accepted(0, None, False), errors.NOT_A_MEMBER)
    assert await talk.answer(talk.change(BOB, "add", [ALICE])) is errors.FORBIDDEN
    assert await talk.answer(talk.change(CAROL, "add", [ALICE])) == 2


async def test_an_operator_revives_a_group_that_all_left(group: Talk) -> None:
    for who in (ALICE, BOB, CAROL):
        await group.answer(group.change(who, "leave"))
    news = group.publication(Intent(Kind.MESSAGE, GROUP))
    revived = group.publication(Intent(Kind.SYSTEM, GROUP, None, change("add", [], [DAVE])))
    done = await group.storage.commit(Work(publications=(news, revived)))
    assert done.publications == (errors.NOT_A_MEMBER, Accepted(0, None, False))
    assert await group.answer(group.draft(DAVE)) == 2


# ---------------------------------------------------------------- direct conversations


async def test_a_direct_conversation_needs_both_accounts(talk: Talk) -> None:
    draft = talk.draft(ALICE, in_=direct(ALICE, NOBODY))
    assert await talk.answer(draft) is errors.UNKNOWN_ACCOUNT
    foreign = talk.draft(ALICE, in_=direct(BOB, CAROL))
    assert await talk.answer(foreign) is errors.NOT_A_MEMBER
    assert set((await talk.logs()).values()) == {0}
