"""What the logs say to an entry that is new: pure rules over a book that each backend keeps.

Judged inside the append's transaction, after the number was found to be new: who is a member, whose
message is edited, where a read mark stands is what it is at that very moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from msgspec.structs import replace

from syncd import errors
from syncd.errors import Refusal
from syncd.heading import Heading
from syncd.membership import Change, Members, changed
from syncd.model import (
    AccountId,
    ConversationId,
    Identity,
    Intent,
    Kind,
    Seq,
    halves,
    is_direct,
)

_MESSAGE = Kind.MESSAGE
"""Every message asks for it: a name is found in a third of the time that an attribute takes."""
_TO_ALL = frozenset({Kind.MESSAGE, Kind.EDIT, Kind.RECALL})
_READABLE = frozenset(Kind)
_DELETABLE = frozenset({Kind.MESSAGE, Kind.SYSTEM})


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of a log, found by its identity."""

    seq: Seq
    heading: Heading


class Book(Protocol):
    """What a backend can tell of the state that the transaction sees."""

    def home(self, account: AccountId) -> AccountId | None:
        """Whose log takes what is addressed to this account, which may be an alias of another one;
        None where there is none."""

    def members_of(self, conversation: ConversationId) -> Members | None:
        """Who is in a group; None where there is no such group."""

    def find(self, account: AccountId, identity: Identity) -> Found | None:
        """The entry of this identity in the account's log; None when trimmed or never there.

        Raises ValueError where its header is damaged.
        """

    def mark(self, account: AccountId, conversation: ConversationId) -> Seq:
        """Up to where the account read the conversation; 0 where it never did."""


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """What is to be done: the entry goes to `logs`, the actor's own first."""

    logs: tuple[AccountId, ...]
    members: Members | None = None
    """Who is in the group from now on; None where nothing changes."""
    mark: Seq | None = None
    """Where the read mark stands from now on; None where it does not move."""


def rule(intent: Intent, actor: AccountId | None, book: Book) -> Ruling | Refusal:
    """Whether `actor` may do that, and what then is to be done.

    actor: the sender; None for an operator, who writes to a group and changes it without being in.
    """
    kind = intent.kind
    if kind in _TO_ALL:
        logs = _everybody(intent.conversation, actor, book)
        if isinstance(logs, Refusal):
            return logs
        refusal = None if kind is _MESSAGE else _not_for_author(intent, logs[0], book)
        return refusal or Ruling(logs)
    if kind is Kind.SYSTEM:
        return _change(intent, actor, book)
    assert actor is not None, "operators read and delete nothing"
    return _own(intent, actor, book)


def _everybody(
    conversation: ConversationId, actor: AccountId | None, book: Book
) -> tuple[AccountId, ...] | Refusal:
    """Every log that a message of `actor` goes to."""
    if not is_direct(conversation):
        members = book.members_of(conversation)
        if not members or (actor is not None and actor not in members):
            return errors.NOT_A_MEMBER
        return _first(actor, members)
    named = halves(conversation)
    if actor in named:
        other = book.home(named[actor == named[0]])
        if other is None:
            return errors.UNKNOWN_ACCOUNT
        return (actor,) if other == actor else (actor, other)
    one, other = book.home(named[0]), book.home(named[1])
    if actor is not None and actor not in (one, other):
        return errors.NOT_A_MEMBER
    if one is None or other is None:
        return errors.UNKNOWN_ACCOUNT
    return _first(actor, (one, other))


def _first(actor: AccountId | None, accounts: Iterable[AccountId]) -> tuple[AccountId, ...]:
    """Each account once, the actor's own before all others."""
    own = () if actor is None else (actor,)
    return tuple(dict.fromkeys((*own, *accounts)))


def _not_for_author(intent: Intent, author: AccountId, book: Book) -> Refusal | None:
    """Why the target may not be edited or recalled; None where it may."""
    found = _target(intent, author, book)
    if isinstance(found, Refusal):
        return found
    if found.heading.kind != Kind.MESSAGE:
        return errors.WRONG_TARGET
    if book.home(found.heading.account) != author:
        return errors.FORBIDDEN
    if intent.kind is Kind.RECALL and found.heading.time < intent.recall_since_ms:
        return errors.RECALL_TOO_LATE
    return None


def _own(intent: Intent, actor: AccountId, book: Book) -> Ruling | Refusal:
    """A read mark or a deletion. Who was removed since still holds what came before."""
    found = _target(intent, actor, book)
    if isinstance(found, Refusal):
        return found
    if found.heading.kind not in (_READABLE if intent.kind is Kind.READ else _DELETABLE):
        return errors.WRONG_TARGET
    if intent.kind is Kind.DELETE:
        return Ruling((actor,))
    if found.seq <= book.mark(actor, intent.conversation):
        return errors.MARK_BACKWARDS
    return Ruling((actor,), mark=found.seq)


def _target(intent: Intent, account: AccountId, book: Book) -> Found | Refusal:
    assert intent.target is not None, "the session refuses what lacks its target"
    try:
        found = book.find(account, intent.target)
    except ValueError:
        # The message waits with its device, and nobody else's does, until an operator acts.
        return errors.BUSY
    if found is None:
        return errors.TARGET_GONE
    return found if found.heading.conversation == intent.conversation else errors.WRONG_TARGET


def _change(intent: Intent, actor: AccountId | None, book: Book) -> Ruling | Refusal:
    assert intent.change is not None, "the session refuses what is no change"
    before = book.members_of(intent.conversation)
    after = changed(before, _resolved(intent.change, book), actor)
    if isinstance(after, Refusal):
        return after
    before = before or {}
    if any(book.home(each) is None for each in after if each not in before):
        return errors.UNKNOWN_ACCOUNT
    return Ruling(_first(actor, (*before, *after)), members=after)


def _resolved(change: Change, book: Book) -> Change:
    """The same change, of the accounts that the named ones are aliases of."""

    def homes(accounts: tuple[AccountId, ...]) -> tuple[AccountId, ...]:
        return tuple(dict.fromkeys(book.home(each) or each for each in accounts))

    return replace(change, members=homes(change.members), owners=homes(change.owners))
