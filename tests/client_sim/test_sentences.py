"""The grammar: what is said is what is meant, and what means nothing is refused with a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sim.sentences import (
    DOINGS,
    EXPECTATIONS,
    Argument,
    NotASentence,
    Step,
    Verb,
    doing,
    expectation,
)

names = st.from_regex(r"[A-Za-z0-9._@:+=-]{0,6}[A-Za-z0-9_@+=]", fullmatch=True)
numbers = st.integers(0, 10**9)
SLOTS = {
    "count": numbers,
    "bytes": numbers,
    "milliseconds": numbers,
    "seconds": st.integers(-(10**12), 10**12).map(lambda millionths: millionths / 10**6),
    "accounts": st.lists(names.filter(lambda name: name != "and"), min_size=1, max_size=4).map(
        tuple
    ),
    "verdict": st.sampled_from(["welcome", "truncated", "reset ahead"]),
    "app": st.sampled_from(["app", "page"]),
    "code": st.sampled_from(["fenced", "slow_reader"]),
}
moments = st.none() | st.integers(0, 10**6).map(lambda hundredths: hundredths / 100)


@st.composite
def said(draw: st.DrawFn, verbs: tuple[Verb, ...]) -> Step:
    verb = draw(st.sampled_from(verbs))
    slots = [part for part in SLOTS | dict.fromkeys(PEOPLE, names) if f"{{{part}}}" in verb.pattern]
    arguments: dict[str, Argument] = {slot: draw(SLOTS.get(slot, names)) for slot in slots}
    return Step(verb.name, arguments)


PEOPLE = ("device", "other", "account", "address", "group", "guest")


@given(step=said(DOINGS), at=moments, meanwhile=st.booleans())
def test_every_doing_is_read_as_it_was_said(step: Step, at: float | None, meanwhile: bool) -> None:
    step = Step(step.verb, step.arguments, at, meanwhile and at is None)
    assert doing(str(step)) == step


@given(step=said(EXPECTATIONS))
def test_every_expectation_is_read_as_it_was_said(step: Step) -> None:
    assert expectation(str(step)) == step


def test_a_sentence_says_when() -> None:
    step = doing("at 3.25 s: PC1 sends 2 to bob")
    assert (step.at, step.meanwhile) == (3.25, False)
    assert step.arguments == {"device": "PC1", "count": 2, "address": "bob"}
    step = doing("meanwhile PC1 sends 2 to bob")
    assert (step.at, step.meanwhile) == (None, True)


def test_accounts_are_listed_as_people_do() -> None:
    step = doing("PC1 makes team with bob, carol and dave")
    assert step.arguments["accounts"] == ("bob", "carol", "dave")
    assert str(step) == "PC1 makes team with bob, carol and dave"


def test_large_numbers_stay_readable() -> None:
    assert str(doing("the clock jumps by -315360000 s")) == "the clock jumps by -315360000 s"
    assert str(doing("0.00001 s pass")) == "0.00001 s pass"


def test_a_fault_has_its_kind() -> None:
    assert doing("PC1 is cut after 7 bytes").fault == "cut"
    assert doing("PC1 logs in").fault == ""


@pytest.mark.parametrize(
    "text",
    ["PC1 dances", "PC1 sends many to bob", "at 1 s: meanwhile PC1 logs in", "", "PC1 holds 3"],
)
def test_what_means_nothing_is_refused_with_what_is_known(text: str) -> None:
    with pytest.raises(NotASentence, match=r"\{device\} logs in"):
        doing(text)


def test_a_doing_is_no_expectation() -> None:
    with pytest.raises(NotASentence, match=r"\{device\} holds \{count\}"):
        expectation("PC1 logs in")


def test_no_sentence_can_be_read_as_two() -> None:
    for verbs in (DOINGS, EXPECTATIONS):
        for verb in verbs:
            examples = {"count": 3, "bytes": 3, "milliseconds": 3, "seconds": 1.5}
            slots = {slot: examples.get(slot, "word") for slot in (*SLOTS, *PEOPLE)}
            text = verb.say({**slots, "accounts": ("bob", "carol")})
            assert [each.name for each in verbs if each.read(text) is not None] == [verb.name]
