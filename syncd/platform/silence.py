"""When a unionid is told at a silent login, without anybody's consent: two policies.

`bound` is the rule since 2021: the app is bound to an Open Platform account. `2017` is the rule of
the founding documents, so that an app of an owner whom a person never met could not show his
picture. Pure. identity.md 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class UnionidPolicy(Enum):
    """What an Open Platform account goes by."""

    BOUND = "bound"
    YEAR_2017 = "2017"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so, of one app and one person. "Same": of the app's owner, under its account."""

    bound: bool
    """The app is bound to an Open Platform account."""
    component_used: bool = False
    """The app shows the user-info button component."""
    same_app: bool = False
    """There is another app of the same owner."""
    follows: bool = False
    """The person follows an official account of the same owner."""
    logged_in: bool = False
    """The person has logged in to a mobile app or official account of the same owner."""


def is_told(policy: UnionidPolicy, facts: Facts) -> bool:
    """Whether the login's answer carries the unionid."""
    if policy is UnionidPolicy.BOUND or not facts.bound:
        return facts.bound
    met = facts.follows or facts.logged_in
    return facts.component_used and facts.same_app and met
