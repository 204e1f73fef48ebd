"""Who is in a group, and what may change it: pure rules, judged inside the append's transaction.

A change is the body of a `system` entry, as JSON, so that a client in any language can write and
read it: {"action": "add", "members": ["carol"]}. The entry goes to everybody who is a member before
*or* after the change: who is added sees it first, who is removed sees it last.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NewType, TypeAlias

import msgspec

from syncd import errors, limits
from syncd.errors import Refusal

AccountId = NewType("AccountId", str)


class Role(Enum):
    """What a member may do: an owner changes who is in, everybody may write and leave."""

    MEMBER = "member"
    OWNER = "owner"


Members: TypeAlias = Mapping[AccountId, Role]


class Action(Enum):
    """The changes that there are."""

    CREATE = "create"
    """Make the group; the device's account becomes an owner of it."""
    ADD = "add"
    """Take in, or change the role of who is in; by an owner."""
    REMOVE = "remove"
    """Take out those under `members`; by an owner."""
    LEAVE = "leave"
    """Go; by any member. The last owner may go, too: then only an operator can change the group."""


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A change of a group's members: the body of a `system` entry.

    action: create, add, remove or leave.
    members, owners: the accounts concerned, each once, by the role that they get; to be removed
        are those under members. None with leave.
    """

    action: Action
    members: tuple[AccountId, ...] = ()
    owners: tuple[AccountId, ...] = ()


_decode = msgspec.json.Decoder(Change).decode


def read_change(body: bytes) -> Change:
    """The change in a body. Raises ValueError for everything else (a change that names an account
    twice, names nobody to add or remove, or makes owners of those who leave)."""
    change = _decode(body)
    named = change.members + change.owners
    if len(set(named)) < len(named):
        raise ValueError("an account is named twice")
    if change.action is Action.LEAVE and named:
        raise ValueError("leave names nobody")
    if change.action is Action.REMOVE and change.owners:
        raise ValueError("who is removed stands under members")
    if change.action in (Action.ADD, Action.REMOVE) and not named:
        raise ValueError("nobody is named")
    return change


def write_change(change: Change) -> bytes:
    """The body that says `change`."""
    return msgspec.json.encode(change)


def changed(members: Members | None, change: Change, actor: AccountId | None) -> Members | Refusal:
    """Who is in after `change`, or why it may not be.

    members: who is in now; None where there is no such group. actor: whose change it is; None is
    an operator, who needs no role and cannot leave. Whether the accounts exist is not judged here.
    """
    if change.action is Action.CREATE:
        return _created(members, change, actor)
    if members is None or (actor is not None and actor not in members):
        return errors.NOT_A_MEMBER
    if change.action is Action.LEAVE:
        if actor is None:
            return errors.BAD_CHANGE
        return {each: role for each, role in members.items() if each != actor}
    if actor is not None and members[actor] is not Role.OWNER:
        return errors.FORBIDDEN
    if change.action is Action.ADD:
        after = {**members, **_named(change)}
    else:
        after = {each: role for each, role in members.items() if each not in change.members}
    if after == members:
        return errors.NOTHING_TO_CHANGE
    return _bounded(after)


def _created(members: Members | None, change: Change, actor: AccountId | None) -> Members | Refusal:
    if members is not None:
        return errors.CONVERSATION_EXISTS
    after = _named(change)
    if actor is not None:
        after[actor] = Role.OWNER
    return _bounded(after) if after else errors.BAD_CHANGE


def _named(change: Change) -> dict[AccountId, Role]:
    return dict.fromkeys(change.members, Role.MEMBER) | dict.fromkeys(change.owners, Role.OWNER)


def _bounded(members: Members) -> Members | Refusal:
    return members if len(members) <= limits.MEMBERS_MAX else errors.TOO_MANY_MEMBERS
