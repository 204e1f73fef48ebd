"""Who may change a group, and what comes of it: the rules alone, with no store around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import errors, limits
from syncd.errors import Refusal
from syncd.membership import (
    AccountId,
    Action,
    Change,
    Members,
    Role,
    changed,
    read_change,
    write_change,
)

ALICE, BOB, CAROL, DAVE = map(AccountId, ("alice", "bob", "carol", "dave"))
GROUP: Members = {ALICE: Role.OWNER, BOB: Role.MEMBER, CAROL: Role.MEMBER}

accounts = st.sampled_from([ALICE, BOB, CAROL, DAVE])
groups = st.none() | st.dictionaries(accounts, st.sampled_from(Role))
named = st.lists(accounts, unique=True, max_size=3).map(tuple)
changes = st.builds(
    lambda action, members, owners: Change(
        action, members, tuple(each for each in owners if each not in members)
    ),
    st.sampled_from(Action),
    named,
    named,
)


# ---------------------------------------------------------------- the body


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (b'{"action":"create"}', Change(Action.CREATE)),
        (b'{"action":"add","members":["bob"]}', Change(Action.ADD, (BOB,))),
        (b' {"owners": ["bob"], "action": "add"} ', Change(Action.ADD, (), (BOB,))),
        (b'{"action":"remove","members":["bob","carol"]}', Change(Action.REMOVE, (BOB, CAROL))),
        (b'{"action":"leave"}', Change(Action.LEAVE)),
    ],
)
def test_a_change_is_a_small_json_object(body: bytes, change: Change) -> None:
    assert read_change(body) == change
    assert read_change(write_change(change)) == change


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b'{"action":"rename"}',
        b'{"action":"create","name":"climbing"}',
        b'{"action":"add","members":"bob"}',
        b'{"action":"add","members":[1]}',
        b'{"action":"add","members":null}',
        b'{"action":"add"}',
        b'{"action":"remove"}',
        b'{"action":"add","members":["bob","bob"]}',
        b'{"action":"add","members":["bob"],"owners":["bob"]}',
        b'{"action":"remove","owners":["bob"]}',
        b'{"action":"leave","members":["bob"]}',
        b'{"action":"leave"} {}',
        b'\xff{"action":"leave"}',
        b'{"action":"add","members":["\xff"]}',
    ],
)
def test_everything_else_is_no_change(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_change(body)


@given(st.binary(max_size=80))
def test_no_body_does_more_than_being_refused(body: bytes) -> None:
    try:
        change = read_change(body)
    except ValueError:
        return
    assert read_change(write_change(change)) == change


# ---------------------------------------------------------------- the rules


@pytest.mark.parametrize(
    ("members", "change", "actor", "after"),
    [
        (None, Change(Action.CREATE), ALICE, {ALICE: Role.OWNER}),
        (None, Change(Action.CREATE, (ALICE, BOB)), ALICE, {ALICE: Role.OWNER, BOB: Role.MEMBER}),
        (None, Change(Action.CREATE, (), (BOB,)), None, {BOB: Role.OWNER}),
        (None, Change(Action.CREATE), None, errors.BAD_CHANGE),
        (GROUP, Change(Action.CREATE, (BOB,)), ALICE, errors.CONVERSATION_EXISTS),
        ({}, Change(Action.CREATE, (BOB,)), ALICE, errors.CONVERSATION_EXISTS),
        (None, Change(Action.ADD, (BOB,)), ALICE, errors.NOT_A_MEMBER),
        (None, Change(Action.ADD, (BOB,)), None, errors.NOT_A_MEMBER),
        (None, Change(Action.LEAVE), ALICE, errors.NOT_A_MEMBER),
        (GROUP, Change(Action.ADD, (DAVE,)), ALICE, {**GROUP, DAVE: Role.MEMBER}),
        (GROUP, Change(Action.ADD, (), (BOB,)), ALICE, {**GROUP, BOB: Role.OWNER}),
        (GROUP, Change(Action.ADD, (ALICE,)), ALICE, {**GROUP, ALICE: Role.MEMBER}),
        (GROUP, Change(Action.ADD, (BOB,)), ALICE, errors.NOTHING_TO_CHANGE),
        (GROUP, Change(Action.ADD, (DAVE,)), BOB, errors.FORBIDDEN),
        (GROUP, Change(Action.ADD, (DAVE,)), DAVE, errors.NOT_A_MEMBER),
        (GROUP, Change(Action.ADD, (DAVE,)), None, {**GROUP, DAVE: Role.MEMBER}),
        (GROUP, Change(Action.REMOVE, (BOB, DAVE)), ALICE, {ALICE: Role.OWNER, CAROL: Role.MEMBER}),
        (GROUP, Change(Action.REMOVE, (DAVE,)), ALICE, errors.NOTHING_TO_CHANGE),
        (GROUP, Change(Action.REMOVE, (BOB,)), BOB, errors.FORBIDDEN),
        (GROUP, Change(Action.LEAVE), ALICE, {BOB: Role.MEMBER, CAROL: Role.MEMBER}),
        (GROUP, Change(Action.LEAVE), None, errors.BAD_CHANGE),
        ({ALICE: Role.OWNER}, Change(Action.LEAVE), ALICE, {}),
    ],
)
def test_what_comes_of_a_change(
    members: Members | None, change: Change, actor: AccountId | None, after: Members | Refusal
) -> None:
    assert changed(members, change, actor) == after


def test_a_group_is_never_larger_than_500() -> None:
    most = {AccountId(str(each)): Role.MEMBER for each in range(limits.MEMBERS_MAX - 1)}
    full = {ALICE: Role.OWNER, **most}
    assert changed(None, Change(Action.CREATE, tuple(most)), ALICE) == full
    assert changed(full, Change(Action.ADD, (DAVE,)), ALICE) is errors.TOO_MANY_MEMBERS
    assert changed(full, Change(Action.ADD, (), (AccountId("7"),)), ALICE) != full
    too_many = Change(Action.CREATE, (*most, BOB))
    assert changed(None, too_many, ALICE) is errors.TOO_MANY_MEMBERS
    assert changed(None, too_many, BOB) == {**most, BOB: Role.OWNER}


@given(groups, changes, st.none() | accounts)
def test_nobody_gets_more_than_the_rules_give(
    members: Members | None, change: Change, actor: AccountId | None
) -> None:
    before = None if members is None else dict(members)
    after = changed(members, change, actor)
    assert members == before
    if isinstance(after, Refusal):
        assert not after.reconnect
        return
    assert after != members
    others = after.items() ^ (members or {}).items()
    touched = {account for account, _ in others}
    assert touched <= {*change.members, *change.owners, actor}
    if actor is not None and change.action not in (Action.CREATE, Action.LEAVE):
        assert members is not None
        assert members[actor] is Role.OWNER
    if change.action is Action.LEAVE:
        assert touched == {actor}
