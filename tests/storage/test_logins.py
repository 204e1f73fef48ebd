"""The table of logins, row by row, and what holds for every row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import errors
from syncd.errors import Refusal
from syncd.model import AccountId
from syncd.persons import Case, Standing, Union
from syncd.storage.logins import Decision, Person, decide

OPEN, OTHER = "open", "other"
U, V = Union(OPEN, "u"), Union(OPEN, "v")


def person(name: str, standing: Standing = Standing.ACTIVE, **links: str) -> Person:
    return Person(AccountId(name), standing, links)


GUEST, ALICE = person("guest"), person("alice", open="u")


@pytest.mark.parametrize(
    ("union", "known", "owner", "decision"),
    [
        (None, ALICE, None, Decision(Case.RETURNED, AccountId("alice"))),
        (U, ALICE, ALICE, Decision(Case.RETURNED, AccountId("alice"))),
        (None, GUEST, None, Decision(Case.RETURNED, AccountId("guest"))),
        (U, GUEST, None, Decision(Case.UPGRADED, AccountId("guest"), link=True)),
        (U, GUEST, ALICE, Decision(Case.MERGED, AccountId("alice"), guest=AccountId("guest"))),
        (
            Union(OTHER, "w"),
            ALICE,
            None,
            Decision(Case.LINKED, AccountId("alice"), link=True),
        ),
        (V, ALICE, None, Decision(Case.PENDING, AccountId("alice"))),
        (None, None, None, Decision(Case.CREATED)),
        (U, None, None, Decision(Case.CREATED, link=True)),
        (U, None, ALICE, Decision(Case.ADDED, AccountId("alice"))),
    ],
)
def test_a_row_of_the_table(union, known, owner, decision):
    assert decide(union, known, owner) == decision


def test_two_persons_with_links_are_never_merged():
    bob = person("bob", other="w")
    assert decide(U, bob, ALICE) == Decision(Case.PENDING, AccountId("bob"))
    carol = person("carol", open="v")
    assert decide(U, carol, ALICE) == Decision(Case.PENDING, AccountId("carol"))


@pytest.mark.parametrize(
    ("guest", "owner"),
    [
        (Standing.LEAVING, Standing.ACTIVE),
        (Standing.ACTIVE, Standing.LEAVING),
        (Standing.ACTIVE, Standing.GONE),
    ],
)
def test_who_leaves_takes_part_in_no_merge(guest, owner):
    decision = decide(U, person("guest", guest), person("alice", owner, open="u"))
    assert decision == Decision(Case.PENDING, AccountId("guest"))


def test_nobody_logs_in_to_an_account_that_is_gone():
    gone = person("alice", Standing.GONE, open="u")
    assert decide(None, gone, None) is errors.ACCOUNT_GONE
    assert decide(U, gone, gone) is errors.ACCOUNT_GONE
    assert decide(U, None, gone) is errors.ACCOUNT_GONE


@st.composite
def logins(draw):
    standings = st.sampled_from(Standing)
    persons = {
        name: Person(
            AccountId(name),
            draw(standings),
            draw(st.dictionaries(st.sampled_from([OPEN, OTHER]), st.just(name))),
        )
        for name in ("one", "two")
    }
    union = draw(st.none() | st.sampled_from([Union(OPEN, "one"), Union(OPEN, "nobody")]))
    owner = persons["one"] if union and persons["one"].links.get(OPEN) == union.unionid else None
    known = draw(st.none() | st.sampled_from(list(persons.values())))
    return union, known, owner


@given(logins())
def test_what_holds_for_every_row(login):
    union, known, owner = login
    decision = decide(union, known, owner)
    if isinstance(decision, Refusal):
        assert decision is errors.ACCOUNT_GONE
        return
    if known is not None and decision.account != known.account:
        assert decision.case is Case.MERGED, "a known subject logs in as its person"
    if decision.guest is not None:
        assert not known.links, "only a guest is merged"
        assert known.standing is owner.standing is Standing.ACTIVE
    if decision.link:
        assert union is not None
        assert owner is None, "nobody's link is taken away"
