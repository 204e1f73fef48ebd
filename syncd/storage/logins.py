"""What a login comes to: one pure decision over what the rows say, inside the transaction.

    subject      union given                       what happens
    known        none, or the one linked           login as its person; a link stays
    known guest  nobody's                          the union is linked: an upgrade in place
    known guest  another person's                  merge into that person
    known        of another platform account       a second link; somebody else's already: pending
    known        another one, same platform        login, the union pending: the operator decides
    new          none, or nobody's                 a new person; a guest where none is given
    new          somebody's                        the subject is added to that person

A guest is a person without any link. A known subject logs in as its person, always, unless that
person is gone; no merge while either person is leaving or gone. Nothing is ever matched by
anything else: no phone number, no e-mail address, no nickname.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd import errors
from syncd.errors import Refusal
from syncd.model import AccountId
from syncd.persons import Case, Standing, Union


@dataclass(frozen=True, slots=True)
class Person:
    """An account that a login may be about. links: its unionid by platform account."""

    account: AccountId
    standing: Standing = Standing.ACTIVE
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """account: whose login it is; None for a new person. link: the given union becomes theirs.
    guest: to be merged into `account` first. `case` MERGED, ADDED and so on say which row it was.
    """

    case: Case
    account: AccountId | None = None
    link: bool = False
    guest: AccountId | None = None


def decide(given: Union | None, known: Person | None, owner: Person | None) -> Decision | Refusal:
    """Which row of the table applies.

    given: the union that came in the same answer as the subject. known: whose the subject is.
    owner: whose the given union is. Both with aliases resolved.
    """
    if known is None:
        return _newcomer(given, owner)
    if known.standing is Standing.GONE:
        return errors.ACCOUNT_GONE
    if given is None or (owner is not None and owner.account == known.account):
        return Decision(Case.RETURNED, known.account)
    if owner is None and given.platform not in known.links:
        case = Case.LINKED if known.links else Case.UPGRADED
        return Decision(case, known.account, link=True)
    if owner is not None and not known.links and _both_stay(known, owner):
        return Decision(Case.MERGED, owner.account, guest=known.account)
    return Decision(Case.PENDING, known.account)


def _newcomer(given: Union | None, owner: Person | None) -> Decision | Refusal:
    if owner is None:
        return Decision(Case.CREATED, link=given is not None)
    if owner.standing is Standing.GONE:
        return errors.ACCOUNT_GONE
    return Decision(Case.ADDED, owner.account)


def _both_stay(guest: Person, owner: Person) -> bool:
    return guest.standing is Standing.ACTIVE and owner.standing is Standing.ACTIVE
